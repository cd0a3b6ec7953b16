//! What must hold for every graph and for every run of bytes, tried on random ones.

use rbc_ir::random::{self, Rng};
use rbc_ir::{Action, File, FileAction, Graph, Meta, Op, Options, Rm, Root, optimize, prune, share, text};
use rbc_source::{FileId, SourceFile};

use crate::{Digest, Emitter, Order, emit, load, to_json, to_text};

fn each(count: u64, mut f: impl FnMut(u64, Graph)) {
    for seed in 0..count {
        f(seed, random::graph(&mut Rng::new(seed), 12));
    }
}

fn root_digests(graph: &Graph) -> Vec<Option<Digest>> {
    let mut emitter = Emitter::new(graph, Order::Walk);
    graph.roots.iter().map(|root| Some(emitter.digest(root.result?.node))).collect()
}

#[test]
fn emitted_and_loaded_and_emitted() {
    each(1000, |seed, graph| {
        let mut emitter = Emitter::new(&graph, Order::Walk);
        for root in &graph.roots {
            let bytes = emitter.emit(root.result).to_bytes();
            let loaded = load(&bytes).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            assert_eq!(loaded.renamed(), [], "seed {seed}");
            let result = loaded.graph.roots[0].result;
            assert!(Emitter::new(&loaded.graph, Order::Listed).emit(result).to_bytes() == bytes, "seed {seed}");
            assert_eq!(root.result.is_none(), bytes.is_empty());
        }
    });
}

#[test]
fn an_emitter_keeps_nothing_from_one_result_to_the_next() {
    each(300, |seed, graph| {
        let mut emitter = Emitter::new(&graph, Order::Walk);
        for root in &graph.roots {
            assert_eq!(emitter.emit(root.result), emit(&graph, root.result), "seed {seed}");
        }
    });
}

#[test]
fn passes_keep_the_names_of_the_results() {
    each(500, |seed, graph| {
        let before = root_digests(&graph);
        assert_eq!(root_digests(&prune(graph.clone())), before, "seed {seed}");
        assert_eq!(root_digests(&share(graph)), before, "seed {seed}");
    });
}

#[test]
fn a_graft_keeps_names() {
    each(300, |seed, graph| {
        let mut into = random::graph(&mut Rng::new(seed + 1_000_000), 5);
        for (root, digest) in graph.roots.iter().zip(root_digests(&graph)) {
            let Some(result) = root.result else { continue };
            let grafted = into.graft(&graph, result);
            let digests = [Emitter::new(&into, Order::Walk).digest(grafted.node)];
            assert_eq!(digests.map(Some), [digest], "seed {seed}");
            let (a, b) = (emit(&into, Some(grafted)), emit(&graph, root.result));
            let sorted = |e: &crate::Emitted| {
                let mut def = e.definition.def.clone();
                def.sort();
                def
            };
            assert_eq!(sorted(&a), sorted(&b), "seed {seed}");
        }
    });
}

#[test]
fn origins_lead_back() {
    each(300, |seed, mut graph| {
        graph.sources.iter_mut().for_each(|text| text.state = None);
        graph.roots.truncate(1);
        let graph = prune(graph);
        let emitted = emit(&graph, graph.roots[0].result);
        let mut emitter = Emitter::new(&graph, Order::Walk);
        for (id, node) in graph.iter() {
            let known = emitted.origins.of(emitter.digest(id));
            assert!(node.meta.origins.iter().all(|o| known.contains(o)), "seed {seed}");
        }
    });
}

#[test]
fn loaded_text_reads_as_the_same_graph() {
    each(300, |seed, graph| {
        let loaded = load(&emit(&graph, graph.roots[0].result).to_bytes()).unwrap();
        let text = to_text(&loaded);
        let again = text::parse(&SourceFile::new(FileId(0), "graph", &*text));
        assert_eq!(again.unwrap(), loaded.graph, "seed {seed}\n{text}");
    });
}

#[test]
fn json_is_json() {
    each(300, |seed, graph| {
        let loaded = load(&emit(&graph, graph.roots[0].result).to_bytes()).unwrap();
        let json = to_json(&loaded);
        let value: serde_json::Value =
            serde_json::from_str(&json).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{json}"));
        assert_eq!(value["vertices"].as_array().unwrap().len(), loaded.graph.len(), "seed {seed}");
    });
}

