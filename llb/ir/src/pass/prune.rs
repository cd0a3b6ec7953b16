//! Removes what no result needs.

use crate::{Graph, NodeId, Ref};

/// Removes nodes that no result needs, and source texts that nothing points into.
pub fn prune(graph: Graph) -> Graph {
    let mut live = vec![false; graph.len()];
    let mut texts = vec![false; graph.sources.len()];
    let mut found: Vec<Ref> = graph.roots.iter().filter_map(|r| r.result).collect();
    while let Some(r) = found.pop() {
        if std::mem::replace(&mut live[r.node.index()], true) {
            continue;
        }
        let node = graph.node(r.node);
        found.extend(&node.pinned);
        node.op.each_ref(&mut |r| found.push(r));
        for location in &node.meta.locations {
            if !std::mem::replace(&mut texts[location.source as usize], true) {
                found.extend(graph.sources[location.source as usize].state);
            }
        }
    }

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
