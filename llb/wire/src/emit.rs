//! From a graph to definitions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use prost::Message;
use prost::bytes::Bytes;
use rbc_ir::{Graph, Location, Meta, Node, NodeId, Op, Origin, Ref, SourceInfo, caps};

use crate::encode::{self, Inputs};
use crate::{Digest, pb};

/// In which order the vertices of a definition stand. A backend does not care; bytes do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As the reference client walks the graph: from the result, a vertex behind its inputs.
    #[default]
    Walk,
    /// As the nodes stand in the graph. A graph that was loaded from a definition gives that definition's order.
    Listed,
}

/// A definition, ready to be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Emitted {
    /// As a message. Empty if the result is scratch.
    pub definition: pb::Definition,
    /// The names of its vertices, in their order.
    pub vertices: Vec<Digest>,
    /// Who asked for each vertex.
    pub origins: Origins,
}

impl Emitted {
    /// Numbers progress groups by their first appearance: `pg0`, `pg1`, ... The reference gives them random names, and only
    /// here it is known which of several groups an equal vertex keeps.
    pub fn number_progress_groups(&mut self) {
        let metadata = &mut self.definition.metadata;
        if metadata.iter().all(|entry| entry.value.progress_group.is_none()) {
            return;
        }
        let mut names: HashMap<String, String> = HashMap::new();
        for vertex in &self.vertices {
            let name = vertex.to_string();
            let Ok(at) = metadata.binary_search_by(|entry| entry.key.cmp(&name)) else { continue };
            if let Some(group) = &mut metadata[at].value.progress_group {
                let next = names.len();
                group.id = names.entry(group.id.clone()).or_insert_with(|| format!("pg{next}")).clone();
            }
        }
    }

    /// The canonical bytes; none at all if the result is scratch.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.definition.encode_to_vec()
    }
}

/// The way back from a vertex to who asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(HashMap<Digest, Vec<Origin>>);

impl Origins {
    /// Who asked for a vertex; several if equal vertices were joined; none if it is unknown.
    pub fn of(&self, vertex: Digest) -> &[Origin] {
        self.0.get(&vertex).map_or(&[], Vec::as_slice)
    }

    /// Takes in those of another definition, for a build that solves several.
    pub fn extend(&mut self, other: Origins) {
        for (digest, origins) in other.0 {
            self.0.entry(digest).or_default().extend(origins);
        }
    }
}

/// The definition of one result of `graph`, in the reference's order.
///
/// # Panics
/// If the graph breaks an invariant that [`rbc_ir::verify`] states.
pub fn emit(graph: &Graph, result: Option<Ref>) -> Emitted {
    Emitter::new(graph, Order::Walk).emit(result)
}

/// Makes the definitions of one graph. What is known of a vertex (bytes, digest) is kept from one to the next.
#[derive(Debug)]
pub struct Emitter<'g> {
    graph: &'g Graph,
    order: Order,
    /// Of each node, which vertex it is, as soon as known.
    vertex_of: Vec<Option<u32>>,
    vertices: Vec<Vertex>,
    by_digest: HashMap<Digest, u32>,
    /// Of each node, the last walk that met it.
    met: Vec<u32>,
    /// Of each vertex, its place in the definition of a walk, and which walk that was.
    listed: Vec<(u32, u32)>,
    walks: u32,
    /// Of the vertex at hand, the place of each input. Here to keep its memory.
    places: HashMap<(u32, u32), i64>,
}

/// What equal nodes have in common.
#[derive(Debug)]
struct Vertex {
    digest: Digest,
    name: String,
    bytes: Bytes,
}

/// A vertex within one definition, with what its nodes know about it.
struct Listed<'g> {
    vertex: u32,
    first: &'g Node,
    /// Joined metadata, if several nodes are this vertex.
    joined: Option<Box<Meta>>,
}

impl Listed<'_> {
    fn meta(&self) -> &Meta {
        self.joined.as_deref().unwrap_or(&self.first.meta)
    }
}

impl<'g> Emitter<'g> {
    /// An emitter for the results of `graph`.
    pub fn new(graph: &'g Graph, order: Order) -> Self {
        Emitter {
            graph,
            order,
            vertex_of: vec![None; graph.len()],
            vertices: Vec::with_capacity(graph.len()),
            by_digest: HashMap::with_capacity(graph.len()),
            met: vec![0; graph.len()],
            // There are no more vertices than nodes.
            listed: vec![(0, 0); graph.len()],
            walks: 0,
            places: HashMap::new(),
        }
    }

