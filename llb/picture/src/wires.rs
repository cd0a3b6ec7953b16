//! The lines of a drawing as pieces that are drawn once each.
//!
//! Edges of one role that begin at one step share a line as far as they go the same way. Drawn one over the other, dashes
//! would fill up and the shared part could not be lit with one of them; so the lines are a tree of pieces.

use std::collections::BTreeMap;

use crate::layout::{Drawing, Point};
use crate::model::{Model, Role};

/// The radius of the corners of lines.
const CORNER: i32 = 7;

/// A piece of one or several lines.
pub(crate) struct Wire {
    pub role: Role,
    /// The piece that it goes on from, an index into the same list.
    pub up: Option<usize>,
    /// The edge whose end it is.
    pub edge: Option<usize>,
    points: Vec<Point>,
    /// Where the piece before comes from, if it does.
    lead: Option<Point>,
    /// How much of the end is left to the corners of those that go on.
    trim: i32,
    /// How far from the beginning of the line it begins and ends.
    span: (i32, i32),
}

/// All lines, in pieces.
pub(crate) fn wires(model: &Model, drawing: &Drawing) -> Vec<Wire> {
    let mut nets: BTreeMap<(usize, Role), Vec<usize>> = BTreeMap::new();
    for (at, edge) in model.edges.iter().enumerate() {
        nets.entry((edge.from, edge.role)).or_default().push(at);
    }
    let mut wires = Vec::new();
    for ((_, role), edges) in nets {
        let mut lines: Vec<(&[Point], usize)> =
            edges.iter().filter_map(|edge| Some((drawing.lines[*edge].first()?.as_slice(), *edge))).collect();
        lines.sort_unstable();
        let mut tree = Tree { wires: &mut wires, role, open: Vec::new(), last: &[] };
        for (line, edge) in lines {
            let whole = drawing.lines[edge].len() == 1;
            let end = tree.add(line, whole.then_some(edge));
            for stub in drawing.lines[edge].iter().skip(1) {
                tree.wires.push(Wire::new(role, end, stub.clone(), Some(edge)));
            }
        }
    }
    join_corners(&mut wires);
    wires
}

/// The pieces of one net. Lines come in order, so each has most in common with the one before.
struct Tree<'a> {
    wires: &'a mut Vec<Wire>,
    role: Role,
    /// The pieces of the last line, from its beginning.
    open: Vec<usize>,
    last: &'a [Point],
}

impl<'a> Tree<'a> {
    /// Adds a line, and gives its last piece.
    fn add(&mut self, line: &'a [Point], edge: Option<usize>) -> Option<usize> {
        let common = common(self.last, line);
        self.last = line;
        // What of the last line goes further is left; the piece that goes only partly further is cut in two.
        let mut up = None;
        for (nth, at) in self.open.clone().into_iter().enumerate() {
            let (begin, end) = self.wires[at].span;
            if begin >= common {
                self.open.truncate(nth);
                break;
            }
            up = Some(at);
            if end > common {
                self.open[nth] = self.cut(at, common);
                up = Some(self.open[nth]);
                self.open.truncate(nth + 1);
                break;
            }
        }
        let rest = behind(line, common);
        if rest.len() > 1 {
            let length = length(&rest);
            let span = (common, common + length);
            self.wires.push(Wire { span, ..Wire::new(self.role, up, rest, edge) });
            self.open.push(self.wires.len() - 1);
        }
        self.open.last().copied()
    }

    /// Cuts a piece in two, and gives the new, upper one.
    fn cut(&mut self, at: usize, common: i32) -> usize {
        let new = self.wires.len();
        let wire = &mut self.wires[at];
        let (begin, end) = wire.span;
        let lower = behind(&wire.points, common - begin);
        let mut upper = Wire::new(wire.role, wire.up, before(&wire.points, common - begin), None);
        upper.span = (begin, common);
        wire.points = lower;
        wire.span = (common, end);
        wire.up = Some(new);
        self.wires.push(upper);
        new
    }
}

/// Makes the turns between pieces round: the lower piece takes the corner, the upper one leaves it out.
fn join_corners(wires: &mut [Wire]) {
    let mut goes_on: Vec<bool> = vec![false; wires.len()];
    let mut trims: Vec<Option<i32>> = vec![None; wires.len()];
    for at in 0..wires.len() {
        let Some(up) = wires[at].up else { continue };
        let ([.., before, end], [begin, next, ..]) = (wires[up].points.as_slice(), wires[at].points.as_slice()) else {
            continue;
        };
        if end != begin {
            continue;
        }
        if direction(*before, *end) == direction(*begin, *next) {
            goes_on[up] = true;
            continue;
        }
        let radius = radius(*before, *end, *next);
        let trim = trims[up].get_or_insert(radius);
        *trim = radius.min(*trim);
        wires[at].lead = Some(*before);
    }
    for (wire, (goes_on, trim)) in wires.iter_mut().zip(goes_on.into_iter().zip(trims)) {
        wire.trim = trim.filter(|_| !goes_on).unwrap_or(0);
    }
}

