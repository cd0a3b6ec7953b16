//! File systems as terms: how each file system of a graph comes about, equal ones made one.
//!
//! A [`State`] is a file system. Commands, sources and whatever else cannot be looked into are terms whose operands are
//! states; two are equal if op and operands are. File operations are looked into, one action at a time, and some laws bring
//! states that are provably the same file system to the same term. The laws are here and nowhere else: [`crate::equiv`]
//! compares graphs by them, and the passes use them to know what they may do. What speaks against a wrong law is the
//! executor of `rbc-model`, which knows none.
//!
//! The laws, where `a; b` is the file system `a` after the action `b`, and `x + c` is `x` with the change `c` laid over it:
//!
//! 1. *Merge* lays changes over one another: `merge(x, y)` is `x + c1 + c2 ...` with the changes that made `y`. It is
//!    associative, and scratch is its unit.
//! 2. *Diff* of a file system and one that it was made from is the changes between. `diff(scratch, x)` is `x`.
//! 3. *Replay*: if `c` is the change that `b` made to `x`, then `x + c` is `x; b`. So it is also if `c` is the change that
//!    `b` made to `w`, and `x` is `w` after actions that are independent of `b` ([`crate::shape::independent`]).
//! 4. *Reading*: who reads a path of `x; b` may read it of `x` if `b` writes elsewhere, and there is no link on the way.
//!    If `b` is a copy that made exactly this path, a copy that reads it may read what `b` read ([`carry`]).
//! 5. *Names*: a directory that is made in a file system does not change who a user is there.
//! 6. *Contexts*: of a directory of the client, a step sees what it reads, whatever else is sent ([`crate::local`]).
//! 7. *Pins*: an image with a digest is the same under every tag.

use std::collections::HashMap;
use std::sync::Arc;

use rbc_context::path;

use crate::local::{Directory, View};
use crate::shape::{self, Effect, Place, Shape, Taken, Tree, apply, independent, is_pattern, overlap};
use crate::{
    Action, Build, ChownOpt, Copy, Diff, Exec, File, FileAction, Graph, Input, Merge, Mount, MountKind, Node, NodeId,
    Op, Passthrough, Platform, Ref, Source, UserOpt,
};

/// A file system, by its number in [`States`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StateId(pub u32);

/// The empty file system.
pub(crate) const SCRATCH: StateId = StateId(0);

impl StateId {
    /// States stand in the place of nodes in the ops of terms.
    pub fn as_ref(self) -> Ref {
        NodeId(self.0).out()
    }

    fn of(r: Ref) -> StateId {
        StateId(r.node.0)
    }

    fn of_input(input: Input) -> StateId {
        match input {
            Input::Ref(r) => StateId::of(r),
            Input::Scratch | Input::Action(_) => SCRATCH,
        }
    }

    fn as_option(self) -> Option<Ref> {
        (self != SCRATCH).then(|| self.as_ref())
    }

    /// Likewise, in the place of an input of a file action.
    pub fn as_input(self) -> Input {
        self.as_option().into()
    }
}

/// How a file system comes about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Scratch,
    /// An output of an op that is not looked into.
    Vertex(Box<Vertex>),
    /// After a file action, whose inputs are states.
    After(Box<FileAction>),
    /// With the change that made `change` laid over it.
    Over {
        below: StateId,
        change: StateId,
    },
}

/// An op whose inputs are states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Vertex {
    pub op: Op,
    pub platform: Option<Arc<Platform>>,
    pub constraints: Option<Vec<String>>,
    pub pinned: Vec<Ref>,
    pub output: u32,
}

/// How far terms are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Laws {
    /// Only contexts and pins (6, 7): vertices stay what they are, and so do layers and cache keys.
    Layers,
    /// All of them.
    Files,
}

/// What is known of file systems that come from elsewhere. A table of images by their identifiers and platforms; what is
/// not in it may be anything.
#[derive(Clone, Debug, Default)]
pub struct Known(HashMap<(String, Option<Platform>), Tree>);

impl Known {
    /// Says what a source holds, by its identifier (`docker-image://docker.io/library/alpine:3.20@sha256:...`) and platform.
    /// What the tree says must be so, and what it leaves open may be anything.
    pub fn insert(&mut self, identifier: impl Into<String>, platform: Option<Platform>, tree: Tree) {
        self.0.insert((pinned(&identifier.into()), platform), tree);
    }

