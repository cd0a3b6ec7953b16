//! The inside of units: boxes one below the other, lines between them, and where lines from and to other units end.

use std::collections::{BTreeMap, HashMap};

use super::order::Ways;
use super::{Direction, HEADING, Layout, NOTE, Point, Rect, STRONG};
use crate::model::Role;

/// Empty space between a frame and what is in it.
const PADDING: i32 = 10;
/// Empty space between the boxes of a frame.
const BETWEEN: i32 = 11;
/// Empty space between lines side by side.
const LANE: i32 = 8;
/// Where a line leaves a box downwards, from its left edge.
const CONNECTOR: i32 = 17;

/// Where a line ends at a unit.
pub(super) struct Port {
    /// Where it crosses the edge of the unit, from the unit's corner, across the way of the layers.
    pub across: i32,
    /// From there to the box, as places from the unit's corner.
    pub tail: Vec<Point>,
    /// From where to where it may be moved.
    pub slack: (i32, i32),
}

impl Port {
    /// Moves it, as far as its slack lets it.
    pub fn set(&mut self, across: i32, direction: Direction) {
        let to = across.clamp(self.slack.0, self.slack.1);
        for p in &mut self.tail {
            *(if direction == Direction::Down { &mut p.x } else { &mut p.y }) += to - self.across;
        }
        self.across = to;
    }
}

/// The shape of one unit.
#[derive(Default)]
pub(super) struct Shape {
    pub width: i32,
    pub height: i32,
    /// The box of each step, from the unit's corner.
    pub boxes: Vec<Rect>,
    /// The lines of the edges within the unit.
    pub inner: Vec<(usize, Vec<Point>)>,
    /// Whether it stands at the far side of its layer, next to what needs it.
    pub far_side: bool,
}

/// The shapes of all units, and where lines end at them.
pub(super) struct Shapes {
    pub units: Vec<Shape>,
    /// Of each net, where it begins.
    pub outs: Vec<Port>,
    /// Of each edge that ends in another unit, where it does.
    pub ins: HashMap<usize, Port>,
}

/// Gives every unit its shape. `ways` says in which order lines meet a box.
pub(super) fn shapes(layout: &Layout, direction: Direction, ways: &Ways) -> Shapes {
    let count = layout.units.len();
    let mut nets_out: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut edges_in: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
    let mut edges_inside: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, net) in layout.nets.iter().enumerate() {
        nets_out[net.unit].push(at);
        for edge in &net.edges {
            edges_in[layout.unit_of[layout.model.edges[*edge].to]].push((at, *edge));
        }
    }
    for (at, edge) in layout.model.edges.iter().enumerate() {
        if layout.unit_of[edge.from] == layout.unit_of[edge.to] {
            edges_inside[layout.unit_of[edge.from]].push(at);
        }
    }

    let natural: Vec<i32> = (0..count).map(|unit| natural_width(layout, unit)).collect();
    let mut widths = natural.clone();
    if direction == Direction::Right {
        // Frames one below the other are equally wide, and so are boxes.
        let mut widest: BTreeMap<(usize, bool), i32> = BTreeMap::new();
        let place = |unit: usize| (layout.layer_of[unit], layout.units[unit].group.is_some());
        for (unit, width) in natural.iter().enumerate() {
            let widest = widest.entry(place(unit)).or_default();
            *widest = (*width).max(*widest);
        }
        (0..count).for_each(|unit| widths[unit] = widest[&place(unit)]);
    }

    let mut shapes = Shapes { units: Vec::with_capacity(count), outs: Vec::new(), ins: HashMap::new() };
    let mut outs: Vec<Option<Port>> = layout.nets.iter().map(|_| None).collect();
    for unit in 0..count {
        let mut make = Make {
            layout,
            ways,
            unit,
            framed: layout.units[unit].group.is_some(),
            shape: Shape { far_side: edges_in[unit].is_empty(), ..Shape::default() },
        };
        let lanes = make.lanes_in(&edges_in[unit], direction);
        let crowds = make.crowds(&edges_in[unit], &nets_out[unit]);
        make.stack(widths[unit], lanes.len() as i32, &crowds, direction);
        make.lines_inside(&edges_inside[unit]);
        for (net, port) in make.ports_out(&nets_out[unit], direction) {
            outs[net] = Some(port);
        }
        make.close();
        make.ports_in(&edges_in[unit], &lanes, direction, &mut shapes.ins);
        let shape = make.shape;
        // Tails that end at the far side of the unit begin there.
        for net in &nets_out[unit] {
            if let Some(port) = &mut outs[*net]
                && let Some(end) = port.tail.first_mut()
            {
                match direction {
                    Direction::Down => end.y = shape.height,
                    Direction::Right | Direction::Auto => end.x = shape.width,
                }
            }
        }
        shapes.units.push(shape);
    }
    shapes.outs = outs.into_iter().flatten().collect();
    shapes
}

