//! Lines between the layers, and everything put in its place.

use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::order::{Flow, What};
use super::unit::Shapes;
use super::{Direction, Drawing, Layout, Point, Rect};

/// Empty space between a layer and the first track behind it, and between the last track and the next layer.
const BESIDE: [i32; 2] = [16, 24];
/// Empty space between tracks.
const TRACK: i32 = 9;
/// Lines closer than this look like one.
const CLOSE: i32 = 6;
/// The length of what is drawn of a far edge at its ends.
const STUB: i32 = 14;

/// What a net needs between two layers: from where to where.
struct Bundle {
    net: usize,
    /// Where it comes from. A net has one line in each layer.
    from: i32,
    /// Where it goes to, sorted.
    to: Vec<i32>,
}

impl Bundle {
    fn range(&self) -> (i32, i32) {
        let first = self.to.first().copied().unwrap_or(self.from);
        let last = self.to.last().copied().unwrap_or(self.from);
        (first.min(self.from), last.max(self.from))
    }

    /// Whether it needs no track.
    fn is_straight(&self) -> bool {
        self.range().0 == self.range().1
    }
}

/// Sets everything where it belongs and draws the lines.
pub(super) fn compose(layout: &Layout, shapes: &Shapes, flow: &Flow, across: &[i32], direction: Direction) -> Drawing {
    let count = flow.layers.len();
    let mut bundles: Vec<BTreeMap<usize, Bundle>> = (0..count).map(|_| BTreeMap::new()).collect();
    for link in &flow.links {
        let from = across[link.from] + link.out;
        let channel = &mut bundles[flow.items[link.from].layer];
        let bundle = channel.entry(link.net).or_insert(Bundle { net: link.net, from, to: Vec::new() });
        bundle.to.push(across[link.to] + link.into);
    }

    // Where each layer begins and ends, and where the tracks behind it are, along the way of the layers.
    let mut spans: Vec<(i32, i32)> = Vec::with_capacity(count);
    let mut track_at: HashMap<(usize, usize), i32> = HashMap::new();
    let mut along = 0;
    for (layer, bundles) in bundles.into_iter().enumerate() {
        let reach = |item: &usize| match flow.items[*item].what {
            What::Unit(unit) => shapes.units[unit].reach(direction).0,
            What::Pass(_) => 0,
        };
        let end = along + flow.layers[layer].iter().map(reach).max().unwrap_or(0);
        spans.push((along, end));
        let mut bundles: Vec<Bundle> = bundles.into_values().collect();
        bundles.iter_mut().for_each(|bundle| bundle.to.sort_unstable());
        let mut most = 0;
        for (net, track) in tracks(&bundles) {
            track_at.insert((layer, net), end + BESIDE[0] + track * TRACK);
            most = most.max(track);
        }
        along = end + BESIDE[0] + most * TRACK + BESIDE[1];
    }

    let place = |along: i32, across: i32| match direction {
        Direction::Down => Point { x: across, y: along },
        Direction::Right | Direction::Auto => Point { x: along, y: across },
    };
    let mut drawing = Drawing {
        boxes: vec![Rect::default(); layout.model.steps.len()],
        labels: layout.labels.clone(),
        frames: vec![Rect::default(); layout.model.groups.len()],
        lines: vec![Vec::new(); layout.model.edges.len()],
        ..Drawing::default()
    };
    let mut corner: Vec<Point> = Vec::with_capacity(shapes.units.len());
    for (unit, shape) in shapes.units.iter().enumerate() {
        let (begin, end) = spans[layout.layer_of[unit]];
        let along = if shape.far_side { end - shape.reach(direction).0 } else { begin };
        let at = place(along, across[unit]);
        corner.push(at);
        for (step, b) in layout.units[unit].steps.iter().zip(&shape.boxes) {
            drawing.boxes[*step] = Rect { x: at.x + b.x, y: at.y + b.y, ..*b };
        }
        if let Some(group) = layout.units[unit].group {
            drawing.frames[group] = Rect { x: at.x, y: at.y, w: shape.width, h: shape.height };
        }
        for (edge, line) in &shape.inner {
            drawing.lines[*edge] = vec![straighten(line.iter().map(|p| moved(*p, at)).collect())];
        }
    }
    for (at, net) in layout.nets.iter().enumerate() {
        let out = &shapes.outs[at];
        let begin: Vec<Point> = out.tail.iter().rev().map(|p| moved(*p, corner[net.unit])).collect();
        let from = layout.layer_of[net.unit];
        for edge in &net.edges {
            let unit = layout.unit_of[layout.model.edges[*edge].to];
            let Some(port) = shapes.ins.get(edge) else { continue };
            let end = port.tail.iter().map(|p| moved(*p, corner[unit]));
            let into = across[unit] + port.across;
            let to = layout.layer_of[unit];
            let mut line = begin.clone();
            if net.far {
                line.push(place(spans[from].1 + STUB, across[net.unit] + out.across));
                let stub = std::iter::once(place(spans[to].0 - STUB, into)).chain(end).collect();
                drawing.lines[*edge] = vec![straighten(line), straighten(stub)];
                continue;
            }
            let mut here = across[net.unit] + out.across;
            for layer in from..to {
                let pass = flow.passes.get(&(at, layer + 1)).filter(|_| layer + 1 < to);
                let next = pass.map_or(into, |pass| across[*pass]);
                if let Some(track) = track_at.get(&(layer, at))
                    && here != next
                {
                    line.extend([place(*track, here), place(*track, next)]);
                }
                here = next;
            }
            line.extend(end);
            drawing.lines[*edge] = vec![straighten(line)];
        }
    }
    let boxes = drawing.boxes.iter().chain(&drawing.frames).map(|r| Point { x: r.x + r.w, y: r.y + r.h });
    for p in boxes.chain(drawing.lines.iter().flatten().flatten().copied()) {
        drawing.width = drawing.width.max(p.x);
        drawing.height = drawing.height.max(p.y);
    }
    drawing
}

