//! Makes copies that do not depend on one another side by side.

use std::collections::{BTreeSet, HashMap};

use super::Work;
use super::uses::Uses;
use crate::caps::{self, require};
use crate::shape::{independent, overlap};
use crate::state::{Laws, Of, State, StateId, States, takes_away};
use crate::{Action, Diff, File, FileAction, Graph, Input, Merge, Meta, Node, NodeId, Op, Ref, UserOpt};

/// Lets file operations that follow one another start from the same file system, and merges what they made. A copy from a
/// stage then does not wait for the stages that copies before it take from, and is not made again when one of those changes.
/// Only steps that wait for different commands are taken apart; the rest stays in line.
///
/// Equivalence: laws 1 to 3 of [`crate::state`] ([`crate::Level::Files`]). Obligations: each step is independent of all that
/// it is taken apart from ([`crate::shape::independent`]), which needs that there is no link on the way to what they write;
/// owners are given by id.
pub(super) fn run(graph: Graph, work: &mut Work) -> Graph {
    if !work.caps().supports(caps::MERGE_OP) || !work.caps().supports(caps::DIFF_OP) {
        return graph;
    }
    let uses = Uses::of(&graph);
    let mut states = States::new(Laws::Files, work.known());
    let of = states.add(&graph);
    let mut groups: Vec<Group> = Vec::new();
    for chain in chains(&graph, &uses, &of) {
        groups.extend(Split { graph: &graph, uses: &uses, of: &of, states: &mut states, work }.groups(&chain));
    }
    groups.retain(|group| {
        let metas = group.members().map(|id| &graph.node(id).meta);
        work.may(metas.collect::<Vec<_>>(), format!("made as {} chains side by side", group.segments.len()))
    });
    if groups.is_empty() { graph } else { rebuilt(graph, &groups, work) }
}

/// A line beside another has at most so many steps.
const MOST_STEPS: usize = 64;

/// Steps that start from one file system.
struct Group {
    base: Option<Ref>,
    /// Steps in line, each line beside the others.
    segments: Vec<Vec<NodeId>>,
}

impl Group {
    fn members(&self) -> impl Iterator<Item = NodeId> {
        self.segments.iter().flatten().copied()
    }
}

/// What an op starts from, if its actions follow one another, only the last is kept, and all are of a kind that may be taken
/// apart.
fn base(graph: &Graph, of: &Of, id: NodeId) -> Option<Input> {
    let node = graph.node(id);
    let Op::File(file) = &node.op else { return None };
    let (last, before) = file.actions.split_last()?;
    let in_line = file.actions.iter().enumerate().skip(1).all(|(at, a)| a.input == Input::Action(at as u32 - 1));
    let kept = last.output == Some(0) && before.iter().all(|a| a.output.is_none());
    let outside = file.actions.iter().all(|a| !matches!(a.secondary, Input::Action(_)));
    let usual = node.platform.is_none() && node.pinned.is_empty();
    let fits = in_line && kept && outside && usual && !takes_away(file) && !of.actions(id).is_empty();
    fits.then(|| file.actions.first().map(|a| a.input)).flatten()
}

/// How often an op changes the output `r` or looks up names in it, in short how often it uses it but for what it copies.
fn grows_from(node: &Node, r: Ref) -> usize {
    let Op::File(file) = &node.op else { return 0 };
    let mut count = 0;
    for action in &file.actions {
        action.each_input(&mut |input| count += usize::from(input == Input::Ref(r)));
        count -= usize::from(action.secondary == Input::Ref(r));
    }
    count
}

/// Steps of which each uses the one before it alone, longest possible.
fn chains(graph: &Graph, uses: &Uses, of: &Of) -> Vec<Vec<NodeId>> {
    let mut chains: Vec<Vec<NodeId>> = Vec::new();
    let mut chain_of: HashMap<NodeId, usize> = HashMap::new();
    for (id, node) in graph.iter().filter(|(id, _)| uses.is_free(*id)) {
        let Some(base) = base(graph, of, id) else { continue };
        let mut at = None;
        if let Input::Ref(r) = base {
            at = chain_of.get(&r.node).copied().filter(|_| uses.count(r) == grows_from(node, r));
        }
        let at = at.unwrap_or_else(|| {
            chains.push(Vec::new());
            chains.len() - 1
        });
        chains[at].push(id);
        chain_of.insert(id, at);
    }
    chains
}