/// How wide the boxes of a unit are, by their text.
fn natural_width(layout: &Layout, unit: usize) -> i32 {
    let members = &layout.units[unit];
    let boxes = members.steps.iter().map(|step| layout.labels[*step].width).max().unwrap_or(0);
    let heading = members.group.map_or(0, |group| {
        let group = &layout.model.groups[group];
        STRONG.width(&group.title()) + NOTE.width(&group.platform) + 40
    });
    boxes.max(heading.min(380))
}

/// A unit in the making.
struct Make<'m> {
    layout: &'m Layout<'m>,
    ways: &'m Ways,
    unit: usize,
    framed: bool,
    shape: Shape,
}

impl Make<'_> {
    fn steps(&self) -> &[usize] {
        &self.layout.units[self.unit].steps
    }

    /// The place of a step within the unit. The steps of a unit are sorted.
    fn place(&self, step: usize) -> usize {
        self.steps().binary_search(&step).unwrap_or(0)
    }

    /// How much of each end of the side of a box is no straight line.
    fn corner(&self, place: usize) -> i32 {
        let round = self.steps().get(place).is_some_and(|step| self.layout.model.steps[*step].kind.is_round());
        if round { 11 } else { 8 }
    }

    /// Whether an edge ends at the edge of the unit: at the frame, for the base of the first step.
    fn ends_at_frame(&self, edge: usize) -> bool {
        let edge = &self.layout.model.edges[edge];
        !self.framed || edge.role == Role::Base && self.place(edge.to) == 0
    }

    /// Downwards, the nets that need a lane beside the boxes to come to the steps that they end at. The one that goes
    /// deepest comes first and runs outermost, so that no other crosses it.
    fn lanes_in(&self, edges: &[(usize, usize)], direction: Direction) -> Vec<usize> {
        if direction != Direction::Down {
            return Vec::new();
        }
        let mut deepest: BTreeMap<usize, usize> = BTreeMap::new();
        for (net, edge) in edges.iter().filter(|(_, edge)| !self.ends_at_frame(*edge)) {
            let depth = self.place(self.layout.model.edges[*edge].to);
            let deepest = deepest.entry(*net).or_default();
            *deepest = depth.max(*deepest);
        }
        let mut lanes: Vec<usize> = deepest.keys().copied().collect();
        lanes.sort_by_key(|net| std::cmp::Reverse(deepest[net]));
        lanes
    }

    /// How many lines from and to other units meet each box, on the side that more of them meet.
    fn crowds(&self, edges: &[(usize, usize)], nets: &[usize]) -> Vec<i32> {
        let (mut ins, mut outs) = (vec![0; self.steps().len()], vec![0; self.steps().len()]);
        for (_, edge) in edges.iter().filter(|(_, edge)| !(self.framed && self.ends_at_frame(*edge))) {
            ins[self.place(self.layout.model.edges[*edge].to)] += 1;
        }
        nets.iter().for_each(|net| outs[self.place(self.layout.nets[*net].from)] += 1);
        ins.into_iter().zip(outs).map(|(ins, outs)| ins.max(outs)).collect()
    }

    /// Sets the boxes one below the other, as large as their text and the lines that meet them need.
    fn stack(&mut self, width: i32, lanes: i32, crowds: &[i32], direction: Direction) {
        let (left, top) = match (self.framed, lanes) {
            (false, _) => (0, 0),
            (true, 0) => (PADDING, HEADING),
            (true, lanes) => (PADDING + lanes * LANE + 4, HEADING),
        };
        let (mut y, mut right) = (top, left + width);
        for (step, crowd) in self.layout.units[self.unit].steps.iter().zip(crowds) {
            let (mut w, mut h) = (width, self.layout.labels[*step].height());
            let room = crowd * LANE + 8;
            if direction == Direction::Down && !self.framed {
                w = w.max(room);
            } else {
                h = h.max(room);
            }
            self.shape.boxes.push(Rect { x: left, y, w, h });
            y += h + BETWEEN;
            right = right.max(left + w);
        }
        self.shape.height = y - BETWEEN + if self.framed { PADDING } else { 0 };
        self.shape.width = right;
    }

    /// Closes the frame at the right.
    fn close(&mut self) {
        if self.framed {
            self.shape.width += PADDING;
        }
    }

    /// Lines from a box to the next one go straight down; to another, along a lane on the right.
    fn lines_inside(&mut self, edges: &[usize]) {
        let right = self.shape.width;
        let mut straight: BTreeMap<usize, i32> = BTreeMap::new();
        let mut long: Vec<(usize, usize, usize)> = Vec::new();
        for edge in edges {
            let e = &self.layout.model.edges[*edge];
            let (from, to) = (self.place(e.from), self.place(e.to));
            if from + 1 != to {
                long.push((from, to, *edge));
                continue;
            }
            let nth = straight.entry(from).or_default();
            let (a, b) = (self.shape.boxes[from], self.shape.boxes[to]);
            let x = a.x + CONNECTOR + *nth * 12;
            *nth += 1;
            self.shape.inner.push((*edge, vec![Point { x, y: a.y + a.h }, Point { x, y: b.y }]));
        }
        long.sort_unstable();
        // Each takes the innermost lane that is free where it begins; the end of the last one on each lane is kept.
        let mut lanes: Vec<usize> = Vec::new();
        for (from, to, edge) in long {
            let lane = lanes.iter().position(|end| *end < from).unwrap_or(lanes.len());
            lanes.resize(lanes.len().max(lane + 1), 0);
            lanes[lane] = to;
            let (a, b) = (self.shape.boxes[from], self.shape.boxes[to]);
            let x = right + 8 + lane as i32 * LANE;
            let (out, into) = (a.y + a.h / 2 + 5, b.y + b.h / 2 - 5);
            let line = vec![
                Point { x: right, y: out },
                Point { x, y: out },
                Point { x, y: into },
                Point { x: right, y: into },
            ];
            self.shape.inner.push((edge, line));
        }
        if !lanes.is_empty() {
            self.shape.width += lanes.len() as i32 * LANE + 4;
        }
    }

    /// Where the nets of the unit begin, with the way from its edge to the box.
    fn ports_out(&mut self, nets: &[usize], direction: Direction) -> Vec<(usize, Port)> {
        let mut at_box: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for net in nets {
            at_box.entry(self.place(self.layout.nets[*net].from)).or_default().push(*net);
        }
        at_box.values_mut().for_each(|nets| nets.sort_by_key(|net| self.ways.out(*net)));
        let last = self.shape.boxes.len().saturating_sub(1);
        let mut ports = Vec::new();
        let mut lane = 0;
        let right = self.shape.width;
        // The lowest comes first and runs innermost, so that no other crosses it.
        for (place, nets) in at_box.into_iter().rev() {
            let b = self.shape.boxes[place];
            for (nth, net) in nets.iter().enumerate() {
                if direction != Direction::Down {
                    let y = b.y + spread(b.h, nth, nets.len());
                    let tail = vec![Point { x: right, y }, Point { x: b.x + b.w, y }];
                    let slack = slack(y, b.y, b.h, self.corner(place), nets.len());
                    ports.push((*net, Port { across: y, tail, slack }));
                } else if place == last {
                    let x = b.x + spread(b.w, nth, nets.len());
                    let tail = vec![Point { x, y: b.y + b.h }, Point { x, y: b.y + b.h }];
                    let slack = slack(x, b.x, b.w, self.corner(place), nets.len());
                    ports.push((*net, Port { across: x, tail, slack }));
                } else {
                    let (x, y) = (right + 8 + lane * LANE, b.y + spread(b.h, nth, nets.len()));
                    lane += 1;
                    let tail = vec![Point { x, y }, Point { x, y }, Point { x: b.x + b.w, y }];
                    ports.push((*net, Port { across: x, tail, slack: (x, x) }));
                }
            }
        }
        if lane > 0 {
            self.shape.width += lane * LANE + 4;
        }
        ports
    }

    /// Where the edges to the unit end, with the way from its edge to the box.
    fn ports_in(
        &self,
        edges: &[(usize, usize)],
        lanes: &[usize],
        direction: Direction,
        ports: &mut HashMap<usize, Port>,
    ) {
        // The nets that end at the frame, and at each box.
        let mut at_frame: Vec<usize> = Vec::new();
        let mut at_box: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (net, edge) in edges {
            if self.ends_at_frame(*edge) {
                at_frame.push(*net);
            } else {
                at_box.entry(self.place(self.layout.model.edges[*edge].to)).or_default().push(*net);
            }
        }
        let from = |net: &usize| self.ways.into(*net, self.unit);
        at_frame.sort_by_key(from);
        at_box.values_mut().for_each(|nets| nets.sort_by_key(from));
        let nth = |nets: &[usize], net: usize| nets.iter().position(|n| *n == net).unwrap_or(0);
        let Shape { width, height, boxes, .. } = &self.shape;
        for (net, edge) in edges {
            let port = if self.ends_at_frame(*edge) {
                let first = boxes.first().copied().unwrap_or_default();
                // Beside the lanes there is no room downwards.
                let (begin, room, corner) = match (direction, self.framed) {
                    (Direction::Down, true) => (first.x, width - first.x, PADDING),
                    (Direction::Down, false) => (0, *width, self.corner(0)),
                    (_, true) => (0, HEADING, PADDING),
                    (_, false) => (0, *height, self.corner(0)),
                };
                let across = begin + spread(room, nth(&at_frame, *net), at_frame.len());
                let slack = slack(across, begin, room, corner, at_frame.len());
                let end =
                    if direction == Direction::Down { Point { x: across, y: 0 } } else { Point { x: 0, y: across } };
                Port { across, tail: vec![end], slack }
            } else {
                let place = self.place(self.layout.model.edges[*edge].to);
                let (b, nets) = (boxes[place], &at_box[&place]);
                let y = b.y + spread(b.h, nth(nets, *net), nets.len());
                let end = Point { x: b.x, y };
                if direction == Direction::Down {
                    let x = PADDING + nth(lanes, *net) as i32 * LANE;
                    Port { across: x, tail: vec![Point { x, y: 0 }, Point { x, y }, end], slack: (x, x) }
                } else {
                    let slack = slack(y, b.y, b.h, self.corner(place), nets.len());
                    Port { across: y, tail: vec![Point { x: 0, y }, end], slack }
                }
            };
            ports.insert(*edge, port);
        }
    }
}

/// Where the `nth` of `count` lines meets an edge of length `room`: about its middle, a lane apart if there is room.
fn spread(room: i32, nth: usize, count: usize) -> i32 {
    let step = ((room - 8).max(0) / count.max(1) as i32 / 2 * 2).min(LANE);
    room / 2 + (2 * nth as i32 - (count as i32 - 1)) * step / 2
}

/// From where to where the only line that meets an edge may be moved; several stay where they are.
fn slack(at: i32, begin: i32, room: i32, corner: i32, count: usize) -> (i32, i32) {
    let (first, last) = (begin + corner, begin + room - corner);
    if count == 1 && first <= at && at <= last { (first, last) } else { (at, at) }
}

impl Shape {
    /// How far it reaches along and across the way of the layers.
    pub fn reach(&self, direction: Direction) -> (i32, i32) {
        match direction {
            Direction::Down => (self.height, self.width),
            Direction::Right | Direction::Auto => (self.width, self.height),
        }
    }
}
