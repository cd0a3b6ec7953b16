//! What holds of every graph.

use std::collections::BTreeSet;
use std::fmt;

use rbc_source::{Diagnostic, ir as codes};

use crate::{Exec, File, Graph, Input, MountKind, Node, NodeId, Op, Passthrough, ROOT_MOUNT, Ref};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number in the list at [`verify`].
    pub invariant: u8,
    /// The node that breaks it; `None` if it is no node.
    pub node: Option<NodeId>,
    /// How, as the rest of a sentence about the node.
    pub message: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "node {} {} (invariant {})", node.0, self.message, self.invariant),
            None => write!(f, "{} (invariant {})", self.message, self.invariant),
        }
    }
}

impl Broken {
    /// What to tell the user: it is our fault.
    pub fn to_diagnostic(&self) -> Diagnostic {
        Diagnostic::new(codes::BROKEN_GRAPH, "the build graph is broken").note(self.to_string())
    }
}

/// Checks the invariants of a graph. Emission relies on the first four; a backend on all.
///
/// 1. An input of a node, pinned or used by its op, is an output of a node with a lower id. So there are no cycles.
/// 2. The results, and the states of the source texts, are outputs of nodes of the graph.
/// 3. Every location points into a text of the graph.
/// 4. What the state of a text needs is written in texts with higher indices only. So no text comes from itself.
/// 5. An input, result or state names an output that its node has.
/// 6. A source has an identifier.
/// 7. An exec has arguments, a working directory, and one mount of kind bind at `/`.
/// 8. Secret, ssh and tmpfs mounts have no input, and what bind mounts keep are different outputs.
/// 9. A file op keeps a result (so it has an action), and what its actions keep are different outputs.
/// 10. A file action uses only earlier actions of its op.
/// 11. A merge has at least two inputs.
/// 12. A passthrough has an id and an output, and its outputs are inputs that it has.
///
/// # Errors
/// Everything that does not hold, in the order of the nodes.
pub fn verify(graph: &Graph) -> Result<(), Vec<Broken>> {
    let mut check = Check {
        graph,
        outputs: Vec::with_capacity(graph.len()),
        lowest: Vec::with_capacity(graph.len()),
        broken: Vec::new(),
    };
    for (id, node) in graph.iter() {
        check.node(id, node);
    }
    let roots = graph.roots.iter().filter_map(|r| Some((format!("the result `{}`", r.name), r.result?)));
    let states = graph.sources.iter().filter_map(|s| Some((format!("the state of `{}`", s.filename), s.state?)));
    for (what, r) in roots.chain(states) {
        if r.node.index() >= graph.len() {
            check.fault(2, None, format!("{what} is of no node"));
        } else if !check.outputs[r.node.index()].has(r.output) {
            check.fault(5, None, format!("{what} is output {} of node {}, which has none", r.output, r.node.0));
        }
    }
    for (text, state) in graph.sources.iter().enumerate().filter_map(|(at, s)| Some((at, s.state?))) {
        if check.lowest.get(state.node.index()).is_some_and(|lowest| *lowest as usize <= text) {
            check.fault(4, None, format!("the text {text} comes from itself or from an earlier one"));
        }
    }
    if check.broken.is_empty() { Ok(()) } else { Err(check.broken) }
}

/// The outputs of a node.
enum Outputs {
    /// Those below a number.
    Below(usize),
    Of(BTreeSet<u32>),
}

impl Outputs {
    fn has(&self, output: u32) -> bool {
        match self {
            Outputs::Below(n) => (output as usize) < *n,
            Outputs::Of(outputs) => outputs.contains(&output),
        }
    }
}

struct Check<'g> {
    graph: &'g Graph,
    outputs: Vec<Outputs>,
    /// Of each node, the lowest text that it or something it needs is written in.
    lowest: Vec<u32>,
    broken: Vec<Broken>,
}

