//! Who uses what.

use std::collections::HashMap;

use crate::{Graph, NodeId, Op, Ref};

/// What of a graph is needed, and how often each output is used by that.
pub(super) struct Uses {
    live: Vec<bool>,
    /// Nodes that the states of texts need, which are left alone.
    apart: Vec<bool>,
    count: HashMap<Ref, usize>,
    slow: Vec<bool>,
}

impl Uses {
    pub fn of(graph: &Graph) -> Uses {
        let results = || graph.roots.iter().filter_map(|root| root.result);
        let states = || graph.sources.iter().filter_map(|text| text.state);
        let (live, _) = graph.needed(results());
        let (apart, _) = graph.needed(states());
        let mut uses = Uses { live, apart, count: HashMap::new(), slow: Vec::with_capacity(graph.len()) };
        for (id, node) in graph.iter() {
            let mut slow = matches!(node.op, Op::Exec(_) | Op::Build(_));
            node.op.each_ref(&mut |r| {
                slow |= uses.slow[r.node.index()];
                if uses.live[id.index()] {
                    *uses.count.entry(r).or_default() += 1;
                }
            });
            uses.slow.push(slow);
        }
        for r in results().chain(states()) {
            *uses.count.entry(r).or_default() += 1;
        }
        uses
    }

    /// Whether a result needs a node, and no text is read from it.
    pub fn is_free(&self, node: NodeId) -> bool {
        self.live[node.index()] && !self.apart[node.index()]
    }

    /// Whether a result needs a node.
    pub fn is_live(&self, node: NodeId) -> bool {
        self.live[node.index()]
    }

    /// How often an output is used; a node that uses it twice counts twice.
    pub fn count(&self, r: Ref) -> usize {
        self.count.get(&r).copied().unwrap_or(0)
    }

    /// An op of something needed is no more.
    pub fn forget(&mut self, op: &Op) {
        op.each_ref(&mut |r| {
            if let Some(count) = self.count.get_mut(&r) {
                *count = count.saturating_sub(1);
            }
        });
    }

    /// There is a further op of something needed.
    pub fn add(&mut self, op: &Op) {
        op.each_ref(&mut |r| *self.count.entry(r).or_default() += 1);
    }

    /// Whether a command must run before a node can.
    pub fn is_slow(&self, node: NodeId) -> bool {
        self.slow[node.index()]
    }
}