    fn get(&self, source: &Source, platform: Option<&Platform>) -> Option<&Tree> {
        self.0.get(&(pinned(&source.identifier), platform.cloned()))
    }
}

/// Changes that a law may look at, one by one. Where more are in the way, states are not looked into.
const MOST_CHANGES: usize = 256;

struct Entry {
    state: Arc<State>,
    /// What the last change was made to.
    below: StateId,
    /// How many changes made it.
    changes: usize,
    /// What is known of it.
    tree: Tree,
    /// What the last change did, if that is known.
    effect: Option<Effect>,
}

/// All states of one graph or of several.
pub(crate) struct States<'k> {
    laws: Laws,
    known: &'k Known,
    list: Vec<Entry>,
    ids: HashMap<Arc<State>, StateId>,
    /// Of a directory of the client as a step sees it, the first one that lets all of that through.
    whole: HashMap<StateId, StateId>,
    /// Sources as directories of the client, as far as looked at.
    directories: HashMap<StateId, Option<Arc<Directory>>>,
}

/// The states of one graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Of {
    outputs: HashMap<Ref, StateId>,
    /// Of each file op that is looked into, the state after each action.
    actions: HashMap<NodeId, Vec<StateId>>,
}

impl Of {
    /// The state of an output.
    pub fn get(&self, r: Ref) -> StateId {
        self.outputs.get(&r).copied().unwrap_or(SCRATCH)
    }

    /// The state of a result.
    pub fn result(&self, r: Option<Ref>) -> StateId {
        r.map_or(SCRATCH, |r| self.get(r))
    }

    /// The states after each action of a file op that is looked into; nothing for another op.
    pub fn actions(&self, node: NodeId) -> &[StateId] {
        self.actions.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The state of an input of a file op.
    pub fn input(&self, node: NodeId, input: Input) -> StateId {
        match input {
            Input::Scratch => SCRATCH,
            Input::Ref(r) => self.get(r),
            Input::Action(i) => self.actions(node).get(i as usize).copied().unwrap_or(SCRATCH),
        }
    }
}

impl<'k> States<'k> {
    pub fn new(laws: Laws, known: &'k Known) -> Self {
        let scratch =
            Entry { state: Arc::new(State::Scratch), below: SCRATCH, changes: 0, tree: Tree::empty(), effect: None };
        let ids = HashMap::from([(scratch.state.clone(), SCRATCH)]);
        States { laws, known, list: vec![scratch], ids, whole: HashMap::new(), directories: HashMap::new() }
    }

    pub fn state(&self, id: StateId) -> &State {
        &self.entry(id).state
    }

    fn entry(&self, id: StateId) -> &Entry {
        &self.list[id.0 as usize]
    }

    /// What is known of a file system.
    pub fn tree(&self, id: StateId) -> &Tree {
        &self.entry(id).tree
    }

    /// What the last change of a file system did; `None` if it may have changed anything.
    pub fn effect(&self, id: StateId) -> Option<&Effect> {
        self.entry(id).effect.as_ref()
    }

    /// What the last change of a file system was made to.
    pub fn below(&self, id: StateId) -> StateId {
        self.entry(id).below
    }

    /// The states of every output of a graph.
    pub fn add(&mut self, graph: &Graph) -> Of {
        let mut of = Of::default();
        for (id, node) in graph.iter() {
            self.node(id, node, &mut of);
        }
        of
    }

    fn intern(&mut self, state: State, make: impl FnOnce(&Self) -> Entry) -> StateId {
        if let Some(id) = self.ids.get(&state) {
            return *id;
        }
        let id = StateId(self.list.len() as u32);
        let entry = make(self);
        let state = Arc::new(state);
        self.list.push(Entry { state: state.clone(), ..entry });
        self.ids.insert(state, id);
        id
    }

    /// A state that nothing is known of but its term.
    fn opaque(&mut self, state: State, below: StateId, tree: Tree) -> StateId {
        self.intern(state, |s| Entry {
            state: Arc::new(State::Scratch),
            below,
            changes: s.entry(below).changes + 1,
            tree,
            effect: None,
        })
    }