#[test]
fn any_bytes_are_a_definition_or_a_diagnostic() {
    let view = |bytes: &[u8]| {
        if let Ok(loaded) = load(bytes) {
            let result = loaded.graph.roots[0].result;
            let again = Emitter::new(&loaded.graph, Order::Listed).emit(result).to_bytes();
            assert!(load(&again).is_ok());
            let views = [to_text(&loaded), to_json(&loaded)];
            assert!(views.iter().all(|v| v.ends_with('\n')));
        }
    };
    each(300, |seed, graph| {
        let mut rng = Rng::new(seed);
        let bytes = emit(&graph, graph.roots[0].result).to_bytes();
        for _ in 0..30 {
            let mut bytes = bytes.clone();
            for _ in 0..=rng.below(3) {
                let at = rng.below(bytes.len() + 1);
                match rng.below(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, rng.number() as u8),
                    2 => drop((at < bytes.len()).then(|| bytes.remove(at))),
                    _ => bytes.iter_mut().skip(at).take(1).for_each(|b| *b = rng.number() as u8),
                }
            }
            view(&bytes);
        }
        let noise: Vec<u8> = (0..rng.below(200)).map(|_| rng.number() as u8).collect();
        view(&noise);
    });
}

/// The bytes of a vertex can be changed without the definition becoming useless if the names are changed with it; so try
/// vertices whose options are noise, which mutation of the whole rarely makes.
#[test]
fn any_vertex_is_a_vertex_or_a_diagnostic() {
    use prost::Message as _;

    use crate::pb;
    each(300, |seed, graph| {
        let mut rng = Rng::new(seed);
        let definition = emit(&graph, graph.roots[0].result).definition;
        for vertex in &definition.def {
            let mut bytes = vertex.to_vec();
            let at = rng.below(bytes.len());
            bytes.iter_mut().skip(at).take(1).for_each(|b| *b = rng.number() as u8);
            let last = pb::Op {
                inputs: vec![pb::Input { digest: Digest::of(&bytes).to_string(), index: 0 }],
                ..pb::Op::default()
            };
            let mut def = definition.def.clone();
            def.extend([bytes.into(), last.encode_to_vec().into()]);
            let bytes = pb::Definition { def, ..definition.clone() }.encode_to_vec();
            if let Ok(loaded) = load(&bytes) {
                loaded.renamed();
                to_text(&loaded);
            }
        }
    });
}

#[test]
fn a_long_chain_needs_no_deep_stack() {
    let mut graph = Graph::new();
    let mut last = None;
    for at in 0..20_000 {
        let rm = Action::Rm(Rm { path: format!("/{at}"), ..Rm::default() });
        let action = FileAction { output: Some(0), ..FileAction::on(last, rm) };
        last = Some(graph.add(Op::File(File { actions: vec![action] }), None, Meta::default()).out());
    }
    graph.roots.push(Root { name: String::new(), platform: None, result: last });
    let graph = optimize(graph, &Options::default(), &mut ()).unwrap();
    let loaded = load(&emit(&graph, last).to_bytes()).unwrap();
    assert_eq!(loaded.graph, graph);
    assert_eq!(Graph::new().graft(&graph, graph.roots[0].result.unwrap()).node.index(), 19_999);
}

#[test]
fn json_shows_everything_but_defaults() {
    let text = r#"
        %a = exec ["x"] {
            cwd: "/" network: none mounts: [{dest: "/" output: 0} {dest: "/c" kind: cache {id: "c"}}]
            locations: [{ranges: [1]}]
        }
        text "Dockerfile" {data: "RUN x"}
        root %a
    "#;
    let graph = text::parse(&SourceFile::new(FileId(0), "graph", text)).unwrap();
    let loaded = load(&emit(&graph, graph.roots[0].result).to_bytes()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&to_json(&loaded)).unwrap();
    let digest = loaded.digests[0].to_string();
    let expected = serde_json::json!({
        "vertices": [{
            "digest": digest,
            "kind": "exec",
            "args": ["x"],
            "cwd": "/",
            "mounts": [{"dest": "/", "output": 0}, {"dest": "/c", "kind": {"cache": {"id": "c"}}}],
            "network": "none",
            "locations": [{"ranges": [1]}],
        }],
        "texts": [{"filename": "Dockerfile", "data": "RUN x"}],
        "roots": [{"result": {"digest": digest, "index": 0}}],
    });
    assert_eq!(json, expected);
}
