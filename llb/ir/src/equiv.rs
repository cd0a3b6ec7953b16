//! Whether two graphs are the same build, as far as a [`Level`] promises.
//!
//! A graph is evaluated to terms (`state`): commands and sources are taken for functions of which nothing is known,
//! and at [`Level::Files`] the laws of file operations, merge and diff bring what is provably the same file system to the
//! same term. Equal terms are the same in every build that succeeds, whatever the commands do and the sources hold. Terms
//! that differ may be the same all the same: then no law here says so.
//!
//! - [`Level::Exact`]: the vertices that emission would list for each result, in its order, each with its joined metadata
//!   and places.
//! - [`Level::Layers`]: the vertices, but for how much of a client's directory is sent and what a pinned image is called.
//!   Layers, history and cache keys follow from the vertices.
//! - [`Level::Files`]: the file systems, by all laws.
//!
//! At the last two, a command that is to run even if its result is in the cache must still be so.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::state::{Known, Laws, Of, State, StateId, States};
use crate::{Graph, Input, Level, Meta, NodeId, Op, Platform, Ref};

/// Two graphs that are not the same, or not provably so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which result differs; none if already their names and platforms do.
    pub result: Option<String>,
    /// The first place where they differ, from the result down, in each.
    pub places: [String; 2],
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = &self.places;
        match &self.result {
            Some(name) => write!(f, "the result `{name}` differs: {before}\nagainst: {after}"),
            None => write!(f, "the results are others: {before}\nagainst: {after}"),
        }
    }
}

/// Whether both graphs give the same results at a level. `known` is what is known of sources.
///
/// # Errors
/// The first difference.
///
/// # Panics
/// If a graph breaks an invariant that [`crate::verify`] states.
pub fn same(before: &Graph, after: &Graph, level: Level, known: &Known) -> Result<(), Box<Difference>> {
    let names = |graph: &Graph| -> Vec<(String, Option<Platform>)> {
        graph.roots.iter().map(|r| (r.name.clone(), r.platform.clone())).collect()
    };
    if names(before) != names(after) {
        let places = [before, after].map(|graph| format!("{:?}", names(graph)));
        return Err(Box::new(Difference { result: None, places }));
    }
    match level {
        Level::Exact => same_vertices(before, after),
        Level::Layers => same_states(before, after, Laws::Layers, known),
        Level::Files => same_states(before, after, Laws::Files, known),
    }
}

fn same_states(before: &Graph, after: &Graph, laws: Laws, known: &Known) -> Result<(), Box<Difference>> {
    let mut states = States::new(laws, known);
    let [a, b] = [before, after].map(|graph| {
        let of = states.add(graph);
        let uncached = uncached(graph, &of);
        (of, uncached)
    });
    for (x, y) in before.roots.iter().zip(&after.roots) {
        let (left, right) = (a.0.result(x.result), b.0.result(y.result));
        let differs = |places| Err(Box::new(Difference { result: Some(x.name.clone()), places }));
        if left != right {
            let (left, right) = first_difference(&states, left, right);
            return differs([left, right].map(|id| show(&states, id)));
        }
        let needed = needed(&states, left);
        if let Some(id) = needed.iter().find(|id| a.1.contains(*id) != b.1.contains(*id)) {
            let flag = |ignored: bool| format!("{} (cache ignored: {ignored})", show(&states, *id));
            return differs([flag(a.1.contains(id)), flag(b.1.contains(id))]);
        }
    }
    Ok(())
}

/// The commands that are needed and run even if their result is in the cache.
fn uncached(graph: &Graph, of: &Of) -> HashSet<StateId> {
    let (live, _) = graph.needed(graph.roots.iter().filter_map(|r| r.result));
    let mut uncached = HashSet::new();
    for (id, node) in graph.iter().filter(|(id, node)| live[id.index()] && node.meta.ignore_cache) {
        if let Op::Exec(exec) = &node.op {
            uncached.extend(exec.mounts.iter().filter_map(|m| m.output).map(|output| of.get(id.output(output))));
        }
    }
    uncached
}

/// The states that a state is made from, and itself.
fn needed(states: &States, root: StateId) -> HashSet<StateId> {
    let mut needed = HashSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if needed.insert(id) {
            operands(states, id, &mut |id| open.push(id));
        }
    }
    needed
}

fn operands(states: &States, id: StateId, f: &mut dyn FnMut(StateId)) {
    match states.state(id) {
        State::Scratch => {}
        State::Vertex(vertex) => vertex.op.each_ref(&mut |r| f(StateId(r.node.0))),
        State::After(action) => action.each_input(&mut |input| {
            if let Input::Ref(r) = input {
                f(StateId(r.node.0));
            }
        }),
        State::Over { below, change } => {
            f(*below);
            f(*change);
        }
    }
}

/// Goes down where all but one operand are the same.
fn first_difference(states: &States, mut a: StateId, mut b: StateId) -> (StateId, StateId) {
    loop {
        let [left, right] = [a, b].map(|id| {
            let mut list = Vec::new();
            operands(states, id, &mut |id| list.push(id));
            list
        });
        let mut differing = left.iter().zip(&right).filter(|(l, r)| l != r);
        match (differing.next(), differing.next()) {
            (Some((l, r)), None) if left.len() == right.len() && kind(states, a) == kind(states, b) => {
                (a, b) = (*l, *r)
            }
            _ => return (a, b),
        }
    }
}