    fn node(&mut self, id: NodeId, node: &Node, of: &mut Of) {
        if self.laws == Laws::Files {
            match &node.op {
                Op::File(file) if !takes_away(file) => return self.file(id, file, of),
                Op::Merge(merge) => {
                    let state = merge.inputs.iter().fold(SCRATCH, |below, r| self.merge(below, of.get(*r)));
                    of.outputs.insert(id.out(), state);
                    return;
                }
                Op::Diff(diff) => {
                    let (lower, upper) = (of.result(diff.lower), of.result(diff.upper));
                    let state = self.diff(lower, upper);
                    of.outputs.insert(id.out(), state);
                    return;
                }
                Op::Passthrough(p) => {
                    for (output, input) in p.outputs.iter().enumerate() {
                        let state = p.inputs.get(*input as usize).map_or(SCRATCH, |r| of.get(*r));
                        of.outputs.insert(id.output(output as u32), state);
                    }
                    return;
                }
                Op::File(_) | Op::Source(_) | Op::Exec(_) | Op::Build(_) => {}
            }
        }
        self.vertex(id, node, of);
    }

    /// A node that is not looked into.
    fn vertex(&mut self, id: NodeId, node: &Node, of: &mut Of) {
        let op = self.lift(&node.op, of);
        let mut outputs: Vec<(u32, StateId)> = match &op {
            Op::Exec(e) => {
                let kept = e.mounts.iter().filter(|m| m.kind == MountKind::Bind);
                kept.filter_map(|m| Some((m.output?, m.input.map_or(SCRATCH, StateId::of)))).collect()
            }
            Op::File(f) => f.actions.iter().filter_map(|a| Some((a.output?, SCRATCH))).collect(),
            Op::Passthrough(p) => (0..p.outputs.len() as u32).map(|output| (output, SCRATCH)).collect(),
            Op::Source(_) | Op::Merge(_) | Op::Diff(_) | Op::Build(_) => vec![(0, SCRATCH)],
        };
        outputs.sort_unstable();
        let tree = match &op {
            Op::Source(source) => self.source_tree(source, node.platform.as_deref()),
            _ => Tree::unknown(),
        };
        // How inputs are numbered names a vertex, and is nothing to its files.
        let pinned = match self.laws {
            Laws::Layers => node.pinned.iter().map(|r| of.get(*r).as_ref()).collect(),
            Laws::Files => Vec::new(),
        };
        let vertex =
            Vertex { op, platform: node.platform.clone(), constraints: node.constraints.clone(), pinned, output: 0 };
        for (output, below) in outputs {
            let state = State::Vertex(Box::new(Vertex { output, ..vertex.clone() }));
            let state = self.opaque(state, below, tree.clone());
            of.outputs.insert(id.output(output), state);
        }
    }

    fn source_tree(&self, source: &Source, platform: Option<&Platform>) -> Tree {
        if let Some(tree) = self.known.get(source, platform) {
            return tree.clone();
        }
        let download = source.identifier.starts_with("https://") || source.identifier.starts_with("http://");
        match source.attrs.get("http.filename") {
            Some(name) if download && !name.is_empty() && !name.contains('/') && name != "." && name != ".." => {
                Tree::listed([(name.as_str(), shape::Kind::File)])
            }
            _ => Tree::unknown(),
        }
    }

    /// The op with states for its inputs, and its sources as who reads them sees them.
    fn lift(&mut self, op: &Op, of: &Of) -> Op {
        let option = |r: Option<Ref>| of.result(r).as_option();
        match op {
            Op::Source(source) => Op::Source(Source { identifier: pinned(&source.identifier), attrs: attrs(source) }),
            Op::Exec(exec) => {
                let mounts = exec.mounts.iter().map(|m| self.mount(m, of)).collect();
                Op::Exec(Box::new(Exec { mounts, ..(**exec).clone() }))
            }
            Op::File(file) => {
                let mut file = file.clone();
                for action in &mut file.actions {
                    action.each_input_mut(&mut |input| {
                        if let Input::Ref(r) = input {
                            *input = option(Some(*r)).into();
                        }
                    });
                    if let (Action::Copy(copy), Input::Ref(from)) = (&action.action, action.secondary) {
                        action.secondary = self.seen(StateId::of(from), &View::of_copy(copy)).as_input();
                    }
                }
                Op::File(File { actions: file.actions })
            }
            Op::Merge(merge) => Op::Merge(Merge { inputs: merge.inputs.iter().map(|r| of.get(*r).as_ref()).collect() }),
            Op::Diff(diff) => Op::Diff(Diff { lower: option(diff.lower), upper: option(diff.upper) }),
            Op::Build(build) => {
                let inputs = build.inputs.iter().map(|(name, r)| (name.clone(), option(*r))).collect();
                Op::Build(Box::new(Build { builder: option(build.builder), inputs, ..(**build).clone() }))
            }
            Op::Passthrough(p) => {
                let inputs = p.inputs.iter().map(|r| of.get(*r).as_ref()).collect();
                Op::Passthrough(Passthrough { inputs, ..p.clone() })
            }
        }
    }

