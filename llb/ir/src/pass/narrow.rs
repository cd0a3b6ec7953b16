//! Narrows what is sent of the client's directories.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::uses::Uses;
use super::{Work, prune};
use crate::caps::{self, require};
use crate::local::{Directory, Filter, View};
use crate::state::reads_only;
use crate::{Action, Graph, Input, Node, NodeId, Op, Ref};

/// Sends of each directory only what a step can see, and sends it once where several steps or targets ask for different
/// parts of it.
///
/// Equivalence: a step sees of a directory what it reads, whatever else is sent; and where what is sent is keyed by content,
/// as copies and read-only mounts are, its cache key does not change ([`crate::Level::Layers`]). Obligation: the new filter
/// lets through everything that each of the steps reads, paths that links among it lead to included; a pattern is added only
/// if every step leaves out what it matches. A directory that is used otherwise, as the base of something or as a result,
/// keeps its filter.
pub(super) fn run(mut graph: Graph, work: &mut Work) -> Graph {
    let uses = Uses::of(&graph);
    let sent = sent(&graph, &uses);
    let mut node_of: Vec<NodeId> = (0..graph.len() as u32).map(NodeId).collect();
    let mut changed = false;
    for group in groups(&graph, &sent) {
        changed |= Narrow { sent: &sent, work, node_of: &mut node_of }.narrow(&mut graph, &group);
    }
    if !changed {
        return graph;
    }
    graph.redirect(&node_of);
    prune(graph)
}

/// A directory, and who reads it.
struct Sent {
    directory: Directory,
    /// Someone uses it otherwise.
    fixed: bool,
    views: Vec<(NodeId, View)>,
}

fn sent(graph: &Graph, uses: &Uses) -> BTreeMap<NodeId, Sent> {
    let mut sent: BTreeMap<NodeId, Sent> = BTreeMap::new();
    for (id, node) in graph.iter().filter(|(id, _)| uses.is_free(*id)) {
        if let Op::Source(source) = &node.op
            && let Some(directory) = Directory::of(source)
        {
            sent.insert(id, Sent { directory, fixed: false, views: Vec::new() });
        }
    }
    for (id, node) in graph.iter().filter(|(id, _)| uses.is_live(*id)) {
        each_use(node, &mut |r, view| {
            let Some(sent) = sent.get_mut(&r.node) else { return };
            match view {
                Some(view) if sent.directory.filter.lets_through(&view) => sent.views.push((id, view)),
                _ => sent.fixed = true,
            }
        });
    }
    for root in graph.roots.iter().filter_map(|root| root.result) {
        if let Some(sent) = sent.get_mut(&root.node) {
            sent.fixed = true;
        }
    }
    sent
}

/// Calls `f` with each reference of a node, and with what is read of it if it is only read.
fn each_use(node: &Node, f: &mut dyn FnMut(Ref, Option<View>)) {
    match &node.op {
        Op::File(file) => {
            for action in &file.actions {
                let mut inputs = Vec::new();
                action.each_input(&mut |input| inputs.push(input));
                // What a copy reads stands last.
                if let (Action::Copy(copy), Some(Input::Ref(from))) = (&action.action, inputs.last()) {
                    f(*from, Some(View::of_copy(copy)));
                    inputs.pop();
                }
                for input in inputs {
                    if let Input::Ref(r) = input {
                        f(r, None);
                    }
                }
            }
        }
        Op::Exec(exec) => {
            for mount in &exec.mounts {
                if let Some(r) = mount.input {
                    f(r, reads_only(mount).then(|| View::of_path(&mount.selector)));
                }
            }
        }
        op => op.each_ref(&mut |r| f(r, None)),
    }
}

/// The directories that may be narrowed, those together that are one directory and have the same patterns.
fn groups(graph: &Graph, sent: &BTreeMap<NodeId, Sent>) -> Vec<Vec<NodeId>> {
    let mut groups: Vec<Vec<NodeId>> = Vec::new();
    let mut group_of = HashMap::new();
    for (id, Sent { directory, .. }) in sent.iter().filter(|(_, sent)| !sent.fixed) {
        let mut exclude = directory.filter.exclude.clone();
        if directory.filter.is_plain() {
            exclude.sort_unstable();
        }
        let node = graph.node(*id);
        let key = (directory.bare.clone(), exclude, node.platform.clone(), node.constraints.clone());
        let at = *group_of.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(*id);
    }
    groups
}

/// Makes one source of a group.
struct Narrow<'p, 'w> {
    sent: &'p BTreeMap<NodeId, Sent>,
    work: &'p mut Work<'w>,
    node_of: &'p mut [NodeId],
}

impl Narrow<'_, '_> {
    fn narrow(&mut self, graph: &mut Graph, members: &[NodeId]) -> bool {
        let Narrow { sent, work, node_of } = self;
        let [first, others @ ..] = members else { return false };
        let Some(Sent { directory, .. }) = sent.get(first) else { return false };
        let old = &directory.filter;
        let views: Vec<&(NodeId, View)> = members.iter().filter_map(|id| sent.get(id)).flat_map(|s| &s.views).collect();
        let mut paths: Option<BTreeSet<String>> = Some(BTreeSet::new());
        for (_, view) in &views {
            paths = paths.zip(view.paths.as_ref()).map(|(mut all, paths)| {
                all.extend(paths.iter().cloned());
                all
            });
        }
        let mut new = Filter { follow: paths.unwrap_or_default(), exclude: old.exclude.clone() };
        if !work.caps().supports(caps::SOURCE_LOCAL_FOLLOW_PATHS) {
            new.follow.clone_from(&old.follow);
        }
        if old.is_plain() && work.caps().supports(caps::SOURCE_LOCAL_EXCLUDE_PATTERNS) {
            let common = views.first().map_or(&[][..], |(_, view)| &view.exclude);
            for pattern in common.iter().filter(|p| views.iter().all(|(_, view)| view.exclude.contains(p))) {
                if !new.exclude.contains(pattern) {
                    new.exclude.push(pattern.clone());
                }
            }
        }
        if let Some((reader, _)) = views.iter().find(|(_, view)| view.paths.is_none() && view.exclude.is_empty()) {
            work.missed([&graph.node(*reader).meta], "the whole directory is sent, since this step reads all of it");
        }
        if new == *old && others.is_empty() {
            return false;
        }
        let all = members.iter().chain(views.iter().map(|(id, _)| id));
        let metas: Vec<_> = all.map(|id| &graph.node(*id).meta).collect();
        if !work.may(metas, message(&new, others.len())) {
            return false;
        }
        for other in others {
            node_of[other.index()] = *first;
            let meta = graph.node(*other).meta.clone();
            graph.node_mut(*first).meta.join(&meta);
        }
        let node = graph.node_mut(*first);
        node.op = Op::Source(directory.with(&new));
        for cap in [caps::SOURCE_LOCAL_FOLLOW_PATHS, caps::SOURCE_LOCAL_EXCLUDE_PATTERNS] {
            node.meta.caps.remove(cap);
        }
        require(&node.op, &mut node.meta, work.caps());
        true
    }
}

fn message(filter: &Filter, others: usize) -> String {
    let what = match (filter.follow.first(), filter.follow.len()) {
        (None, _) => "the directory".to_owned(),
        (Some(path), 1) => format!("only `{path}`"),
        (Some(path), n) => format!("only `{path}` and {} more", n - 1),
    };
    let without = match filter.exclude.len() {
        0 => "",
        _ => ", without what is excluded,",
    };
    match others {
        0 => format!("{what}{without} is sent"),
        n => format!("{what}{without} is sent, once instead of {} times", n + 1),
    }
}
