//! Makes merges of merges one.

use super::uses::Uses;
use super::{Work, prune};
use crate::{Graph, NodeId, Op};

/// Takes the inputs of a merge into the merge that alone uses it.
///
/// Equivalence: merge is associative ([`crate::Level::Files`]; its cache key changes). Obligation: nothing else uses the
/// inner merge, so that nothing is merged twice.
pub(super) fn run(mut graph: Graph, work: &mut Work) -> Graph {
    let uses = Uses::of(&graph);
    let mut changed = false;
    for at in 0..graph.len() as u32 {
        let id = NodeId(at);
        let Op::Merge(outer) = &graph.node(id).op else { continue };
        if !uses.is_free(id) {
            continue;
        }
        let mut inputs = Vec::with_capacity(outer.inputs.len());
        let mut meta = graph.node(id).meta.clone();
        let mut taken = false;
        for r in &outer.inputs {
            let node = graph.node(r.node);
            match &node.op {
                Op::Merge(inner)
                    if uses.count(*r) == 1
                        && node.constraints == graph.node(id).constraints
                        && work.may([&node.meta, &graph.node(id).meta], "merged in one go with the step above") =>
                {
                    inputs.extend(&inner.inputs);
                    let mut joined = node.meta.clone();
                    joined.join(&meta);
                    meta = joined;
                    taken = true;
                }
                _ => inputs.push(*r),
            }
        }
        if taken {
            let node = graph.node_mut(id);
            node.op = Op::Merge(crate::Merge { inputs });
            node.pinned.clear();
            node.meta = meta;
            changed = true;
        }
    }
    if changed { prune(graph) } else { graph }
}