    fn mount(&mut self, mount: &Mount, of: &Of) -> Mount {
        let mut input = of.result(mount.input);
        if reads_only(mount) {
            let place = path::clean(&format!("/{}", mount.selector));
            if self.laws == Laws::Files && mount.kind == MountKind::Bind {
                input = self.read_path(input, &place).last().map_or(input, |step| step.state);
            }
            input = self.seen(input, &View::of_path(&place));
        }
        Mount { input: input.as_option(), ..mount.clone() }
    }

    /// A directory of the client as a step sees it (law 6). Other states stay as they are.
    fn seen(&mut self, id: StateId, view: &View) -> StateId {
        let State::Vertex(vertex) = self.state(id) else { return id };
        let Op::Source(source) = &vertex.op else { return id };
        let vertex = (**vertex).clone();
        let directory = match self.directories.get(&id) {
            Some(known) => known.clone(),
            None => {
                let read = Directory::of(source).map(Arc::new);
                self.directories.insert(id, read.clone());
                read
            }
        };
        let Some(source) = directory.and_then(|d| d.seen_by(view)) else { return id };
        let tree = self.tree(id).clone();
        let state = State::Vertex(Box::new(Vertex { op: Op::Source(source), ..vertex }));
        let seen = self.opaque(state, SCRATCH, tree);
        self.whole.entry(seen).or_insert(id);
        seen
    }

    /// What a state is a part of that a step sees; other states as they are.
    pub fn whole(&self, id: StateId) -> StateId {
        self.whole.get(&id).copied().unwrap_or(id)
    }

    fn file(&mut self, id: NodeId, file: &File, of: &mut Of) {
        let mut after: Vec<StateId> = Vec::with_capacity(file.actions.len());
        for action in &file.actions {
            let mut lifted = action.clone();
            lifted.output = None;
            lifted.each_input_mut(&mut |input| {
                let state = match *input {
                    Input::Scratch => SCRATCH,
                    Input::Ref(r) => of.get(r),
                    Input::Action(i) => after.get(i as usize).copied().unwrap_or(SCRATCH),
                };
                *input = state.as_input();
            });
            let state = self.after(lifted);
            after.push(state);
            if let Some(output) = action.output {
                of.outputs.insert(id.output(output), state);
            }
        }
        of.actions.insert(id, after);
    }

    /// The state after an action whose inputs are states.
    pub fn after(&mut self, mut action: FileAction) -> StateId {
        let below = StateId::of_input(action.input);
        if let Some(owner) = owner_mut(&mut action.action) {
            for user in [&mut owner.user, &mut owner.group].into_iter().flatten() {
                if let UserOpt::Name { input, .. } = user {
                    *input = self.without_mkdirs(StateId::of_input(*input)).as_input();
                }
            }
        }
        if let Action::Copy(copy) = &action.action {
            let read = self.read(StateId::of_input(action.secondary), copy, below);
            let (mut from, mut copy) = (StateId::of_input(action.secondary), copy.clone());
            if let Some(step) = read.into_iter().last() {
                (from, copy) = (step.state, step.copy);
            }
            action.secondary = self.seen(from, &View::of_copy(&copy)).as_input();
            action.action = Action::Copy(copy);
        }
        let from = StateId::of_input(action.secondary);
        let effect = apply(&action.action, self.tree(below), self.tree(from));
        self.intern(State::After(Box::new(action)), |s| Entry {
            state: Arc::new(State::Scratch),
            below,
            changes: s.entry(below).changes + 1,
            tree: effect.as_ref().map_or_else(Tree::unknown, |e| e.tree.clone()),
            effect,
        })
    }

