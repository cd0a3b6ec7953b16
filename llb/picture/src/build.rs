//! From a graph to what its picture shows.

use std::collections::{BTreeSet, HashMap};

use rbc_ir::{Graph, Input, Node, NodeId, Op, Root, share};

use crate::describe::{
    DIGEST, clip, exec_notes, facts_of, is_root, scheme, short, show_platform, source_notes, summary,
};
use crate::group::{Place, group, split_cycles};
use crate::model::{Edge, Kind, Model, Role, Step};
use crate::name::{Instruction, Name};

/// Where a name for progress output is, in the description of a vertex.
const CUSTOM_NAME: &str = "llb.customname";
/// The most source lines of one fact.
const MOST_LINES: usize = 60;
/// The most bytes of one source line.
const LONGEST_LINE: usize = 4000;

/// What is shown of the vertices that `roots` need. `digest` names a vertex, if its name is known.
pub(crate) fn build(graph: &Graph, roots: &[Root], digest: &dyn Fn(NodeId) -> Option<String>) -> Model {
    let mut graph = graph.clone();
    graph.roots = roots.to_vec();
    for id in (0..graph.len() as u32).map(NodeId) {
        if let Some(digest) = digest(id) {
            graph.node_mut(id).meta.description.insert(DIGEST.into(), digest);
        }
    }
    let graph = share(graph);
    let view = View::new(&graph);
    let mut model = Model::default();
    let step_of = view.steps(&mut model);
    view.edges(&step_of, &mut model);
    let places = view.places(&step_of, model.steps.len());
    group(&mut model, &places);
    view.results(&step_of, &mut model);
    model.edges.sort_unstable();
    model.edges.dedup();
    split_cycles(&mut model);
    model
}

/// A graph with what is needed of it.
struct View<'g> {
    graph: &'g Graph,
    /// The nodes that the roots need.
    live: Vec<bool>,
    names: Vec<Name<'g>>,
    lines: Vec<Vec<&'g [u8]>>,
}

impl<'g> View<'g> {
    fn new(graph: &'g Graph) -> Self {
        let mut live = vec![false; graph.len()];
        for root in graph.roots.iter().filter_map(|r| r.result) {
            live[root.node.index()] = true;
        }
        for (id, node) in graph.iter().rev() {
            if live[id.index()] {
                node.op.each_ref(&mut |r| live[r.node.index()] = true);
            }
        }
        let name = |node: &'g Node| node.meta.description.get(CUSTOM_NAME).map_or(Name::default(), |n| Name::parse(n));
        let names = graph.iter().map(|(_, node)| name(node)).collect();
        let lines = graph.sources.iter().map(|s| s.data.split(|b| *b == b'\n').collect()).collect();
        View { graph, live, names, lines }
    }

    fn live(&self) -> impl Iterator<Item = (NodeId, &'g Node)> {
        self.graph.iter().filter(|(id, _)| self.live[id.index()])
    }

    /// Makes the steps, and says of each node which it is. What only a merge of the same instruction needs is one step
    /// with it: `COPY --link` is two vertices.
    fn steps(&self, model: &mut Model) -> Vec<Option<usize>> {
        let mut users: Vec<(u32, NodeId)> = vec![(0, NodeId(0)); self.graph.len()];
        for (id, node) in self.live() {
            let mut seen = BTreeSet::new();
            node.op.each_ref(&mut |r| {
                if seen.insert(r.node) {
                    users[r.node.index()].0 += 1;
                    users[r.node.index()].1 = id;
                }
            });
        }
        for root in self.graph.roots.iter().filter_map(|r| r.result) {
            users[root.node.index()].0 += 1;
        }
        let group = |id: NodeId| self.graph.node(id).meta.progress_group.as_ref().map(|g| &g.id);
        let merged_into = |id: NodeId| {
            let (count, user) = users[id.index()];
            let merges = count == 1 && matches!(self.graph.node(user).op, Op::Merge(_));
            (merges && group(id).is_some() && group(id) == group(user)).then_some(user)
        };
        let mut step_of = vec![None; self.graph.len()];
        let mut parts: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for (id, node) in self.live() {
            if let Some(merge) = merged_into(id) {
                parts.entry(merge).or_default().push(id);
                continue;
            }
            let parts = parts.remove(&id).unwrap_or_default();
            for id in parts.iter().chain([&id]) {
                step_of[id.index()] = Some(model.steps.len());
            }
            let mut step = self.step(parts.first().copied().unwrap_or(id));
            if !parts.is_empty() {
                step.notes.retain(|note| note != "link");
                step.notes.push("a layer of its own".to_owned());
                step.facts.extend(facts_of(node).into_iter().filter(|(name, _)| *name == "Digest"));
            }
            model.steps.push(step);
        }
        step_of
    }

