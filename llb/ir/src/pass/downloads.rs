//! Joins what is downloaded under several names.

use std::collections::HashMap;

use super::uses::Uses;
use super::{Work, prune};
use crate::state::{is_pinned, pinned};
use crate::{Graph, NodeId, Op};

/// Joins images of one repository and digest that are named by different tags, or resolved in different ways.
///
/// Equivalence: a digest says all of an image ([`crate::Level::Layers`]); BuildKit keys what it pulls by it
/// (source/containerimage/pull.go, `mainManifestKey`). Obligation: repository, digest, platform and all attributes but
/// `image.resolvemode` are equal.
pub(super) fn run(mut graph: Graph, work: &mut Work) -> Graph {
    let uses = Uses::of(&graph);
    let mut first: HashMap<_, NodeId> = HashMap::new();
    let mut node_of: Vec<NodeId> = Vec::with_capacity(graph.len());
    for at in 0..graph.len() as u32 {
        let id = NodeId(at);
        node_of.push(id);
        let node = graph.node(id);
        let Op::Source(source) = &node.op else { continue };
        if !uses.is_free(id) || !is_pinned(source) {
            continue;
        }
        let mut attrs = source.attrs.clone();
        attrs.remove("image.resolvemode");
        let key = (pinned(&source.identifier), attrs, node.platform.clone(), node.constraints.clone());
        let Some(twin) = first.get(&key).copied() else {
            first.insert(key, id);
            continue;
        };
        let other = graph.node(twin);
        if other.same_vertex(node) {
            continue;
        }
        let message = format!("the same image as `{}`", name_of(other));
        if work.may([&other.meta, &node.meta], message) {
            let meta = node.meta.clone();
            graph.node_mut(twin).meta.join(&meta);
            node_of[id.index()] = twin;
        }
    }
    if node_of.iter().zip(0..).all(|(id, at)| id.0 == at) {
        return graph;
    }
    graph.redirect(&node_of);
    prune(graph)
}

fn name_of(node: &crate::Node) -> &str {
    match &node.op {
        Op::Source(source) => source.identifier.split('@').next().unwrap_or_default(),
        op => op.kind(),
    }
}