    /// The definition of one result.
    ///
    /// # Panics
    /// If the graph breaks an invariant that [`rbc_ir::verify`] states.
    pub fn emit(&mut self, result: Option<Ref>) -> Emitted {
        self.definition(result)
    }

    /// The name of a node's vertex.
    ///
    /// # Panics
    /// If the graph breaks an invariant that [`rbc_ir::verify`] states.
    pub fn digest(&mut self, node: NodeId) -> Digest {
        for id in self.walk(node) {
            self.vertex(id);
        }
        let at = self.vertex(node);
        self.vertices[at as usize].digest
    }

    fn definition(&mut self, result: Option<Ref>) -> Emitted {
        let Some(result) = result else { return Emitted::default() };
        let graph = self.graph;
        let mut listed: Vec<Listed<'g>> = Vec::new();
        let walked = self.walk(result.node);
        let walk = self.walks;
        for id in walked {
            let vertex = self.vertex(id);
            let node = graph.node(id);
            match &mut self.listed[vertex as usize] {
                (at, of) if *of != walk => {
                    (*at, *of) = (listed.len() as u32, walk);
                    listed.push(Listed { vertex, first: node, joined: None });
                }
                (at, _) => {
                    let at = &mut listed[*at as usize];
                    at.joined.get_or_insert_with(|| Box::new(at.first.meta.clone())).join(&node.meta);
                }
            }
        }

        let mut def: Vec<Bytes> = Vec::with_capacity(listed.len() + 1);
        let mut vertices: Vec<Digest> = Vec::with_capacity(listed.len() + 1);
        for l in &listed {
            let vertex = &self.vertices[l.vertex as usize];
            def.push(vertex.bytes.clone());
            vertices.push(vertex.digest);
        }
        let last = pb::Op { inputs: vec![self.input(result)], ..pb::Op::default() }.encode_to_vec();
        let mut metadata: Vec<pb::MetadataEntry> = Vec::with_capacity(listed.len() + 1);
        let digest = Digest::of(&last);
        metadata.push(pb::MetadataEntry { key: digest.to_string(), value: last_metadata(&listed) });
        def.push(last.into());
        vertices.push(digest);

        let source = self.source(&listed);
        let mut origins = HashMap::with_capacity(listed.len());
        for l in &listed {
            let vertex = &self.vertices[l.vertex as usize];
            metadata.push(pb::MetadataEntry { key: vertex.name.clone(), value: encode::metadata(l.meta()) });
            if !l.meta().origins.is_empty() {
                origins.insert(vertex.digest, l.meta().origins.clone());
            }
        }
        metadata.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let definition = pb::Definition { def, metadata, source: Some(source) };
        Emitted { definition, vertices, origins: Origins(origins) }
    }

    /// Where the listed vertices are written. Of equal source texts only the first is kept, in the order in which
    /// vertices point to them (client/llb/sourcemap.go).
    fn source(&mut self, listed: &[Listed]) -> pb::Source {
        let graph = self.graph;
        let mut used: Vec<u32> = listed.iter().flat_map(|l| &l.meta().locations).map(|l| l.source).collect();
        if self.order == Order::Listed {
            used.sort_unstable();
        }
        let mut texts: Vec<&SourceInfo> = Vec::new();
        let mut text_of: Vec<Option<i32>> = vec![None; graph.sources.len()];
        for source in used {
            text_of[source as usize].get_or_insert_with(|| {
                let text = &graph.sources[source as usize];
                let equal = |t: &&SourceInfo| {
                    (&t.filename, &t.language, &t.data) == (&text.filename, &text.language, &text.data)
                };
                texts.iter().position(equal).unwrap_or_else(|| {
                    texts.push(text);
                    texts.len() - 1
                }) as i32
            });
        }

        let mut locations = Vec::with_capacity(listed.len());
        for l in listed {
            let location = |l: &Location| pb::Location {
                source_index: text_of[l.source as usize].unwrap_or_default(),
                ranges: encode::ranges(&l.ranges),
            };
            locations.push(pb::LocationsEntry {
                key: self.vertices[l.vertex as usize].name.clone(),
                value: pb::Locations { locations: l.meta().locations.iter().map(location).collect() },
            });
        }
        locations.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let infos = texts
            .into_iter()
            .map(|text| pb::SourceInfo {
                filename: text.filename.clone(),
                data: Bytes::from_owner(text.data.clone()),
                definition: text.state.map(|state| self.definition(Some(state)).definition),
                language: text.language.clone(),
            })
            .collect();
        pb::Source { locations, infos }
    }

