//! The arena.

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
    pub platform: Option<Platform>,
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
    nodes: Vec<Node>,
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
    pub fn add(&mut self, op: Op, platform: Option<Platform>, meta: Meta) -> NodeId {
        self.push(Node { op, platform, constraints: Some(Vec::new()), pinned: Vec::new(), meta })
    }

    /// Adds a node as it is.
    pub fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        id
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
