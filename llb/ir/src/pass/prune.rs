//! Removes what no result needs.

use super::Work;
use crate::{Graph, NodeId};

/// Removes nodes that no result needs, and source texts that nothing points into.
pub fn prune(graph: Graph) -> Graph {
    let (live, texts) = graph.needed(graph.roots.iter().filter_map(|r| r.result));
    let Graph { nodes, sources, mut roots } = graph;
    let mut pruned = Graph::new();
    let mut source_of = vec![0; sources.len()];
    for (at, source) in sources.into_iter().enumerate().filter(|(at, _)| texts[*at]) {
        source_of[at] = pruned.add_source(source);
    }
    let mut node_of = vec![NodeId(0); nodes.len()];
    for (at, mut node) in nodes.into_iter().enumerate().filter(|(at, _)| live[*at]) {
        node.each_ref_mut(&mut |r| r.node = node_of[r.node.index()]);
        node.meta.locations.iter_mut().for_each(|l| l.source = source_of[l.source as usize]);
        node_of[at] = pruned.push(node);
    }
    let results = roots.iter_mut().filter_map(|r| r.result.as_mut());
    results
        .chain(pruned.sources.iter_mut().filter_map(|s| s.state.as_mut()))
        .for_each(|r| r.node = node_of[r.node.index()]);
    pruned.roots = roots;
    pruned
}

/// Equivalence: a definition lists what its result needs, so what is removed was in none ([`super::Level::Exact`]).
pub(super) fn run(graph: Graph, work: &mut Work) -> Graph {
    let (live, _) = graph.needed(graph.roots.iter().filter_map(|r| r.result));
    let dead: Vec<_> = graph.iter().filter(|(id, _)| !live[id.index()]).map(|(_, node)| &node.meta).collect();
    let message = match dead.len() {
        0 => return prune(graph),
        1 => "1 vertex removed that no result needs".to_owned(),
        n => format!("{n} vertices removed that no result needs"),
    };
    if work.may(dead, message) { prune(graph) } else { graph }
}