    /// The nodes that `root` needs and itself, each once, inputs first.
    fn walk(&mut self, root: NodeId) -> Vec<NodeId> {
        struct Frame {
            node: NodeId,
            /// Its inputs in `inputs`, of which those before `next` are done.
            next: usize,
            from: usize,
        }
        self.walks += 1;
        let walk = self.walks;
        let mut done = Vec::new();
        let mut inputs: Vec<NodeId> = Vec::new();
        let mut stack: Vec<Frame> = Vec::new();
        let mut open = Some(root);
        loop {
            if let Some(node) = open.take()
                && std::mem::replace(&mut self.met[node.index()], walk) != walk
            {
                let from = inputs.len();
                let n = self.graph.node(node);
                inputs.extend(n.pinned.iter().map(|r| r.node));
                n.op.each_visit(&mut |r| inputs.push(r.node));
                stack.push(Frame { node, next: from, from });
            }
            let Some(top) = stack.last_mut() else { break };
            if let Some(input) = inputs.get(top.next) {
                top.next += 1;
                open = Some(*input);
            } else {
                inputs.truncate(top.from);
                done.push(top.node);
                stack.pop();
            }
        }
        if self.order == Order::Listed {
            done.sort_unstable();
        }
        done
    }

    /// Which vertex a node is. Its inputs must be known.
    fn vertex(&mut self, id: NodeId) -> u32 {
        if let Some(known) = self.vertex_of[id.index()] {
            return known;
        }
        let node = self.graph.node(id);
        let bytes = self.message(node).encode_to_vec();
        let digest = Digest::of(&bytes);
        let vertices = &mut self.vertices;
        let vertex = *self.by_digest.entry(digest).or_insert_with(|| {
            vertices.push(Vertex { digest, name: digest.to_string(), bytes: bytes.into() });
            vertices.len() as u32 - 1
        });
        self.vertex_of[id.index()] = Some(vertex);
        vertex
    }

    fn message(&mut self, node: &Node) -> pb::Op {
        // Exec, file and build ops list an input once; the others as often as they use it, in that order.
        let once = matches!(node.op, Op::Exec(_) | Op::File(_) | Op::Build(_));
        let mut inputs = Vec::new();
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        let mut pinned = node.pinned.iter().copied();
        let mut list = |r: Ref, always: bool| {
            let at = (self.vertex_of[r.node.index()].expect("inputs come first"), r.output);
            match places.entry(at) {
                Entry::Vacant(e) => {
                    e.insert(inputs.len() as i64);
                }
                Entry::Occupied(_) if always => {}
                Entry::Occupied(_) => return,
            }
            inputs.push(self.input(r));
        };
        pinned.by_ref().for_each(|r| list(r, true));
        let pinned = !node.pinned.is_empty();
        node.op.each_ref(&mut |r| list(r, !once && !pinned));
        let mut asked = 0;
        let mut index = |r: Ref| {
            asked += 1;
            if once || pinned {
                let at = (self.vertex_of[r.node.index()].expect("inputs come first"), r.output);
                places[&at]
            } else {
                asked - 1
            }
        };
        let count = inputs.len();
        let op = encode::op(&node.op, &mut Inputs { count, index: &mut index });
        self.places = places;
        pb::Op {
            inputs,
            op: Some(op),
            platform: node.platform.as_deref().map(encode::platform),
            constraints: node.constraints.as_ref().map(|c| pb::WorkerConstraints { filter: c.clone() }),
        }
    }

    fn input(&self, r: Ref) -> pb::Input {
        let vertex = self.vertex_of[r.node.index()].expect("inputs come first");
        pb::Input { digest: self.vertices[vertex as usize].name.clone(), index: i64::from(r.output) }
    }
}

/// The last vertex asks for what the definition as a whole needs (client/llb/state.go).
fn last_metadata(listed: &[Listed]) -> pb::OpMetadata {
    let any = |has: fn(&Meta) -> bool| listed.iter().any(|l| has(l.meta()));
    let asked = [
        (true, caps::CONSTRAINTS),
        (any(|m| !m.description.is_empty()), caps::META_DESCRIPTION),
        (any(|m| m.export_cache.is_some()), caps::META_EXPORT_CACHE),
        (any(|m| m.ignore_cache), caps::META_IGNORE_CACHE),
        (true, caps::PLATFORM),
    ];
    let entry = |(_, cap): (bool, &str)| pb::BoolEntry { key: cap.to_owned(), value: true };
    pb::OpMetadata { caps: asked.into_iter().filter(|a| a.0).map(entry).collect(), ..pb::OpMetadata::default() }
}
