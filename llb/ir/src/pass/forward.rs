//! Lets copies and mounts read files where they come from.

use std::collections::HashMap;

use super::uses::Uses;
use super::{Work, prune};
use crate::state::{Laws, Of, StateId, States, reads_only};
use crate::{Action, Copy, Graph, Input, MountKind, NodeId, Op, Ref};

/// Lets a copy that takes a path from another stage take it from where that stage has it from: from below steps that do not
/// touch the path, and, if the path was made by a copy or a download, from what that copied. So nothing waits for steps that
/// do not matter to it, and a stage of which nothing else is used goes away, with its image. Read-only mounts are let read
/// from below steps that do not touch their path.
///
/// Equivalence: law 4 of [`crate::state`] ([`crate::Level::Files`]). Obligation: every step on the way is a file operation
/// whose place is known, since no link can be on the way to it; one copy can do what the two did
/// ([`crate::state::carry`]).
pub(super) fn run(mut graph: Graph, work: &mut Work) -> Graph {
    let uses = Uses::of(&graph);
    let known = work.known();
    let mut states = States::new(Laws::Files, known);
    let of = states.add(&graph);
    let mut homes = Homes { of: HashMap::new() };
    let before = work.changes();
    for at in 0..graph.len() as u32 {
        let id = NodeId(at);
        if !uses.is_free(id) {
            continue;
        }
        match &graph.node(id).op {
            Op::File(_) => forward_copies(&mut graph, id, &states, &of, &homes, work),
            Op::Exec(_) => forward_mounts(&mut graph, id, &states, &of, &homes, work),
            _ => {}
        }
        homes.add(&graph, id, &of);
    }
    if work.changes() > before { prune(graph) } else { graph }
}

/// Where a state can be had in the graph.
struct Homes {
    of: HashMap<StateId, Ref>,
}

impl Homes {
    fn add(&mut self, graph: &Graph, id: NodeId, of: &Of) {
        let mut outputs = vec![0];
        match &graph.node(id).op {
            Op::File(file) => outputs = file.actions.iter().filter_map(|a| a.output).collect(),
            Op::Exec(exec) => outputs = exec.mounts.iter().filter_map(|m| m.output).collect(),
            _ => {}
        }
        for output in outputs {
            self.of.entry(of.get(id.output(output))).or_insert(id.output(output));
        }
    }

    fn get(&self, states: &States, id: StateId) -> Option<Ref> {
        self.of.get(&id).or_else(|| self.of.get(&states.whole(id))).copied()
    }
}

fn forward_copies(graph: &mut Graph, id: NodeId, states: &States, of: &Of, homes: &Homes, work: &mut Work) {
    let Op::File(file) = &graph.node(id).op else { return };
    // An op that is not looked into has no states of its actions.
    if of.actions(id).is_empty() {
        return;
    }
    let mut changes: Vec<(usize, Ref, Box<Copy>)> = Vec::new();
    for (at, action) in file.actions.iter().enumerate() {
        let (Action::Copy(copy), Input::Ref(from)) = (&action.action, action.secondary) else { continue };
        let steps = states.read(of.get(from), copy, of.input(id, action.input));
        let found = steps.into_iter().rev().find_map(|step| Some((homes.get(states, step.state)?, step.copy)));
        if let Some((r, copy)) = found
            && r != from
        {
            changes.push((at, r, copy));
        } else if let Some(why) = states.why_not(of.get(from), copy) {
            work.missed([&graph.node(id).meta], format!("`{}` is not read from where it comes from: {why}", copy.src));
        }
    }
    for (at, r, copy) in changes {
        let message = format!("`{}` is read from {}", copy.src, describe(graph, r));
        if !work.may([&graph.node(id).meta, &graph.node(r.node).meta], message) {
            continue;
        }
        let node = graph.node_mut(id);
        node.pinned.clear();
        if let Op::File(file) = &mut node.op
            && let Some(action) = file.actions.get_mut(at)
        {
            action.secondary = Input::Ref(r);
            action.action = Action::Copy(copy);
        }
    }
}

fn forward_mounts(graph: &mut Graph, id: NodeId, states: &States, of: &Of, homes: &Homes, work: &mut Work) {
    let Op::Exec(exec) = &graph.node(id).op else { return };
    let mut changes: Vec<(usize, Ref)> = Vec::new();
    for (at, mount) in exec.mounts.iter().enumerate() {
        let Some(from) = mount.input.filter(|_| mount.kind == MountKind::Bind && reads_only(mount)) else { continue };
        let steps = states.read_path(of.get(from), &mount.selector);
        if let Some(r) = steps.into_iter().rev().find_map(|step| homes.get(states, step.state)) {
            changes.push((at, r));
        }
    }
    for (at, r) in changes {
        let message = format!("a mount is read from {}", describe(graph, r));
        if !work.may([&graph.node(id).meta, &graph.node(r.node).meta], message) {
            continue;
        }
        let node = graph.node_mut(id);
        node.pinned.clear();
        if let Op::Exec(exec) = &mut node.op
            && let Some(mount) = exec.mounts.get_mut(at)
        {
            mount.input = Some(r);
        }
    }
}

fn describe(graph: &Graph, r: Ref) -> String {
    let node = graph.node(r.node);
    match (&node.op, node.meta.origins.first().and_then(|o| o.stage.as_ref())) {
        (Op::Source(source), _) => format!("`{}`", source.identifier),
        (_, Some(stage)) => format!("step {} of stage `{}`", node.meta.origins[0].step, stage.name),
        (op, None) => format!("a {} op", op.kind()),
    }
}
