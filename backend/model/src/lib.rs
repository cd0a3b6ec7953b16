//! An executor in memory, for tests of the optimizer.
//!
//! It does what BuildKit does, step by step, on file systems that are values; commands and sources are made up, each the same
//! whenever it is met. It knows none of the laws by which passes change a graph, so a graph that a pass made wrong gives other files
//! here. What is modelled: names, contents, modes, owners, link targets, times of files where something fixed them, layers with their
//! whiteouts and opaque directories. What is not: times of directories, hard links, archives, and what is no source of Dockerfiles.

mod exec;
mod file;
mod tree;
mod world;

use std::collections::HashMap;
use std::sync::Arc;

use rbc_ir::{File, Graph, Input, NodeId, Op, Ref};

pub use tree::{Attr, Dir, Fail, Node, ROOT, Try};
use tree::{Change, Draft, fail};
pub use world::World;
use world::number;

/// A file system, and the layers that it is made of.
#[derive(Clone, Debug)]
pub(crate) struct State {
    layers: Vec<Layer>,
    tree: Arc<Node>,
    /// It is a directory of the client.
    clients: bool,
}

/// A layer. Equal numbers are equal layers, made by the same step on the same files.
#[derive(Clone, Debug)]
struct Layer {
    number: u64,
    change: Arc<Change>,
}

impl State {
    fn scratch() -> State {
        State { layers: Vec::new(), tree: Arc::new(Node::root()), clients: false }
    }

    /// The state with more layers on it.
    fn over(&self, layers: &[Layer]) -> State {
        let mut tree = Arc::clone(&self.tree);
        for layer in layers {
            tree = Arc::new(layer.change.lay(Some(&tree)).unwrap_or_else(Node::root));
        }
        State { layers: [&self.layers[..], layers].concat(), tree, clients: false }
    }

    /// What tells it from others.
    fn number(&self) -> u64 {
        number(self.layers.iter().map(|layer| layer.number).collect::<Vec<_>>())
    }
}

/// Builds the results of a graph: for each root its files, or why it fails.
pub fn run(graph: &Graph, world: &World) -> Vec<Try<Arc<Node>>> {
    let mut machine = Machine { graph, world, done: HashMap::new() };
    graph.roots.iter().map(|root| machine.input(root.result).map(|state| state.tree)).collect()
}

/// The steps that fail by themselves, and not because one before them did, among those that results need.
pub fn failing(graph: &Graph, world: &World) -> Vec<NodeId> {
    let mut machine = Machine { graph, world, done: HashMap::new() };
    for root in &graph.roots {
        let _ = machine.input(root.result);
    }
    let failed = |id: &NodeId| matches!(machine.done.get(id), Some(Err(_)));
    let by_itself = |id: &NodeId| {
        let mut alone = true;
        graph.node(*id).op.each_ref(&mut |r| alone &= !failed(&r.node));
        alone
    };
    (0..graph.len() as u32).map(NodeId).filter(|id| failed(id) && by_itself(id)).collect()
}

struct Machine<'a> {
    graph: &'a Graph,
    world: &'a World,
    done: HashMap<NodeId, Try<HashMap<u32, State>>>,
}

