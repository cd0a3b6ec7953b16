//! Joins equal vertices.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::{Options, Work};
use crate::{Exec, Graph, Node, NodeId, Op};

/// Joins all equal vertices.
pub fn share(graph: Graph) -> Graph {
    run(graph, &mut Work::new("share", &Options::default(), 0, &mut ()))
}

/// Joins nodes that are the same vertex, and what is known about them ([`crate::Meta::join`], in the order of the nodes).
/// What a build makes and how its vertices are named stays as it is: backends join equal vertices anyway. But users of the
/// graph see each only once, with everyone who asked for it.
///
/// Equivalence: emission joins equal vertices of one definition, and a backend those of several, by their digests.
///
/// What the states of texts need stays apart: joined with a vertex that is written in the text, the text would come from
/// itself. So does what no result needs, since nobody is to be asked what it wants.
pub(super) fn run(graph: Graph, work: &mut Work) -> Graph {
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
            Some(id) if work.may([&shared.node(id).meta, &node.meta], "one vertex, asked for several times") => {
                shared.node_mut(id).meta.join(&node.meta);
                id
            }
            _ => {
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
    tell_apart(&shared, work);
    shared
}

/// Says of steps that run several times, though on the same files, what sets the commands apart: most often an argument such
/// as `TARGETARCH`, which is in the environment of a command that may not care.
fn tell_apart(graph: &Graph, work: &mut Work) {
    let mut first: HashMap<_, &Node> = HashMap::new();
    for (_, node) in graph.iter() {
        let (Op::Exec(exec), Some(origin)) = (&node.op, node.meta.origins.first()) else { continue };
        let Some(stage) = &origin.stage else { continue };
        let twin = *first.entry((&stage.name, origin.step, origin.span)).or_insert(node);
        if let Op::Exec(other) = &twin.op
            && twin.platform == node.platform
            && let Some(what) = difference(other, exec)
        {
            work.missed([&twin.meta, &node.meta], format!("this command runs several times on the same files: {what}"));
        }
    }
}

/// How two commands on the same files differ, if they do and it is not by much.
fn difference(a: &Exec, b: &Exec) -> Option<String> {
    if a.mounts != b.mounts {
        return None;
    }
    if a.meta.args != b.meta.args {
        return Some("its arguments differ".to_owned());
    }
    let other = b.meta.env.iter().filter(|e| !a.meta.env.contains(e));
    let names: Vec<&str> = other.filter_map(|e| e.split('=').next()).collect();
    (!names.is_empty()).then(|| format!("its environment differs in `{}`", names.join("`, `")))
}

/// Of all that [`Node::same_vertex`] compares.
fn hash(hasher: &RandomState, node: &Node) -> u64 {
    hasher.hash_one((&node.op, &node.platform, &node.constraints, &node.pinned))
}