fn kind(states: &States, id: StateId) -> &'static str {
    match states.state(id) {
        State::Scratch => "scratch",
        State::Vertex(vertex) => vertex.op.kind(),
        State::After(_) => "after",
        State::Over { .. } => "over",
    }
}

fn show(states: &States, id: StateId) -> String {
    match states.state(id) {
        State::Scratch => "scratch".to_owned(),
        State::Vertex(vertex) => format!("{:?}", vertex.op),
        State::After(action) => format!("after {:?}", action.action),
        State::Over { below, change } => format!("{below:?} + {change:?}"),
    }
}

/// Compares what emission would list.
fn same_vertices(before: &Graph, after: &Graph) -> Result<(), Box<Difference>> {
    let mut terms = Terms::default();
    let [a, b] = [before, after].map(|graph| terms.results(graph));
    for (at, (x, y)) in a.iter().zip(&b).enumerate() {
        if x != y {
            let first = x.vertices.iter().zip(&y.vertices).find(|(x, y)| x != y);
            let places = match first {
                Some((x, y)) => [format!("{x:?}"), format!("{y:?}")],
                None => [x, y].map(|x| format!("{} vertices", x.vertices.len())),
            };
            return Err(Box::new(Difference { result: Some(before.roots[at].name.clone()), places }));
        }
    }
    Ok(())
}

/// One definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Listing {
    /// The result: a term and its output.
    result: Option<(u32, u32)>,
    /// The vertices, each once, with what is known of them as text, without indices into the texts.
    vertices: Vec<(u32, String)>,
    /// The texts that they are written in, in order of appearance: name, language, content, and the listing of the state.
    texts: Vec<(String, String, Vec<u8>, Option<u32>)>,
}

/// Vertices by number, equal ones made one, over several graphs.
#[derive(Default)]
struct Terms {
    vertices: HashMap<Named, u32>,
    listings: HashMap<Listing, u32>,
}

/// What names a vertex.
type Named = (Op, Option<Arc<Platform>>, Option<Vec<String>>, Vec<Ref>);

impl Terms {
    fn results(&mut self, graph: &Graph) -> Vec<Listing> {
        let term = self.terms(graph);
        // A text's state is written in later texts only.
        let mut states: Vec<Option<u32>> = vec![None; graph.sources.len()];
        for at in (0..graph.sources.len()).rev() {
            if let Some(state) = graph.sources[at].state {
                let listing = listing(graph, &term, &states, Some(state));
                let next = self.listings.len() as u32;
                states[at] = Some(*self.listings.entry(listing).or_insert(next));
            }
        }
        graph.roots.iter().map(|root| listing(graph, &term, &states, root.result)).collect()
    }

    /// Of each node, which vertex it is.
    fn terms(&mut self, graph: &Graph) -> Vec<u32> {
        let mut term: Vec<u32> = Vec::with_capacity(graph.len());
        for (_, node) in graph.iter() {
            let mut node = node.clone();
            node.each_ref_mut(&mut |r| r.node = NodeId(term[r.node.index()]));
            let next = self.vertices.len() as u32;
            let named = (node.op, node.platform, node.constraints, node.pinned);
            term.push(*self.vertices.entry(named).or_insert(next));
        }
        term
    }
}

fn listing(graph: &Graph, term: &[u32], states: &[Option<u32>], result: Option<Ref>) -> Listing {
    let Some(result) = result else { return Listing::default() };
    let mut order: Vec<(u32, Meta)> = Vec::new();
    let mut place: HashMap<u32, usize> = HashMap::new();
    for id in walk(graph, result.node) {
        let (vertex, meta) = (term[id.index()], &graph.node(id).meta);
        match place.get(&vertex) {
            Some(at) => order[*at].1.join(meta),
            None => {
                place.insert(vertex, order.len());
                order.push((vertex, meta.clone()));
            }
        }
    }
    let mut listing = Listing { result: Some((term[result.node.index()], result.output)), ..Listing::default() };
    for (vertex, mut meta) in order {
        for location in &mut meta.locations {
            let text = &graph.sources[location.source as usize];
            let state = states[location.source as usize];
            let equal = |(name, language, data, _): &(String, String, Vec<u8>, Option<u32>)| {
                (name, language, &data[..]) == (&text.filename, &text.language, &text.data[..])
            };
            let known = listing.texts.iter().position(equal).unwrap_or_else(|| {
                listing.texts.push((text.filename.clone(), text.language.clone(), text.data.to_vec(), state));
                listing.texts.len() - 1
            });
            location.source = known as u32;
        }
        listing.vertices.push((vertex, format!("{meta:?}")));
    }
    listing
}

/// The nodes that `root` needs and itself, inputs first, in the order of emission.
fn walk(graph: &Graph, root: NodeId) -> Vec<NodeId> {
    let mut done = Vec::new();
    let mut met = vec![false; graph.len()];
    // Nodes whose inputs come first, and then themselves.
    let mut stack = vec![(root, false)];
    while let Some((id, open)) = stack.pop() {
        if open {
            done.push(id);
        } else if !std::mem::replace(&mut met[id.index()], true) {
            stack.push((id, true));
            let node = graph.node(id);
            let from = stack.len();
            stack.extend(node.pinned.iter().map(|r| (r.node, false)));
            node.op.each_visit(&mut |r| stack.push((r.node, false)));
            stack[from..].reverse();
        }
    }
    done
}