    /// What users are looked up in: a state from which directories that were made are left out (law 5). Scratch is none, in it
    /// nobody can be looked up.
    pub fn without_mkdirs(&self, mut id: StateId) -> StateId {
        for _ in 0..MOST_CHANGES {
            match self.state(id) {
                State::After(action) if matches!(action.action, Action::Mkdir(_)) && self.below(id) != SCRATCH => {
                    id = self.below(id);
                }
                _ => break,
            }
        }
        id
    }

    /// The changes that made a state, first to last; `None` if there are too many.
    fn changes(&self, mut id: StateId) -> Option<Vec<StateId>> {
        if self.entry(id).changes > MOST_CHANGES {
            return None;
        }
        let mut changes = Vec::with_capacity(self.entry(id).changes);
        while id != SCRATCH {
            changes.push(match self.state(id) {
                State::Over { change, .. } => *change,
                _ => id,
            });
            id = self.below(id);
        }
        changes.reverse();
        Some(changes)
    }

    /// `below + changes of upper` (law 1).
    fn merge(&mut self, below: StateId, upper: StateId) -> StateId {
        match self.changes(upper) {
            Some(changes) => self.lay(below, &changes),
            None => {
                let op = Op::Merge(Merge { inputs: vec![below.as_ref(), upper.as_ref()] });
                self.lump(op)
            }
        }
    }

    /// `diff(lower, upper)` (law 2).
    fn diff(&mut self, lower: StateId, upper: StateId) -> StateId {
        if lower == upper {
            return SCRATCH;
        }
        let above = self.entry(upper).changes.checked_sub(self.entry(lower).changes);
        if let (Some(above), Some(changes)) = (above, self.changes(upper))
            && (0..above).fold(upper, |id, _| self.below(id)) == lower
        {
            return self.lay(SCRATCH, &changes[changes.len() - above..]);
        }
        self.lump(Op::Diff(Diff { lower: lower.as_option(), upper: upper.as_option() }))
    }

    /// A merge or diff that is not looked into.
    fn lump(&mut self, op: Op) -> StateId {
        let vertex = Vertex { op, platform: None, constraints: None, pinned: Vec::new(), output: 0 };
        self.opaque(State::Vertex(Box::new(vertex)), SCRATCH, Tree::unknown())
    }

    /// `x + changes` (law 3). Changes of which each was made to what the one before it made are laid over `x` together.
    fn lay(&mut self, mut x: StateId, changes: &[StateId]) -> StateId {
        let mut rest = changes;
        while let [first, behind @ ..] = rest {
            let mut last = *first;
            let linked = behind.iter().take_while(|next| self.below(**next) == std::mem::replace(&mut last, **next));
            let (chain, behind) = rest.split_at(1 + linked.count());
            rest = behind;
            if self.below(*first) == x {
                x = chain.last().copied().unwrap_or(x);
            } else if self.can_replay(x, chain) {
                for change in chain {
                    let State::After(action) = self.state(*change) else { continue };
                    let action = FileAction { input: x.as_input(), ..(**action).clone() };
                    x = self.after(action);
                }
            } else {
                for change in chain {
                    x = self.over(x, *change);
                }
            }
        }
        x
    }

    fn over(&mut self, below: StateId, change: StateId) -> StateId {
        let from_nothing = self.below(change) == SCRATCH && matches!(self.state(change), State::After(_));
        self.intern(State::Over { below, change }, |s| Entry {
            state: Arc::new(State::Scratch),
            below,
            changes: s.entry(below).changes + 1,
            // Only from nothing it is sure that nothing is taken away.
            tree: if from_nothing { s.tree(below).under(s.tree(change)) } else { Tree::unknown() },
            effect: None,
        })
    }

    /// Whether `x` was made from what the first of `chain` was made to, by actions that are independent of all of `chain`.
    pub fn can_replay(&self, x: StateId, chain: &[StateId]) -> bool {
        let Some(first) = chain.first() else { return false };
        let base = self.below(*first);
        let mut at = x;
        let mut between = Vec::new();
        while at != base {
            let (State::After(_), Some(effect)) = (self.state(at), self.effect(at)) else { return false };
            if between.len() == MOST_CHANGES {
                return false;
            }
            between.push(effect);
            at = self.below(at);
        }
        chain.iter().all(|change| {
            let (State::After(_), Some(effect)) = (self.state(*change), self.effect(*change)) else { return false };
            between.iter().all(|other| independent(self.tree(base), other, effect))
        })
    }

