//! Where in its layer an item stands.

use std::collections::HashMap;

use super::order::{Flow, What};
use super::unit::{Port, Shapes};
use super::{Direction, Layout};

/// How often all layers are gone through.
const SWEEPS: usize = 14;

/// The beginning of each item, across the way of the layers, from 0: near what it is linked to, in order, and apart.
pub(super) fn across(flow: &Flow) -> Vec<i32> {
    let mut at = vec![0.0; flow.items.len()];
    // To begin with, layers are centred.
    for layer in &flow.layers {
        let offsets = offsets(flow, layer);
        let whole = offsets.last().copied().unwrap_or(0) + layer.last().map_or(0, |last| flow.items[*last].size);
        for (item, offset) in layer.iter().zip(offsets) {
            at[*item] = f64::from(offset) - f64::from(whole) / 2.0;
        }
    }
    let count = flow.layers.len();
    for sweep in 0..SWEEPS {
        let wants = match sweep {
            _ if sweep + 3 >= SWEEPS => Wants::Both,
            _ if sweep % 2 == 0 => Wants::Ins,
            _ => Wants::Outs,
        };
        for nth in 0..count {
            let layer = if sweep % 2 == 0 { nth } else { count - 1 - nth };
            set(flow, layer, wants, &mut at);
        }
    }
    // Now that the others have their places, what has links to one side only, and lines that go past, can be straight.
    for layer in 0..count {
        set(flow, layer, Wants::Straight, &mut at);
    }
    let first = at.iter().copied().fold(f64::INFINITY, f64::min);
    // Rounding keeps order and distances, which are whole numbers.
    let mut whole = vec![0; at.len()];
    for layer in &flow.layers {
        let offsets = offsets(flow, layer);
        for (item, offset) in layer.iter().zip(offsets) {
            whole[*item] = (at[*item] - first - f64::from(offset)).round() as i32 + offset;
        }
    }
    let first = whole.iter().copied().min().unwrap_or(0);
    whole.iter_mut().for_each(|at| *at -= first);
    whole
}

/// Moves the ends of lines along the boxes that they alone meet, so that fewer lines have to bend.
pub(super) fn straighten(layout: &Layout, shapes: &mut Shapes, flow: &mut Flow, across: &[i32], direction: Direction) {
    let edge_of: HashMap<(usize, usize), usize> = (layout.nets.iter().enumerate())
        .flat_map(|(at, net)| {
            net.edges.iter().map(move |edge| ((at, layout.unit_of[layout.model.edges[*edge].to]), *edge))
        })
        .collect();
    let mut count: HashMap<(usize, usize), usize> = HashMap::new();
    flow.links.iter().for_each(|link| *count.entry((link.net, link.from)).or_default() += 1);
    for link in &mut flow.links {
        if count[&(link.net, link.from)] != 1 {
            continue;
        }
        let (from, to) = (across[link.from], across[link.to]);
        let out = match flow.items[link.from].what {
            What::Unit(_) => Some(&mut shapes.outs[link.net]),
            What::Pass(_) => None,
        };
        let into = match flow.items[link.to].what {
            What::Unit(unit) => edge_of.get(&(link.net, unit)).and_then(|edge| shapes.ins.get_mut(edge)),
            What::Pass(_) => None,
        };
        let range = |port: &Option<&mut Port>, at: i32, now: i32| match port {
            Some(port) => (at + port.slack.0, at + port.slack.1),
            None => (at + now, at + now),
        };
        let (a, b) = (range(&out, from, link.out), range(&into, to, link.into));
        let (first, last) = (a.0.max(b.0), a.1.min(b.1));
        if first > last {
            continue;
        }
        let both = (from + link.out + to + link.into) / 2;
        let at = both.clamp(first, last);
        (link.out, link.into) = (at - from, at - to);
        out.into_iter().for_each(|port| port.set(at - from, direction));
        into.into_iter().for_each(|port| port.set(at - to, direction));
    }
}

/// Where the items of a layer begin if they stand as close as they may.
fn offsets(flow: &Flow, layer: &[usize]) -> Vec<i32> {
    let mut at = 0;
    let mut offsets = Vec::with_capacity(layer.len());
    for (nth, item) in layer.iter().enumerate() {
        if let Some(last) = nth.checked_sub(1).map(|nth| layer[nth]) {
            at += flow.items[last].size + flow.gap(last, *item);
        }
        offsets.push(at);
    }
    offsets
}

/// Which links an item wants to be straight.
#[derive(Clone, Copy, PartialEq)]
enum Wants {
    Ins,
    Outs,
    Both,
    /// Its only ones; others want to stay.
    Straight,
}

/// Sets the items of one layer where they want to be, or as near as the others let them: the sum of the squares of the
/// distances is least.
fn set(flow: &Flow, layer: usize, wants: Wants, at: &mut [f64]) {
    let items = &flow.layers[layer];
    let offsets = offsets(flow, items);
    // Runs of items that touch, with what they want together: the sum of weighted wishes, of weights, and the count.
    let mut runs: Vec<(f64, f64, usize)> = Vec::with_capacity(items.len());
    for (item, offset) in items.iter().zip(&offsets) {
        let (wish, weight) = wish(flow, *item, wants, at);
        runs.push(((wish - f64::from(*offset)) * weight, weight, 1));
        while let [.., a, b] = runs.as_slice()
            && a.0 / a.1 >= b.0 / b.1
        {
            let joined = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
            runs.pop();
            runs.pop();
            runs.push(joined);
        }
    }
    let wishes = runs.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, *count));
    for ((item, offset), wish) in items.iter().zip(&offsets).zip(wishes) {
        at[*item] = wish + f64::from(*offset);
    }
}

/// Where an item wants to begin so that its links are straight, and how much. One without links wants to stay.
fn wish(flow: &Flow, item: usize, wants: Wants, at: &[f64]) -> (f64, f64) {
    let i = &flow.items[item];
    let goes_past = matches!(i.what, What::Pass(_));
    let (ins, outs) = match wants {
        Wants::Ins => (true, false),
        Wants::Outs => (false, true),
        Wants::Both => (true, true),
        Wants::Straight if goes_past || i.outs.is_empty() => (true, false),
        Wants::Straight if i.ins.is_empty() => (false, true),
        Wants::Straight => (false, false),
    };
    let (mut sum, mut all) = (0.0, 0.0);
    let mut add = |wish: f64, weight: f64| {
        sum += wish * weight;
        all += weight;
    };
    let pass = |item: usize| matches!(flow.items[item].what, What::Pass(_));
    // A line that goes past several layers should not swerve.
    let weight = |other: usize| match (pass(item), pass(other)) {
        (true, true) => 8.0,
        (true, false) | (false, true) => 2.0,
        (false, false) => 1.0,
    };
    for link in i.ins.iter().filter(|_| ins).map(|link| &flow.links[*link]) {
        add(at[link.from] + f64::from(link.out - link.into), weight(link.from));
    }
    for link in i.outs.iter().filter(|_| outs).map(|link| &flow.links[*link]) {
        add(at[link.to] + f64::from(link.into - link.out), weight(link.to));
    }
    if all == 0.0 { (at[item], if wants == Wants::Straight { 1e6 } else { 0.05 }) } else { (sum / all, all) }
}
