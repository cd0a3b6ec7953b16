//! The order of what stands in one layer.

use std::collections::HashMap;

use super::unit::Shapes;
use super::{Direction, Layout};

/// How often all layers are gone through at most.
const SWEEPS: usize = 24;
/// How many times without a gain are enough.
const PATIENCE: usize = 6;

/// Something that has a place in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A unit.
    Unit(usize),
    /// A net that goes past, with where its line was in the last layer.
    Pass(usize),
}

pub(super) struct Item {
    pub what: What,
    pub layer: usize,
    /// How much of the layer it takes.
    pub size: i32,
    /// The links that end here, as indices into [`Flow::links`].
    pub ins: Vec<usize>,
    /// The links that begin here.
    pub outs: Vec<usize>,
}

/// A stretch of a net's line from one layer to the next.
pub(super) struct Link {
    pub net: usize,
    /// The items that it joins.
    pub from: usize,
    pub to: usize,
    /// Where it meets them, from their beginning.
    pub out: i32,
    pub into: i32,
}

/// What stands in the layers, and the lines between.
pub(super) struct Flow {
    pub items: Vec<Item>,
    pub links: Vec<Link>,
    /// The items of each layer, in order.
    pub layers: Vec<Vec<usize>>,
    /// The item of a net in a layer that it passes.
    pub passes: HashMap<(usize, usize), usize>,
    /// Whether a unit has a frame.
    framed: Vec<bool>,
}

/// Where the lines at a box come from and go to: there, they should be in the same order.
#[derive(Default)]
pub(super) struct Ways {
    /// Of a net, the sum and the number of the places that it goes to first.
    outs: HashMap<usize, (i64, i64)>,
    /// Of a net and a unit that it comes to, where it comes from last.
    ins: HashMap<(usize, usize), i32>,
}

impl Ways {
    /// Where a net goes to first.
    pub fn out(&self, net: usize) -> i64 {
        self.outs.get(&net).map_or(0, |(sum, count)| sum / count)
    }

    /// Where a net that comes to a unit comes from last.
    pub fn into(&self, net: usize, unit: usize) -> i32 {
        self.ins.get(&(net, unit)).copied().unwrap_or(0)
    }
}

impl Flow {
    pub fn new(layout: &Layout, shapes: &Shapes, direction: Direction) -> Self {
        let count = layout.layer_of.iter().max().map_or(0, |last| last + 1);
        let mut flow = Flow {
            items: Vec::with_capacity(layout.units.len()),
            links: Vec::new(),
            layers: vec![Vec::new(); count],
            passes: HashMap::new(),
            framed: layout.units.iter().map(|unit| unit.group.is_some()).collect(),
        };
        for (unit, shape) in shapes.units.iter().enumerate() {
            flow.add(What::Unit(unit), layout.layer_of[unit], shape.reach(direction).1);
        }
        for (at, net) in layout.nets.iter().enumerate().filter(|(_, net)| !net.far) {
            let mut ends: Vec<(usize, usize, i32)> = Vec::new();
            for edge in &net.edges {
                let unit = layout.unit_of[layout.model.edges[*edge].to];
                let across = shapes.ins.get(edge).map_or(0, |port| port.across);
                ends.push((layout.layer_of[unit], unit, across));
            }
            // Downwards, edges to one unit have one end.
            ends.sort_unstable();
            ends.dedup();
            let last = ends.last().map_or(0, |end| end.0);
            let (mut from, mut out) = (net.unit, shapes.outs[at].across);
            let mut ends = ends.into_iter().peekable();
            for layer in layout.layer_of[net.unit] + 1..=last {
                let mut begin = Vec::new();
                while let Some((_, unit, into)) = ends.next_if(|end| end.0 == layer) {
                    begin.push((unit, into));
                }
                for (unit, into) in begin {
                    flow.link(at, from, unit, out, into);
                }
                if layer < last {
                    let pass = flow.add(What::Pass(at), layer, 0);
                    flow.passes.insert((at, layer), pass);
                    flow.link(at, from, pass, out, 0);
                    (from, out) = (pass, 0);
                }
            }
        }
        flow
    }

    fn add(&mut self, what: What, layer: usize, size: i32) -> usize {
        self.items.push(Item { what, layer, size, ins: Vec::new(), outs: Vec::new() });
        self.layers[layer].push(self.items.len() - 1);
        self.items.len() - 1
    }

    fn link(&mut self, net: usize, from: usize, to: usize, out: i32, into: i32) {
        self.items[from].outs.push(self.links.len());
        self.items[to].ins.push(self.links.len());
        self.links.push(Link { net, from, to, out, into });
    }