struct Split<'s, 'g, 'k, 'w> {
    graph: &'g Graph,
    uses: &'g Uses,
    of: &'g Of,
    states: &'s mut States<'k>,
    work: &'s mut Work<'w>,
}

impl Split<'_, '_, '_, '_> {
    /// Splits a chain into groups that can be done side by side.
    fn groups(&mut self, chain: &[NodeId]) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut rest = chain;
        while !rest.is_empty() {
            // Steps that wait for nothing, ahead of the others, may be in the way of them: then they come first.
            let ahead = rest.iter().take_while(|id| self.waits(**id).is_empty()).count();
            let (mut group, mut taken) = self.group(rest);
            if ahead > 0 && ahead < rest.len() {
                let (other, more) = self.group(&rest[ahead..]);
                if other.segments.len() > group.segments.len() {
                    (group, taken) = (other, ahead + more);
                }
            }
            if let (Some(next), Some(segment)) = (rest.get(taken), group.segments.last()) {
                self.say_why(group.base, segment, *next);
            }
            rest = &rest[taken..];
            if group.segments.len() > 1 {
                groups.push(group);
            }
        }
        groups
    }

    /// The longest group that begins where the chain does, and how many steps it has.
    fn group(&mut self, chain: &[NodeId]) -> (Group, usize) {
        let base = chain.first().and_then(|first| base(self.graph, self.of, *first));
        let base = if let Some(Input::Ref(r)) = base { Some(r) } else { None };
        let mut group = Group { base, segments: vec![Vec::new()] };
        // What the segments before the last one come to, one behind the other, and what the last one waits for.
        let mut before = self.of.result(base);
        let mut waits = BTreeSet::new();
        for (at, id) in chain.iter().enumerate() {
            let mine = self.waits(*id);
            let last = group.segments.len() - 1;
            if mine.is_subset(&waits) || waits.is_empty() {
                if last > 0 {
                    let mut segment = group.segments[last].clone();
                    segment.push(*id);
                    if segment.len() > MOST_STEPS || !self.fits(base, before, &segment) {
                        return (group, at);
                    }
                }
                group.segments[last].push(*id);
                waits.extend(mine);
            } else {
                before = at.checked_sub(1).and_then(|at| chain.get(at)).map_or(before, |id| self.of.get(id.out()));
                if !self.fits(base, before, &[*id]) {
                    return (group, at);
                }
                group.segments.push(vec![*id]);
                waits = mine;
            }
        }
        (group, chain.len())
    }

    /// The inputs of a step that wait for commands.
    fn waits(&self, id: NodeId) -> BTreeSet<NodeId> {
        let Op::File(file) = &self.graph.node(id).op else { return BTreeSet::new() };
        let read =
            file.actions.iter().filter_map(|a| if let Input::Ref(r) = a.secondary { Some(r.node) } else { None });
        read.filter(|node| self.uses.is_slow(*node)).collect()
    }

    /// Whether the changes that a line of steps makes to `base` can be laid over `before` instead.
    fn fits(&mut self, base: Option<Ref>, before: StateId, segment: &[NodeId]) -> bool {
        let by_id = segment.iter().all(|id| self.by_id(*id));
        let changes = self.on(base, segment);
        by_id && self.states.can_replay(before, &changes)
    }

    fn by_id(&self, id: NodeId) -> bool {
        let Op::File(file) = &self.graph.node(id).op else { return false };
        let mut action = file.actions.iter();
        action.all(|a| {
            let owner = match &a.action {
                Action::Copy(c) => &c.owner,
                Action::Mkfile(m) => &m.owner,
                Action::Mkdir(m) => &m.owner,
                Action::Symlink(s) => &s.owner,
                Action::Rm(_) => &None,
            };
            owner.iter().flat_map(|o| [&o.user, &o.group]).flatten().all(|u| matches!(u, UserOpt::Id(_)))
        })
    }

    /// The states after each action of a line of steps, if it started from `base`.
    fn on(&mut self, base: Option<Ref>, segment: &[NodeId]) -> Vec<StateId> {
        let mut changes = Vec::new();
        let mut at = self.of.result(base);
        for id in segment {
            for state in self.of.actions(*id) {
                let State::After(action) = self.states.state(*state) else { continue };
                let action = FileAction { input: at.as_input(), ..(**action).clone() };
                at = self.states.after(action);
                changes.push(at);
            }
        }
        changes
    }

    /// Says why a step cannot be beside those of a line.
    fn say_why(&mut self, base: Option<Ref>, line: &[NodeId], id: NodeId) {
        let meta = &self.graph.node(id).meta;
        if !self.by_id(id) {
            let why = "waits for the step before it: its owner is a name, which must be looked up there";
            return self.work.missed([meta], why);
        }
        let before = &line[line.len().saturating_sub(MOST_STEPS)..];
        let [before, mine] = [self.on(base, before), self.on(base, &[id])];
        let states = &*self.states;
        let effects = |list: &[StateId]| list.iter().map(|s| states.effect(*s)).collect::<Option<Vec<_>>>();
        let why = match (effects(&before), effects(&mine)) {
            (Some(before), Some(mine)) => {
                let pairs = || before.iter().flat_map(|a| mine.iter().map(move |b| (a, b)));
                match pairs().find(|(a, b)| overlap(&a.at, &b.at)) {
                    Some((_, b)) => format!("both write to `/{}`", b.at.join("/")),
                    None if pairs().any(|(a, b)| !independent(states.tree(self.of.result(base)), a, b)) => {
                        "they would make missing directories in different ways".to_owned()
                    }
                    None => return,
                }
            }
            _ => "it is not known whether there is a link on the way to what they write".to_owned(),
        };
        self.work.missed([meta], format!("waits for the step before it: {why}"));
    }
}

