//! Does file operations that follow one another in one vertex.

use super::uses::Uses;
use super::{Work, prune};
use crate::state::takes_away;
use crate::{Action, File, FileAction, Graph, Input, Meta, NodeId, Op, Ref, UserOpt};

/// Does the actions of a file op in the op behind it, if that alone uses it: `WORKDIR` and the `COPY` next to it are one
/// vertex, and so are a heredoc and the `COPY` that puts it in place.
///
/// Equivalence: a file system does not show where ops begin ([`crate::Level::Files`]). Obligations: no action takes
/// something away, since what is made and taken away in one op leaves no trace that a merge would carry elsewhere; and an
/// owner that is looked up by name is looked up where it was before.
///
/// At most one of the joined ops copies files that are not written in the recipe. So no copy waits for what another copies,
/// and no file is copied again because another one changed.
pub(super) fn run(mut graph: Graph, work: &mut Work) -> Graph {
    let mut uses = Uses::of(&graph);
    let mut changed = false;
    for at in 0..graph.len() as u32 {
        let id = NodeId(at);
        if !uses.is_free(id) {
            continue;
        }
        while let Some((below, fused, meta)) = below(&graph, id, &uses, work) {
            let message = format!("done in one vertex with {}", what(&graph, below));
            if !work.may([&graph.node(below).meta, &graph.node(id).meta], message) {
                break;
            }
            uses.forget(&graph.node(below).op);
            uses.forget(&graph.node(id).op);
            let node = graph.node_mut(id);
            node.op = Op::File(fused);
            node.pinned.clear();
            node.meta = meta;
            uses.add(&node.op);
            changed = true;
        }
    }
    if changed { prune(graph) } else { graph }
}

fn what(graph: &Graph, id: NodeId) -> &'static str {
    let Op::File(file) = &graph.node(id).op else { return "the step before it" };
    match file.actions.iter().any(|a| matches!(a.input, Input::Ref(_))) {
        true => "the step before it",
        false => "what it copies",
    }
}

/// An op gets at most so many actions.
const MOST_ACTIONS: usize = 128;

/// An op that can be done in the op `id`: which, and both together.
fn below(graph: &Graph, id: NodeId, uses: &Uses, work: &mut Work) -> Option<(NodeId, File, Meta)> {
    let node = graph.node(id);
    let Op::File(upper) = &node.op else { return None };
    let mut inputs: Vec<Ref> = Vec::new();
    node.op.each_ref(&mut |r| inputs.push(r));
    // What is copied first: a heredoc that was taken in is no file from elsewhere any more.
    inputs.sort_by_key(|r| (is_base(upper, *r), *r));
    inputs.dedup();
    for r in inputs {
        let other = graph.node(r.node);
        let Op::File(lower) = &other.op else { continue };
        let mut others = lower.actions.iter().filter_map(|a| a.output).filter(|output| *output != r.output);
        let alone = uses.is_free(r.node) && others.all(|output| uses.count(r.node.output(output)) == 0);
        let alike = (&other.platform, &other.constraints) == (&node.platform, &node.constraints);
        let few = lower.actions.len() + upper.actions.len() <= MOST_ACTIONS;
        if !alone || !alike || !few || !(is_base(upper, r) || is_written(&other.op)) {
            continue;
        }
        let Some(actions) = fused(lower, r, upper, uses) else { continue };
        let fused = match actions {
            Ok(actions) => File { actions },
            Err(why) => {
                work.missed([&other.meta, &node.meta], why);
                continue;
            }
        };
        if takes_away(&fused) {
            continue;
        }
        if copies(lower) && copies(upper) {
            let why =
                "not done in one vertex: if the files of one step change, those of the other need not be copied again";
            work.missed([&other.meta, &node.meta], why);
            continue;
        }
        let mut meta = other.meta.clone();
        meta.join(&node.meta);
        let names = [&other.meta, &node.meta].map(|m| m.description.get(NAME));
        if let [Some(a), Some(b)] = names {
            meta.description.insert(NAME.into(), format!("{a} + {b}"));
        }
        return Some((r.node, fused, meta));
    }
    None
}

/// Whether an action changes the output `r` of another op.
fn is_base(file: &File, r: Ref) -> bool {
    file.actions.iter().any(|a| a.input == Input::Ref(r))
}

/// Whether everything that an op makes is written in it.
fn is_written(op: &Op) -> bool {
    let mut written = true;
    op.each_ref(&mut |_| written = false);
    written
}

/// Whether an op copies files that are not written in it.
fn copies(file: &File) -> bool {
    file.actions.iter().any(|a| matches!(a.action, Action::Copy(_)) && matches!(a.secondary, Input::Ref(_)))
}

/// What progress output shows.
const NAME: &str = "llb.customname";

/// The actions of `lower` and then those of `upper`, which uses the output `r` of the former; or why not. Nothing if `r` is
/// used more than once.
fn fused(lower: &File, r: Ref, upper: &File, uses: &Uses) -> Option<Result<Vec<FileAction>, &'static str>> {
    let last = lower.actions.iter().position(|a| a.output == Some(r.output))? as u32;
    let shift = lower.actions.len() as u32;
    let mut actions: Vec<FileAction> = lower.actions.clone();
    actions.iter_mut().for_each(|a| a.output = None);
    // Where only directories are made, users are who they were before; but in nothing nobody can be looked up.
    let only_dirs = lower.actions.iter().all(|a| matches!(a.action, Action::Mkdir(_)));
    let names = start(lower, last).filter(|input| only_dirs && *input != Input::Scratch);
    let (mut used, mut looked_up) = (0, 0);
    for action in &upper.actions {
        let mut action = action.clone();
        for input in owner_inputs(&mut action).into_iter().filter(|input| **input == Input::Ref(r)) {
            looked_up += 1;
            *input = names.unwrap_or(*input);
        }
        action.each_input_mut(&mut |input| match input {
            Input::Ref(other) if *other == r => {
                used += 1;
                *input = Input::Action(last);
            }
            Input::Action(i) => *i += shift,
            Input::Ref(_) | Input::Scratch => {}
        });
        actions.push(action);
    }
    if names.is_none() && looked_up > 0 {
        return Some(Err(
            "not done in one vertex: the owner is a name that is looked up in what the step before it made",
        ));
    }
    (used == 1 && uses.count(r) == used + looked_up).then_some(Ok(actions))
}

/// What a chain of actions begins with, if that is not an action.
fn start(file: &File, mut at: u32) -> Option<Input> {
    loop {
        match file.actions.get(at as usize)?.input {
            Input::Action(i) if i < at => at = i,
            Input::Action(_) => return None,
            input => return Some(input),
        }
    }
}

/// Where the names of an action's owner are looked up.
fn owner_inputs(action: &mut FileAction) -> Vec<&mut Input> {
    let owner = match &mut action.action {
        Action::Copy(c) => c.owner.as_mut(),
        Action::Mkfile(m) => m.owner.as_mut(),
        Action::Mkdir(m) => m.owner.as_mut(),
        Action::Symlink(s) => s.owner.as_mut(),
        Action::Rm(_) => None,
    };
    let users = owner.into_iter().flat_map(|o| [&mut o.user, &mut o.group]).flatten();
    users
        .filter_map(|user| match user {
            UserOpt::Name { input, .. } => Some(input),
            UserOpt::Id(_) => None,
        })
        .collect()
}