fn moved(p: Point, by: Point) -> Point {
    Point { x: p.x + by.x, y: p.y + by.y }
}

/// Leaves out the points at which a line does not turn.
fn straighten(line: Vec<Point>) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(line.len());
    for p in line {
        if let [.., a, b] = points.as_slice()
            && ((a.x == b.x && b.x == p.x) || (a.y == b.y && b.y == p.y))
        {
            points.pop();
        }
        if points.last() != Some(&p) {
            points.push(p);
        }
    }
    points
}

/// Gives every bundle that is not straight a track, counted from the layer before. Bundles on one track keep apart; and
/// where one comes from the height that another goes to, it has a track before the other's, so that they do not run along
/// each other.
fn tracks(bundles: &[Bundle]) -> Vec<(usize, i32)> {
    let bent: Vec<&Bundle> = bundles.iter().filter(|bundle| !bundle.is_straight()).collect();

    // What must stand behind what.
    let mut begins: Vec<(i32, usize)> = bent.iter().enumerate().map(|(at, bundle)| (bundle.from, at)).collect();
    begins.sort_unstable();
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); bent.len()];
    let mut waits = vec![0_usize; bent.len()];
    for (at, bundle) in bent.iter().enumerate() {
        for end in &bundle.to {
            let first = begins.partition_point(|begin| begin.0 <= end - CLOSE);
            for (_, other) in begins[first..].iter().take_while(|begin| begin.0 < end + CLOSE) {
                if *other != at && !behind[*other].contains(&at) {
                    behind[*other].push(at);
                    waits[at] += 1;
                }
            }
        }
    }

    // Otherwise lines that go up come first, the highest in front; then those that go down, the lowest in front. So those
    // that go the same way do not cross.
    let rank = |at: usize| {
        let bundle = bent[at];
        let middle = bundle.to.iter().map(|to| i64::from(*to)).sum::<i64>() / bundle.to.len().max(1) as i64;
        if middle < i64::from(bundle.from) { (0, bundle.from, at) } else { (1, -bundle.from, at) }
    };
    let mut left: std::collections::BTreeSet<_> = (0..bent.len()).map(rank).collect();
    let mut ready: BinaryHeap<_> = left.iter().filter(|r| waits[r.2] == 0).map(|r| std::cmp::Reverse(*r)).collect();

    // The heights at which tracks are told apart, and the first free track at each.
    let mut heights: Vec<i32> = bent.iter().flat_map(|bundle| bundle.to.iter().copied().chain([bundle.from])).collect();
    heights.sort_unstable();
    heights.dedup();
    let mut free = vec![0; heights.len()];
    let mut tracks = Vec::with_capacity(bent.len());
    // If all that is left waits for one another, in a circle, the first goes on.
    while let Some(next) = ready.pop().map(|r| r.0).or_else(|| left.first().copied()) {
        if !left.remove(&next) {
            continue;
        }
        let bundle = bent[next.2];
        let (first, last) = bundle.range();
        let first = heights.partition_point(|height| *height <= first - CLOSE);
        let last = heights.partition_point(|height| *height < last + CLOSE);
        let track = free[first..last].iter().copied().max().unwrap_or(0);
        free[first..last].fill(track + 1);
        tracks.push((bundle.net, track));
        for other in &behind[next.2] {
            waits[*other] -= 1;
            if waits[*other] == 0 && left.contains(&rank(*other)) {
                ready.push(std::cmp::Reverse(rank(*other)));
            }
        }
    }
    tracks
}