/// The graph with the groups taken apart.
fn rebuilt(graph: Graph, groups: &[Group], work: &Work) -> Graph {
    // Steps that start a line anew, and groups by their last step.
    let mut starts: HashMap<NodeId, Option<Ref>> = HashMap::new();
    let mut ends: HashMap<NodeId, &Group> = HashMap::new();
    for group in groups {
        starts.extend(group.segments.iter().skip(1).filter_map(|s| s.first()).map(|id| (*id, group.base)));
        ends.extend(group.members().last().map(|id| (id, group)));
    }
    let Graph { nodes, sources, roots } = graph;
    let mut new = Graph { nodes: Vec::with_capacity(nodes.len()), sources, roots };
    // Where nodes are now; and what those who use a node use, which for the last step of a group is the merge.
    let mut place: Vec<NodeId> = Vec::with_capacity(nodes.len());
    let mut used: Vec<NodeId> = Vec::with_capacity(nodes.len());
    for (at, mut node) in nodes.into_iter().enumerate() {
        let id = NodeId(at as u32);
        if let (Some(base), Op::File(File { actions })) = (starts.get(&id), &mut node.op)
            && let Some(first) = actions.first_mut()
        {
            first.input = (*base).into();
        }
        node.each_ref_mut(&mut |r| r.node = used[r.node.index()]);
        place.push(new.push(node));
        used.push(place[at]);
        if let Some(group) = ends.get(&id) {
            used[at] = merge(&mut new, group, &place, &used, work);
        }
    }
    let results = new.roots.iter_mut().filter_map(|root| root.result.as_mut());
    let states = new.sources.iter_mut().filter_map(|text| text.state.as_mut());
    results.chain(states).for_each(|r| r.node = used[r.node.index()]);
    new
}

/// Adds the merge of a group.
fn merge(new: &mut Graph, group: &Group, place: &[NodeId], used: &[NodeId], work: &Work) -> NodeId {
    let base = group.base.map(|r| Ref { node: used[r.node.index()], ..r });
    let mut whole = Meta::default();
    let mut inputs = Vec::with_capacity(group.segments.len());
    for (at, segment) in group.segments.iter().enumerate() {
        let mut meta = Meta::default();
        for id in segment {
            let step = &new.node(place[id.index()]).meta;
            meta.locations.extend(step.locations.iter().cloned());
            meta.origins.extend(step.origins.iter().cloned());
        }
        whole.join(&meta);
        let Some(last) = segment.last() else { continue };
        let upper = place[last.index()].out();
        inputs.push(match base {
            // The first line brings the base with it, and what starts from nothing is its own change.
            Some(_) if at > 0 => {
                name(&mut meta, "[internal] what a step adds");
                add(new, Op::Diff(Diff { lower: base, upper: Some(upper) }), meta, work).out()
            }
            _ => upper,
        });
    }
    name(&mut whole, "[internal] put together steps that ran side by side");
    add(new, Op::Merge(Merge { inputs }), whole, work)
}

fn name(meta: &mut Meta, name: &str) {
    meta.description.insert("llb.customname".into(), name.to_owned());
}

fn add(new: &mut Graph, op: Op, mut meta: Meta, work: &Work) -> NodeId {
    require(&op, &mut meta, work.caps());
    new.add(op, None, meta)
}
