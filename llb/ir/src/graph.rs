//! The arena.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Meta, Op, Platform};

/// A node of a [`Graph`]. Ids are dense, start at 0, and a node's inputs have lower ids than the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// Its place in the arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The first output of the node, which is the only one of most ops.
    pub fn out(self) -> Ref {
        Ref { node: self, output: 0 }
    }

    /// An output of the node by its index.
    pub fn output(self, output: u32) -> Ref {
        Ref { node: self, output }
    }
}

/// One output of one node: a file system. Where a `Ref` may be missing, `None` is scratch, the empty file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref {
    /// The node that makes it.
    pub node: NodeId,
    /// Which of the node's outputs. Only exec, file and passthrough ops have several.
    pub output: u32,
}

/// A vertex: one occurrence of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// The platform it is for. LLB gives one to exec ops and to image and OCI layout sources only.
    pub platform: Option<Arc<Platform>>,
    /// Filters that a worker must pass to run it. `None`, which only a graph read from foreign bytes has, leaves the
    /// field out of the vertex, which names the vertex differently than an empty list does.
    pub constraints: Option<Vec<String>>,
    /// Inputs that come first on the wire, in this order, before those that [`Op::each_ref`] meets first. Empty in
    /// everything that rbc builds: it keeps the order of a graph read from elsewhere, which is part of its digests, and
    /// then it is also the order in which emission walks the inputs.
    pub pinned: Vec<Ref>,
    /// What is known about it, which is no part of its name.
    pub meta: Meta,
}

impl Node {
    /// Calls `f` with every reference of the node, pinned or in its op, to change it.
    pub fn each_ref_mut(&mut self, f: &mut dyn FnMut(&mut Ref)) {
        self.pinned.iter_mut().for_each(&mut *f);
        self.op.each_ref_mut(f);
    }

    /// Whether both are the same vertex: everything is equal but what is known about them.
    pub fn same_vertex(&self, other: &Node) -> bool {
        let Node { op, platform, constraints, pinned, meta: _ } = self;
        (op, platform, constraints, pinned) == (&other.op, &other.platform, &other.constraints, &other.pinned)
    }
}

/// One result of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What the result is called: a bake target; empty if there is only one.
    pub name: String,
    /// The platform that it is for, if the build asked for one.
    pub platform: Option<Platform>,
    /// The file system; `None` is scratch.
    pub result: Option<Ref>,
}

/// A text that [`crate::Location`]s point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its name as the user knows it.
    pub filename: String,
    /// Its language, by the names that GitHub's linguist uses ("Dockerfile"); may be empty.
    pub language: String,
    /// Its bytes.
    pub data: Arc<[u8]>,
    /// Where the text came from: a node of the same graph, such as `local://dockerfile`. Errors of the build are shown
    /// with it.
    pub state: Option<Ref>,
}

/// A build graph: nodes, the texts that they come from, and the results wanted of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// The texts, by the index that [`crate::Location::source`] holds.
    pub sources: Vec<SourceInfo>,
    /// The results.
    pub roots: Vec<Root>,
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an occurrence of an op without worker constraints. Equal nodes are not joined.
    pub fn add(&mut self, op: Op, platform: Option<Arc<Platform>>, meta: Meta) -> NodeId {
        self.push(Node { op, platform, constraints: Some(Vec::new()), pinned: Vec::new(), meta })
    }

    /// Adds a node as it is.
    pub fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        id
    }

    /// Takes in what `result` needs from another graph, as nodes of this one. A node of which several outputs are needed
    /// becomes several, one for each: so the reference takes in a definition that is given as an input
    /// (client/llb/definition.go), and it shows in source locations, which pile up.
    ///
    /// # Panics
    /// If `result` is not of `other`, or `other` breaks an invariant.
    pub fn graft(&mut self, other: &Graph, result: Ref) -> Ref {
        let (_, texts) = other.needed([result]);
        let mut graft = Graft { from: other, done: HashMap::new(), text_of: vec![0; other.sources.len()] };
        for (at, text) in other.sources.iter().enumerate().filter(|(at, _)| texts[*at]) {
            graft.text_of[at] = self.add_source(text.clone());
        }
        for (at, text) in other.sources.iter().enumerate().filter(|(at, _)| texts[*at]) {
            self.sources[graft.text_of[at] as usize].state = text.state.map(|state| graft.take(self, state));
        }
        graft.take(self, result)
    }

    /// What `results` need: nodes, and texts with their states, as flags by index.
    pub(crate) fn needed(&self, results: impl IntoIterator<Item = Ref>) -> (Vec<bool>, Vec<bool>) {
        let mut nodes = vec![false; self.len()];
        let mut texts = vec![false; self.sources.len()];
        let mut found: Vec<Ref> = results.into_iter().collect();
        while let Some(r) = found.pop() {
            if std::mem::replace(&mut nodes[r.node.index()], true) {
                continue;
            }
            let node = self.node(r.node);
            found.extend(&node.pinned);
            node.op.each_ref(&mut |r| found.push(r));
            for location in &node.meta.locations {
                if !std::mem::replace(&mut texts[location.source as usize], true) {
                    found.extend(self.sources[location.source as usize].state);
                }
            }
        }
        (nodes, texts)
    }

    /// Lets every reference to a node refer to the one that `node_of` has in its place, which must come before who refers
    /// to it.
    pub(crate) fn redirect(&mut self, node_of: &[NodeId]) {
        let mut all = |r: &mut Ref| r.node = node_of[r.node.index()];
        self.nodes.iter_mut().for_each(|node| node.each_ref_mut(&mut all));
        self.roots.iter_mut().filter_map(|root| root.result.as_mut()).for_each(&mut all);
        self.sources.iter_mut().filter_map(|text| text.state.as_mut()).for_each(&mut all);
    }

    /// Adds a text and gives the index for [`crate::Location::source`].
    pub fn add_source(&mut self, info: SourceInfo) -> u32 {
        self.sources.push(info);
        self.sources.len() as u32 - 1
    }

    /// The node of an id.
    ///
    /// # Panics
    /// If the id is not of this graph, which is a fault of the caller.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node of an id, to change it.
    ///
    /// # Panics
    /// If the id is not of this graph, which is a fault of the caller.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// The node of an id, if it is of this graph.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes with their ids, inputs before users.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i as u32), n))
    }
}

/// What [`Graph::graft`] has taken in so far.
struct Graft<'g> {
    from: &'g Graph,
    done: HashMap<Ref, NodeId>,
    /// Of each text there, its index here.
    text_of: Vec<u32>,
}

impl Graft<'_> {
    fn take(&mut self, into: &mut Graph, result: Ref) -> Ref {
        let mut stack = vec![result];
        while let Some(r) = stack.last().copied() {
            let open = stack.len();
            let node = self.from.node(r.node);
            if !self.done.contains_key(&r) {
                let mut need = |r: Ref| {
                    if !self.done.contains_key(&r) {
                        stack.push(r);
                    }
                };
                node.pinned.iter().copied().for_each(&mut need);
                node.op.each_ref(&mut need);
                if stack.len() == open {
                    let mut node = node.clone();
                    node.each_ref_mut(&mut |r| r.node = self.done[r]);
                    node.meta.locations.iter_mut().for_each(|l| l.source = self.text_of[l.source as usize]);
                    self.done.insert(r, into.push(node));
                }
            }
            if stack.len() == open {
                stack.pop();
            }
        }
        self.done[&result].output(result.output)
    }
}