impl Wire {
    fn new(role: Role, up: Option<usize>, points: Vec<Point>, edge: Option<usize>) -> Self {
        let span = (0, length(&points));
        Wire { role, up, edge, points, lead: None, trim: 0, span }
    }

    /// As the path of SVG.
    pub fn path(&self) -> String {
        use std::fmt::Write as _;
        let mut d = String::new();
        let line: Vec<Point> = self.lead.iter().chain(&self.points).copied().collect();
        for (nth, p) in line.iter().enumerate() {
            let before = nth.checked_sub(1).and_then(|nth| line.get(nth));
            let _ = match (before, line.get(nth + 1)) {
                (None, _) if self.lead.is_some() => Ok(()),
                (None, _) => write!(d, "M{} {}", p.x, p.y),
                (Some(before), Some(after)) => {
                    let radius = radius(*before, *p, *after);
                    let (a, b) = (toward(*p, *before, radius), toward(*p, *after, radius));
                    let go = if d.is_empty() { 'M' } else { 'L' };
                    write!(d, "{go}{} {}Q{} {} {} {}", a.x, a.y, p.x, p.y, b.x, b.y)
                }
                (Some(before), None) => {
                    let end = toward(*p, *before, self.trim);
                    write!(d, "L{} {}", end.x, end.y)
                }
            };
        }
        d
    }
}

fn radius(before: Point, at: Point, after: Point) -> i32 {
    CORNER.min(distance(before, at) / 2).min(distance(at, after) / 2)
}

fn toward(p: Point, q: Point, by: i32) -> Point {
    let (x, y) = direction(p, q);
    Point { x: p.x + x * by, y: p.y + y * by }
}

/// The way from one place to another that is above, below or beside it.
fn direction(p: Point, q: Point) -> (i32, i32) {
    ((q.x - p.x).signum(), (q.y - p.y).signum())
}

/// How far one place is from another that is above, below or beside it.
fn distance(p: Point, q: Point) -> i32 {
    (q.x - p.x).abs() + (q.y - p.y).abs()
}

fn length(line: &[Point]) -> i32 {
    line.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
}

/// How far two lines go the same way.
fn common(a: &[Point], b: &[Point]) -> i32 {
    let mut length = 0;
    if a.first() != b.first() {
        return 0;
    }
    for (p, q) in a.windows(2).zip(b.windows(2)) {
        if direction(p[0], p[1]) != direction(q[0], q[1]) {
            break;
        }
        length += distance(p[0], p[1]).min(distance(q[0], q[1]));
        if p[1] != q[1] {
            break;
        }
    }
    length
}

/// What a line is behind a place at a distance from its beginning.
fn behind(line: &[Point], at: i32) -> Vec<Point> {
    let mut left = at;
    for (nth, pair) in line.windows(2).enumerate() {
        let piece = distance(pair[0], pair[1]);
        if left < piece {
            let mut rest = vec![toward(pair[0], pair[1], left)];
            rest.extend_from_slice(&line[nth + 1..]);
            return rest;
        }
        left -= piece;
    }
    Vec::new()
}

/// What a line is before a place at a distance from its beginning.
fn before(line: &[Point], at: i32) -> Vec<Point> {
    let mut left = at;
    let mut points: Vec<Point> = line.first().copied().into_iter().collect();
    for pair in line.windows(2) {
        let piece = distance(pair[0], pair[1]);
        points.push(toward(pair[0], pair[1], piece.min(left)));
        left -= piece;
        if left <= 0 {
            break;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Edge;

    fn line(points: &[(i32, i32)]) -> Vec<Vec<Point>> {
        vec![points.iter().map(|(x, y)| Point { x: *x, y: *y }).collect()]
    }

    #[test]
    fn what_is_shared_is_drawn_once() {
        let edge = |to| Edge { from: 0, to, role: Role::Copy };
        let model = Model { edges: vec![edge(1), edge(2), edge(3), edge(4)], ..Model::default() };
        let drawing = Drawing {
            lines: vec![
                line(&[(0, 0), (10, 0), (10, 100), (50, 100)]),
                line(&[(0, 0), (10, 0), (10, 200), (50, 200)]),
                line(&[(0, 0), (50, 0)]),
                line(&[(0, 0), (10, 0), (10, -40), (50, -40)]),
            ],
            ..Drawing::default()
        };
        let wires = wires(&model, &drawing);
        let drawn: i32 = wires.iter().map(|wire| length(&wire.points)).sum();
        assert_eq!(drawn, 10 + 200 + 40 + 40 + 40 + 40 + 40);
        for (edge, lines) in drawing.lines.iter().enumerate() {
            // From the end of an edge, the pieces lead back to its beginning.
            let mut at = wires.iter().position(|wire| wire.edge == Some(edge));
            let mut whole = 0;
            while let Some(wire) = at.map(|at| &wires[at]) {
                whole += length(&wire.points);
                at = wire.up;
            }
            assert_eq!(whole, length(&lines[0]), "{edge}");
        }
    }
}