    /// Where a copy onto `onto` may read instead of from `from`, step by step (law 4). Each step is as good as the one
    /// before it.
    pub fn read(&self, from: StateId, copy: &Copy, onto: StateId) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let (mut state, mut copy) = (from, Box::new(copy.clone()));
        while steps.len() < MOST_CHANGES && !(copy.allow_wildcard && is_pattern(&copy.src)) {
            let place = Place::of(&copy.src).parts;
            let Some((below, effect)) = self.last_change(state, &place) else { break };
            if !overlap(&effect.at, &place) {
                state = below;
            } else if let Some((from, carried)) = self.carried(state, effect, &place, &copy, onto) {
                (state, copy) = (from, carried);
            } else {
                break;
            }
            steps.push(Step { state, copy: copy.clone() });
        }
        steps
    }

    /// Why a copy that reads what a file action made must read it there; nothing if it reads something else.
    pub fn why_not(&self, from: StateId, copy: &Copy) -> Option<&'static str> {
        if copy.allow_wildcard && is_pattern(&copy.src) {
            return Some("it is a pattern");
        }
        let change = match self.state(from) {
            State::After(_) => from,
            State::Over { change, .. } => *change,
            State::Scratch | State::Vertex(_) => return None,
        };
        let place = Place::of(&copy.src).parts;
        match (self.effect(change), self.last_change(from, &place)) {
            (None, _) => Some("it is not known where the step before puts what it makes"),
            (_, None) => Some("it is not known whether there is a link on the way to it"),
            (_, Some((_, effect))) if effect.at != place => Some("a part of it comes from elsewhere"),
            _ => Some("one copy cannot do what the two do"),
        }
    }

    /// Where a path may be read instead, step by step: below changes elsewhere (law 4).
    pub fn read_path(&self, from: StateId, place: &str) -> Vec<Step> {
        let parts = Place::of(place).parts;
        let mut steps = Vec::new();
        let mut state = from;
        while steps.len() < MOST_CHANGES
            && let Some((below, effect)) = self.last_change(state, &parts)
            && !overlap(&effect.at, &parts)
        {
            state = below;
            steps.push(Step { state, copy: Box::new(Copy::new(place, "")) });
        }
        steps
    }

    /// The last change of a state, and what it was laid over, if the path is reached without links before and after it.
    fn last_change(&self, state: StateId, place: &[String]) -> Option<(StateId, &Effect)> {
        let change = match self.state(state) {
            State::After(_) => state,
            State::Over { change, .. } => *change,
            State::Scratch | State::Vertex(_) => return None,
        };
        let effect = self.effect(change)?;
        let below = self.below(state);
        let plain = |id: StateId| {
            matches!(self.tree(id).find(place), Some(Shape::File | Shape::Dir(_) | Shape::Plain | Shape::Absent))
        };
        let there = self.tree(state).find(place) != Some(Shape::Absent);
        (plain(state) && plain(below) && there).then_some((below, effect))
    }

    /// If the last change of `state` made the path that `copy` reads, by a copy: what that read, and a copy that reads it
    /// there.
    fn carried(
        &self,
        state: StateId,
        effect: &Effect,
        place: &[String],
        copy: &Copy,
        onto: StateId,
    ) -> Option<(StateId, Box<Copy>)> {
        let change = match self.state(state) {
            State::Over { change, .. } => *change,
            _ => state,
        };
        let State::After(action) = self.state(change) else { return None };
        let Action::Copy(inner) = &action.action else { return None };
        if effect.at != place || !effect.exact {
            return None;
        }
        let from = StateId::of_input(action.secondary);
        // Laid over what was there, a directory is merged with it.
        if change != state {
            let was = self.tree(self.below(state)).find(place)?;
            let file = matches!(shape::taken(inner, self.tree(from)), Taken::One(Shape::File));
            if !(was == Shape::Absent || (was == Shape::File && file)) {
                return None;
            }
        }
        let carried = carry(inner, self.tree(from), copy, self.tree(onto))?;
        Some((from, carried))
    }
}

