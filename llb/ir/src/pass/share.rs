//! Joins equal vertices.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::{Graph, Node, NodeId};

/// Joins nodes that are the same vertex, and what is known about them ([`crate::Meta::join`], in the order of the nodes).
/// What a build makes and how its vertices are named stays as it is: backends join equal vertices anyway. But users of the
/// graph see each only once, with everyone who asked for it.
///
/// What the states of texts need stays apart: joined with a vertex that is written in the text, the text would come from
/// itself. So does what no result needs, since nobody is to be asked what it wants.
pub fn share(graph: Graph) -> Graph {
    let (needed, _) = graph.needed(graph.roots.iter().filter_map(|root| root.result));
    let (mut apart, _) = graph.needed(graph.sources.iter().filter_map(|text| text.state));
    apart.iter_mut().zip(needed).for_each(|(apart, needed)| *apart |= !needed);
    let hasher = RandomState::new();
    let mut shared = Graph { nodes: Vec::with_capacity(graph.len()), sources: graph.sources, roots: graph.roots };
    let mut node_of: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    let mut by_hash: HashMap<u64, Vec<NodeId>> = HashMap::with_capacity(graph.nodes.len());
    for mut node in graph.nodes {
        node.each_ref_mut(&mut |r| r.node = node_of[r.node.index()]);
        if apart[node_of.len()] {
            node_of.push(shared.push(node));
            continue;
        }
        let equal = by_hash.entry(hash(&hasher, &node)).or_default();
        let id = match equal.iter().copied().find(|id| shared.node(*id).same_vertex(&node)) {
            Some(id) => {
                shared.node_mut(id).meta.join(&node.meta);
                id
            }
            None => {
                let id = shared.push(node);
                equal.push(id);
                id
            }
        };
        node_of.push(id);
    }
    let results = shared.roots.iter_mut().filter_map(|r| r.result.as_mut());
    results
        .chain(shared.sources.iter_mut().filter_map(|s| s.state.as_mut()))
        .for_each(|r| r.node = node_of[r.node.index()]);
    shared
}

/// Of all that [`Node::same_vertex`] compares.
fn hash(hasher: &RandomState, node: &Node) -> u64 {
    hasher.hash_one((&node.op, &node.platform, &node.constraints, &node.pinned))
}