impl Machine<'_> {
    fn input(&mut self, r: Option<Ref>) -> Try<State> {
        let Some(r) = r else { return Ok(State::scratch()) };
        // Inputs have lower numbers than who uses them, so going up needs no recursion.
        let mut needed = vec![false; r.node.index() + 1];
        needed[r.node.index()] = true;
        let mut stack = vec![r.node];
        while let Some(id) = stack.pop() {
            self.graph.node(id).op.each_ref(&mut |r| {
                if !std::mem::replace(&mut needed[r.node.index()], true) {
                    stack.push(r.node);
                }
            });
        }
        for at in (0..needed.len()).filter(|at| needed[*at]) {
            let id = NodeId(at as u32);
            if !self.done.contains_key(&id) {
                let made = self.step(id);
                self.done.insert(id, made);
            }
        }
        self.state(r)
    }

    fn state(&self, r: Ref) -> Try<State> {
        match self.done.get(&r.node) {
            Some(Ok(outputs)) => outputs.get(&r.output).cloned().map_or_else(|| fail("there is no such output"), Ok),
            Some(Err(why)) => Err(why.clone()),
            None => fail("a step was not done"),
        }
    }

    fn maybe(&self, r: Option<Ref>) -> Try<State> {
        r.map_or_else(|| Ok(State::scratch()), |r| self.state(r))
    }

    fn step(&self, id: NodeId) -> Try<HashMap<u32, State>> {
        let node = self.graph.node(id);
        let one = |state: State| Ok(HashMap::from([(0, state)]));
        match &node.op {
            Op::Source(source) => {
                let tree = Arc::new(self.world.source(source, node.platform.as_deref())?);
                let layer = Layer { number: number((&*tree, "source")), change: Arc::new(Change::all(&tree)) };
                one(State { layers: vec![layer], tree, clients: source.identifier.starts_with("local://") })
            }
            Op::File(file) => self.file(file),
            Op::Exec(command) => {
                let inputs = command.mounts.iter().map(|mount| self.maybe(mount.input)).collect::<Try<Vec<_>>>()?;
                exec::run(command, &inputs)
            }
            Op::Merge(merge) => {
                let mut whole = State::scratch();
                for input in &merge.inputs {
                    whole = whole.over(&self.state(*input)?.layers);
                }
                one(whole)
            }
            Op::Diff(diff) => {
                let (lower, upper) = (self.maybe(diff.lower)?, self.maybe(diff.upper)?);
                let numbers = |state: &State| state.layers.iter().map(|l| l.number).collect::<Vec<_>>();
                if numbers(&upper).starts_with(&numbers(&lower)) {
                    return one(State::scratch().over(&upper.layers[lower.layers.len()..]));
                }
                let change = Change::between(Some(&lower.tree), &upper.tree).unwrap_or_else(Change::none);
                let number = number((lower.number(), upper.number(), "diff"));
                one(State::scratch().over(&[Layer { number, change: Arc::new(change) }]))
            }
            Op::Passthrough(through) => {
                let input = |output: &u32| Some((*output, through.inputs.get(*output as usize).copied()?));
                let outputs = through.outputs.iter().filter_map(input);
                outputs.map(|(output, r)| Ok((output, self.state(r)?))).collect()
            }
            Op::Build(_) => fail("nested builds are not modelled"),
        }
    }

    fn file(&self, file: &File) -> Try<HashMap<u32, State>> {
        let mut after: Vec<(State, Draft)> = Vec::new();
        let mut outputs = HashMap::new();
        for (at, action) in file.actions.iter().enumerate() {
            let (base, mut draft) = match action.input {
                Input::Scratch => (State::scratch(), Draft::new(State::scratch().tree)),
                Input::Ref(r) => {
                    let state = self.state(r)?;
                    let draft = Draft::new(Arc::clone(&state.tree));
                    (state, draft)
                }
                Input::Action(before) => match after.get(before as usize) {
                    Some(made) => made.clone(),
                    None => return fail("there is no such action"),
                },
            };
            file::apply(&mut draft, &action.action, action.secondary, &Reading { machine: self, after: &after })?;
            after.push((base.clone(), draft.clone()));
            if let Some(output) = action.output {
                let mut read = Vec::new();
                file.actions[..=at].iter().for_each(|a| a.each_input(&mut |input| read.push(input)));
                let mut from = Vec::new();
                for input in read {
                    if let Input::Ref(r) = input {
                        from.push(self.state(r)?.number());
                    }
                }
                // Which refs the actions name is said by the states behind them.
                let mut bare = Op::File(File { actions: file.actions[..=at].to_vec() });
                bare.each_ref_mut(&mut |r| *r = NodeId(0).out());
                let number = number((bare, from));
                let state = State { clients: false, ..base }.over(&[Layer { number, change: Arc::new(draft.change) }]);
                outputs.insert(output, state);
            }
        }
        Ok(outputs)
    }
}

struct Reading<'a> {
    machine: &'a Machine<'a>,
    after: &'a [(State, Draft)],
}

impl file::Inputs for Reading<'_> {
    fn tree(&self, input: Input) -> Try<Arc<Node>> {
        match input {
            Input::Scratch => Ok(State::scratch().tree),
            Input::Ref(r) => Ok(self.machine.state(r)?.tree),
            Input::Action(at) => match self.after.get(at as usize) {
                Some((_, draft)) => Ok(Arc::new(draft.tree.clone())),
                None => fail("there is no such action"),
            },
        }
    }

    fn is_clients(&self, input: Input) -> bool {
        matches!(input, Input::Ref(r) if self.machine.state(r).is_ok_and(|state| state.clients))
    }
}