    fn step(&self, id: NodeId) -> Step {
        let node = self.graph.node(id);
        let name = self.names[id.index()];
        let said = Instruction::parse(name.text);
        let (kind, keyword, title) = summary(&node.op);
        let mut step = Step { kind, keyword: keyword.to_owned(), title, notes: Vec::new(), group: None, facts: vec![] };
        match &node.op {
            Op::Source(source) => {
                match name.about.strip_prefix("context ") {
                    Some(context) if kind == Kind::Local => {
                        step.title = context.to_owned();
                        step.notes.push("named context".to_owned());
                    }
                    Some(context) => step.notes.push(format!("named context {context}")),
                    None => {}
                }
                step.notes.extend(source_notes(source));
            }
            op => {
                if !said.rest.is_empty() {
                    step.title = said.rest;
                    step.keyword = said.keyword;
                }
                match op {
                    Op::Exec(exec) => step.notes.extend(exec_notes(exec)),
                    _ => step.notes.extend(said.flags),
                }
            }
        }
        step.title = short(&step.title);
        step.notes.iter_mut().for_each(|note| *note = short(note));
        if node.meta.ignore_cache {
            step.notes.push("never from the cache".to_owned());
        }
        if !name.text.is_empty() {
            step.facts.push(("Instruction", clip(name.text)));
        }
        step.facts.extend(self.source_lines(node));
        step.facts.extend(facts_of(node));
        step
    }

    /// The lines of source that a node comes from.
    fn source_lines(&self, node: &Node) -> Option<(&'static str, String)> {
        let mut wanted: BTreeSet<(u32, i32)> = BTreeSet::new();
        for location in &node.meta.locations {
            for range in &location.ranges {
                let last = range.end.line.clamp(range.start.line, range.start.line.saturating_add(MOST_LINES as i32));
                wanted.extend((range.start.line..=last).map(|line| (location.source, line)).take(MOST_LINES));
            }
        }
        let mut shown = Vec::new();
        for (source, line) in wanted.into_iter().take(MOST_LINES) {
            let info = self.graph.sources.get(source as usize)?;
            let at = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
            if let Some(text) = at.and_then(|at| self.lines.get(source as usize)?.get(at)) {
                let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST_LINE)]);
                shown.push(format!("{}:{line}: {}", info.filename, text.trim_end()));
            }
        }
        (!shown.is_empty()).then(|| ("Source", clip(&shown.join("\n"))))
    }

    fn edges(&self, step_of: &[Option<usize>], model: &mut Model) {
        let outside = |id: NodeId| matches!(&self.graph.node(id).op, Op::Source(s) if matches!(scheme(s).0, Kind::Local | Kind::Fetch));
        for (id, node) in self.live() {
            let Some(to) = step_of[id.index()] else { continue };
            let mut edges: Vec<(NodeId, Role)> = Vec::new();
            match &node.op {
                Op::Exec(exec) => {
                    for mount in &exec.mounts {
                        let role = if is_root(mount) { Role::Base } else { Role::Mount };
                        edges.extend(mount.input.map(|r| (r.node, role)));
                    }
                }
                Op::File(file) => {
                    for action in &file.actions {
                        if let Input::Ref(r) = action.input {
                            edges.push((r.node, Role::Base));
                        }
                        action.each_input(&mut |input| {
                            if let Input::Ref(r) = input {
                                edges.push((r.node, if outside(r.node) { Role::Context } else { Role::Copy }));
                            }
                        });
                    }
                }
                Op::Merge(merge) => {
                    let base = |at: usize| if at == 0 { Role::Base } else { Role::Merge };
                    edges.extend(merge.inputs.iter().enumerate().map(|(at, r)| (r.node, base(at))));
                }
                op => op.each_ref(&mut |r| edges.push((r.node, Role::Merge))),
            }
            // What a step builds on it also looks names up in; that is no second edge.
            let bases: BTreeSet<NodeId> = edges.iter().filter(|e| e.1 == Role::Base).map(|e| e.0).collect();
            for (from, role) in edges {
                if let Some(from_step) = step_of[from.index()]
                    && from_step != to
                    && (role == Role::Base || !bases.contains(&from))
                {
                    model.edges.push(Edge { from: from_step, to, role });
                }
            }
        }
    }

    /// Where each step stands, as far as its vertices know.
    fn places(&self, step_of: &[Option<usize>], count: usize) -> Vec<Place> {
        let target = |node: &'g Node| Some(&*node.meta.origins.first()?.target.as_ref()?.name);
        let targets: BTreeSet<&str> = self.live().filter_map(|(_, node)| target(node)).collect();
        let mut places = vec![Place::default(); count];
        for (id, node) in self.live() {
            let Some(at) = step_of[id.index()] else { continue };
            let name = self.names[id.index()];
            let stage = node.meta.origins.first().and_then(|origin| Some(&*origin.stage.as_ref()?.name));
            places[at] = Place {
                target: target(node).filter(|_| targets.len() > 1).unwrap_or_default().to_owned(),
                platform: name.platform.to_owned(),
                stage: stage.or(name.stage).map(str::to_owned),
                worker: node.platform.as_deref().map(show_platform).unwrap_or_default(),
            };
        }
        places
    }

    fn results(&self, step_of: &[Option<usize>], model: &mut Model) {
        for root in &self.graph.roots {
            let title = if root.name.is_empty() { "result".to_owned() } else { root.name.clone() };
            let mut notes: Vec<String> = root.platform.iter().map(show_platform).collect();
            if root.result.is_none() {
                notes.push("empty".to_owned());
            }
            if let Some(from) = root.result.and_then(|r| step_of[r.node.index()]) {
                model.edges.push(Edge { from, to: model.steps.len(), role: Role::Base });
            }
            let facts = vec![("Result", title.clone())];
            model.steps.push(Step { kind: Kind::Result, keyword: String::new(), title, notes, group: None, facts });
        }
    }
}