impl Check<'_> {
    fn fault(&mut self, invariant: u8, node: Option<NodeId>, message: impl Into<String>) {
        self.broken.push(Broken { invariant, node, message: message.into() });
    }

    fn node(&mut self, id: NodeId, node: &Node) {
        let me = Some(id);
        let mut inputs: Vec<Ref> = node.pinned.clone();
        node.op.each_ref(&mut |r| inputs.push(r));
        for r in &inputs {
            if r.node >= id {
                self.fault(1, me, format!("uses node {}, which does not come before it", r.node.0));
            } else if !self.outputs[r.node.index()].has(r.output) {
                self.fault(5, me, format!("uses output {} of node {}, which has none", r.output, r.node.0));
            }
        }
        if node.meta.locations.iter().any(|l| l.source as usize >= self.graph.sources.len()) {
            self.fault(3, me, "is written in a text that is not there");
        }
        let written = node.meta.locations.iter().map(|l| l.source);
        let needed = inputs.iter().filter_map(|r| self.lowest.get(r.node.index()).copied());
        self.lowest.push(written.chain(needed).min().unwrap_or(u32::MAX));
        let outputs = match &node.op {
            Op::Source(s) => {
                if s.identifier.is_empty() {
                    self.fault(6, me, "has no identifier");
                }
                Outputs::Below(1)
            }
            Op::Exec(e) => self.exec(id, e),
            Op::File(f) => self.file(id, f),
            Op::Merge(m) => {
                if m.inputs.len() < 2 {
                    self.fault(11, me, "merges fewer than two inputs");
                }
                Outputs::Below(1)
            }
            Op::Diff(_) | Op::Build(_) => Outputs::Below(1),
            Op::Passthrough(p) => self.passthrough(id, p),
        };
        self.outputs.push(outputs);
    }

    fn exec(&mut self, id: NodeId, exec: &Exec) -> Outputs {
        let me = Some(id);
        if exec.meta.args.is_empty() {
            self.fault(7, me, "has no arguments");
        }
        if exec.meta.cwd.is_empty() {
            self.fault(7, me, "has no working directory");
        }
        let roots = exec.mounts.iter().filter(|m| m.dest == ROOT_MOUNT && m.kind == MountKind::Bind);
        if roots.count() != 1 {
            self.fault(7, me, "does not have one mount at `/`");
        }
        let mut outputs = BTreeSet::new();
        for mount in &exec.mounts {
            let takes_input = matches!(mount.kind, MountKind::Bind | MountKind::Cache(_));
            if !takes_input && mount.input.is_some() {
                self.fault(8, me, format!("has an input for the mount at `{}`, which takes none", mount.dest));
            }
            if let (MountKind::Bind, Some(output)) = (&mount.kind, mount.output)
                && !outputs.insert(output)
            {
                self.fault(8, me, format!("has output {output} twice"));
            }
        }
        Outputs::Of(outputs)
    }

    fn file(&mut self, id: NodeId, file: &File) -> Outputs {
        let me = Some(id);
        let mut outputs = BTreeSet::new();
        for (at, action) in file.actions.iter().enumerate() {
            let mut later = false;
            action.each_input(&mut |i| later |= matches!(i, Input::Action(i) if i as usize >= at));
            if later {
                self.fault(10, me, format!("has an action {at} that does not use earlier ones"));
            }
            if let Some(output) = action.output
                && !outputs.insert(output)
            {
                self.fault(9, me, format!("has output {output} twice"));
            }
        }
        if outputs.is_empty() {
            self.fault(9, me, "keeps no result");
        }
        Outputs::Of(outputs)
    }

    fn passthrough(&mut self, id: NodeId, p: &Passthrough) -> Outputs {
        if p.id.is_empty() || p.outputs.is_empty() || p.outputs.iter().any(|o| *o as usize >= p.inputs.len()) {
            self.fault(12, Some(id), "hands on what it does not have");
        }
        Outputs::Below(p.outputs.len())
    }
}