    /// Where lines come from and go to if items begin at these places.
    pub fn ways(&self, across: &[i32]) -> Ways {
        let mut ways = Ways::default();
        for link in &self.links {
            if let What::Unit(_) = self.items[link.from].what {
                let (sum, count) = ways.outs.entry(link.net).or_default();
                *sum += i64::from(across[link.to] + link.into);
                *count += 1;
            }
            if let What::Unit(unit) = self.items[link.to].what {
                ways.ins.insert((link.net, unit), across[link.from] + link.out);
            }
        }
        ways
    }

    /// How far two neighbours in a layer keep apart.
    pub fn gap(&self, a: usize, b: usize) -> i32 {
        match (self.items[a].what, self.items[b].what) {
            (What::Unit(a), What::Unit(b)) if !self.framed[a] && !self.framed[b] => 16,
            (What::Unit(_), What::Unit(_)) => 26,
            (What::Unit(_), What::Pass(_)) | (What::Pass(_), What::Unit(_)) => 14,
            (What::Pass(_), What::Pass(_)) => 8,
        }
    }

    /// Orders each layer by where the links from the layer before come from, then by where those to the next go, and so
    /// on; the order with the fewest crossings is kept.
    pub fn order(&mut self) {
        let mut best = self.layers.clone();
        let mut fewest = self.crossings();
        let mut waited = 0;
        for sweep in 0..SWEEPS {
            if fewest == 0 || waited > PATIENCE {
                break;
            }
            let count = self.layers.len();
            let mut starts = self.starts();
            for nth in 1..count {
                let layer = if sweep % 2 == 0 { nth } else { count - 1 - nth };
                self.sort_layer(layer, sweep % 2 == 0, &mut starts);
            }
            let crossings = self.crossings();
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&self.layers);
                waited = 0;
            } else {
                waited += 1;
            }
        }
        self.layers = best;
    }

    /// Where each item begins if those of its layer stand one behind the other.
    fn starts(&self) -> Vec<i32> {
        let mut starts = vec![0; self.items.len()];
        self.layers.iter().for_each(|layer| self.stack(layer, &mut starts));
        starts
    }

    fn stack(&self, layer: &[usize], starts: &mut [i32]) {
        let mut at = 0;
        for item in layer {
            starts[*item] = at;
            at += self.items[*item].size + 10;
        }
    }

    /// Sorts a layer by the middle of what its items are linked to. An item without links keeps its place.
    fn sort_layer(&mut self, layer: usize, by_ins: bool, starts: &mut [i32]) {
        let middle = |item: usize| {
            let item = &self.items[item];
            let links = if by_ins { &item.ins } else { &item.outs };
            let at = |link: &usize| {
                let link = &self.links[*link];
                f64::from(if by_ins { starts[link.from] + link.out } else { starts[link.to] + link.into })
            };
            (!links.is_empty()).then(|| links.iter().map(at).sum::<f64>() / links.len() as f64)
        };
        let items = &self.layers[layer];
        let mut linked: Vec<(f64, usize)> = items.iter().filter_map(|item| Some((middle(*item)?, *item))).collect();
        linked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let free: Vec<bool> = items.iter().map(|item| middle(*item).is_none()).collect();
        let mut linked = linked.into_iter();
        let mut sorted = items.clone();
        for (place, free) in sorted.iter_mut().zip(free) {
            if !free && let Some((_, item)) = linked.next() {
                *place = item;
            }
        }
        self.stack(&sorted, starts);
        self.layers[layer] = sorted;
    }

    /// How many pairs of links cross.
    fn crossings(&self) -> usize {
        let starts = self.starts();
        let mut ends: Vec<(usize, i32, i32)> = self
            .links
            .iter()
            .map(|l| (self.items[l.from].layer, starts[l.from] + l.out, starts[l.to] + l.into))
            .collect();
        ends.sort_unstable();
        ends.chunk_by(|a, b| a.0 == b.0).map(inversions).sum()
    }
}

/// How many pairs of links, sorted by their beginnings, end the other way round.
fn inversions(links: &[(usize, i32, i32)]) -> usize {
    let mut ends: Vec<i32> = links.iter().map(|l| l.2).collect();
    ends.sort_unstable();
    ends.dedup();
    // A Fenwick tree counts the ends met so far.
    let mut tree = vec![0_usize; ends.len() + 1];
    let mut crossings = 0;
    for (met, link) in links.iter().enumerate() {
        let rank = ends.binary_search(&link.2).unwrap_or(0) + 1;
        let (mut not_after, mut at) = (0, rank);
        while at > 0 {
            not_after += tree[at];
            at &= at - 1;
        }
        crossings += met - not_after;
        let mut at = rank;
        while at < tree.len() {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_crossings() {
        assert_eq!(inversions(&[(0, 1, 1), (0, 2, 2), (0, 3, 3)]), 0);
        assert_eq!(inversions(&[(0, 1, 3), (0, 2, 2), (0, 3, 1)]), 3);
        assert_eq!(inversions(&[(0, 1, 1), (0, 1, 2), (0, 2, 1)]), 1);
    }
}
