//! Local sources of several targets in one graph.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rbc_ir::{Graph, NodeId, Op};

/// Every target calls its context `context`. In one graph a local source is called by the directory that it is, so that
/// those of the same directory are one, and those of different ones are not. Gives the directories by their new names. A
/// graph that is taken into another (the result of one target as a context of the next) must be treated before.
pub fn put(graph: &mut Graph, locals: &BTreeMap<String, PathBuf>) -> BTreeMap<String, PathBuf> {
    let mut placed = BTreeMap::new();
    for at in 0..graph.len() as u32 {
        let Op::Source(source) = &mut graph.node_mut(NodeId(at)).op else { continue };
        let Some(name) = source.identifier.strip_prefix("local://") else { continue };
        let Some(path) = locals.get(name) else { continue };
        // What does not exist keeps its name, and is missed when it is read.
        let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
        let name = whole.to_string_lossy().into_owned();
        source.identifier = format!("local://{name}");
        placed.insert(name, whole);
    }
    placed
}