/// A place to read from.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The file system.
    pub state: StateId,
    /// The copy that reads it.
    pub copy: Box<Copy>,
}

/// Whether an op of several actions may take away what an earlier one of them made. The change that such an op makes is less
/// than the changes of its actions one after the other: what was made and taken away again is not in it, and laid over
/// another file system that has such a path it leaves it alone.
pub(crate) fn takes_away(file: &File) -> bool {
    let one = |action: &Action| match action {
        Action::Rm(_) => true,
        Action::Copy(c) => c.always_replace_existing_dest_paths,
        Action::Mkfile(_) | Action::Mkdir(_) | Action::Symlink(_) => false,
    };
    file.actions.len() > 1 && file.actions.iter().any(|a| one(&a.action))
}

/// Whether a mount only reads: what the command makes of it is not kept.
pub(crate) fn reads_only(mount: &Mount) -> bool {
    match mount.kind {
        MountKind::Bind => mount.output.is_none(),
        MountKind::Cache(_) => true,
        _ => false,
    }
}

/// One copy instead of two: `inner` put something from `from` at a path, and `outer` reads exactly this path to put it onto
/// `onto`. `None` if one copy cannot do it.
///
/// What the inner copy sets (owner, mode, time), the outer one must set as well, since it also makes missing directories
/// with what it sets. Where it depends on the name of what is read where it goes, the names must be equal.
pub(crate) fn carry(inner: &Copy, from: &Tree, outer: &Copy, onto: &Tree) -> Option<Box<Copy>> {
    let Taken::One(taken) = shape::taken(inner, from) else { return None };
    let file = taken == Shape::File;
    let plain = matches!(taken, Shape::File | Shape::Dir(_) | Shape::Plain);
    let set_again = (inner.owner.is_none() || outer.owner.is_some())
        && (inner.timestamp == -1 || outer.timestamp != -1)
        && ((inner.mode == -1 && inner.mode_str.is_empty()) || (outer.mode != -1 && outer.mode_str.is_empty()));
    let whole = shape::takes_all(inner) && !inner.attempt_unpack && !inner.always_replace_existing_dest_paths;
    // The directory itself is made anew where only its content is copied.
    let top = file || outer.dir_copy_contents || !inner.dir_copy_contents;
    let (old, new) = (Place::of(&outer.src), Place::of(&inner.src));
    let dest = Place::of(&outer.dest);
    let named = !dest.dir && matches!(onto.find(&dest.parts), Some(Shape::Absent | Shape::File));
    let contents = outer.dir_copy_contents && matches!(taken, Shape::Dir(_));
    let name_matters = !(named || contents);
    let same_name = old.parts.last().is_some() && old.parts.last() == new.parts.last();
    let fits = plain && set_again && whole && top && (!name_matters || same_name);
    if !fits || is_pattern(&inner.src) || !outer.required_paths.is_empty() {
        return None;
    }
    Some(Box::new(Copy { src: inner.src.clone(), follow_symlink: inner.follow_symlink, ..outer.clone() }))
}

fn owner_mut(action: &mut Action) -> Option<&mut ChownOpt> {
    match action {
        Action::Copy(c) => c.owner.as_mut(),
        Action::Mkfile(m) => m.owner.as_mut(),
        Action::Mkdir(m) => m.owner.as_mut(),
        Action::Symlink(s) => s.owner.as_mut(),
        Action::Rm(_) => None,
    }
}

/// The identifier of an image without its tag if it has a digest (law 7); others as they are.
pub(crate) fn pinned(identifier: &str) -> String {
    let Some((name, digest)) = identifier.strip_prefix("docker-image://").and_then(|image| image.split_once('@'))
    else {
        return identifier.to_owned();
    };
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let end = name[slash..].find(':').map_or(name.len(), |at| slash + at);
    format!("docker-image://{}@{digest}", &name[..end])
}

/// Whether a source is an image that is named by its digest.
pub(crate) fn is_pinned(source: &Source) -> bool {
    source.identifier.starts_with("docker-image://") && source.identifier.contains('@')
}

fn attrs(source: &Source) -> std::collections::BTreeMap<String, String> {
    let mut attrs = source.attrs.clone();
    if is_pinned(source) {
        attrs.remove("image.resolvemode");
    }
    attrs
}
