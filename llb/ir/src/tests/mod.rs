//! What must hold for every graph, tried on random ones.

mod equiv;
mod passes;

use rbc_source::{FileId, SourceFile};

use crate::equiv::same;
use crate::random::{self, Rng};
use crate::text::{parse, print};
use crate::{Graph, Known, Level, Meta, Op, Options, optimize, prune, share, verify};

fn each(count: u64, mut f: impl FnMut(u64, Graph)) {
    for seed in 0..count {
        f(seed, random::graph(&mut Rng::new(seed), 12));
    }
}

fn read(text: &str) -> Graph {
    match parse(&SourceFile::new(FileId(0), "graph", text)) {
        Ok(graph) => graph,
        Err(e) => panic!("{}: {:?}\n{text}", e.message, e.primary),
    }
}

#[test]
fn random_graphs_are_well_formed() {
    each(2000, |seed, graph| assert_eq!(verify(&graph), Ok(()), "seed {seed}"));
}

#[test]
fn what_is_printed_reads_as_the_same_graph() {
    each(2000, |seed, graph| {
        let text = print(&graph);
        let again = read(&text);
        assert_eq!(again, graph, "seed {seed}\n{text}");
        assert_eq!(print(&again), text, "seed {seed}");
    });
}

#[test]
fn mutated_text_never_panics() {
    each(300, |seed, graph| {
        let mut rng = Rng::new(seed);
        let mut text: Vec<char> = print(&graph).chars().collect();
        for _ in 0..20 {
            let at = rng.below(text.len() + 1);
            match rng.below(3) {
                0 => text.truncate(at),
                1 => text.insert(at, ['"', '{', '[', '%', '\\', ':', 'é', '-'][rng.below(8)]),
                _ => drop((at < text.len()).then(|| text.remove(at))),
            }
            let _ = parse(&SourceFile::new(FileId(0), "graph", text.iter().collect::<String>()));
        }
    });
    let deep = "%a = merge ".to_owned() + &"[".repeat(100_000);
    assert!(parse(&SourceFile::new(FileId(0), "graph", deep)).is_err());
}

#[test]
fn passes_keep_graphs_well_formed_and_settle() {
    each(1000, |seed, graph| {
        for pass in [prune, share] {
            let once = pass(graph.clone());
            assert_eq!(verify(&once), Ok(()), "seed {seed}");
            assert_eq!(pass(once.clone()), once, "seed {seed}");
        }
        assert!(optimize(graph, &Options::default(), &mut ()).is_ok(), "seed {seed}");
    });
}

#[test]
fn random_builds_are_well_formed() {
    for seed in 0..2000 {
        assert_eq!(verify(&random::build(&mut Rng::new(seed), 12)), Ok(()), "seed {seed}");
    }
}

/// Nothing takes more than linear time, or deep recursion.
#[test]
fn large_graphs_are_optimized() {
    use crate::{Action, Copy, File, FileAction, Mkdir, Root};
    let mut graph = Graph::new();
    let follow: Vec<String> = (0..5_000).map(|at| format!("\"{at}\"")).collect();
    let attrs = [("local.followpaths".to_owned(), format!("[{}]", follow.join(",")))];
    let source = crate::Source { identifier: "local://context".to_owned(), attrs: attrs.into() };
    let context = graph.add(Op::Source(source), None, Meta::default()).out();
    let mut last = None;
    for at in 0..10_000 {
        let mkdir = Mkdir { path: format!("/d/{at}"), mode: 0o755, make_parents: true, owner: None, timestamp: -1 };
        let copy = Copy { create_dest_path: true, ..Copy::new(format!("/{}", at / 2), format!("/c/{at}")) };
        let action = match at % 2 {
            0 => FileAction::on(last, Action::Mkdir(mkdir)),
            _ => FileAction::copy(last, Some(context), copy),
        };
        let actions = vec![FileAction { output: Some(0), ..action }];
        let made = graph.add(Op::File(File { actions }), None, Meta::default()).out();
        last = Some(match at % 100 {
            50 => graph.add(Op::Merge(crate::Merge { inputs: vec![made, made] }), None, Meta::default()).out(),
            _ => made,
        });
    }
    let deep = "/a".repeat(10_000);
    let action = FileAction::on(
        last,
        Action::Mkdir(Mkdir { path: deep, mode: 0, make_parents: true, owner: None, timestamp: -1 }),
    );
    let actions = vec![FileAction { output: Some(0), ..action }];
    let result = Some(graph.add(Op::File(File { actions }), None, Meta::default()).out());
    graph.roots.push(Root { name: String::new(), platform: None, result });
    let after = optimize(graph.clone(), &Options::level(Level::Files), &mut ()).unwrap();
    assert!(after.len() < 8_000, "{}", after.len());
    assert_eq!(same(&graph, &after, Level::Files, &Known::default()), Ok(()));
}

#[test]
fn what_is_dead_does_not_show() {
    for seed in 0..1000 {
        let mut rng = Rng::new(seed);
        let graph = if seed % 2 == 0 { random::graph(&mut rng, 12) } else { random::build(&mut rng, 12) };
        let after = prune(graph.clone());
        assert_eq!(same(&graph, &after, Level::Exact, &Known::default()), Ok(()), "seed {seed}");
    }
}

#[test]
fn sharing_loses_no_origin_and_no_location() {
    each(500, |seed, graph| {
        let count = |graph: &Graph| {
            let all = graph.iter().map(|(_, n)| (n.meta.origins.len(), n.meta.locations.len()));
            all.fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
        };
        assert_eq!(count(&share(graph.clone())), count(&graph), "seed {seed}");
    });
}

#[test]
fn a_graft_is_a_graph_of_its_own() {
    each(500, |seed, graph| {
        let mut into = random::graph(&mut Rng::new(seed + 1_000_000), 5);
        let before = into.len();
        for root in graph.roots.iter().filter_map(|r| r.result) {
            let grafted = into.graft(&graph, root);
            assert!(grafted.node.index() >= before);
            let (a, b) = (into.node(grafted.node), graph.node(root.node));
            assert_eq!((a.op.kind(), &a.platform), (b.op.kind(), &b.platform));
        }
        assert_eq!(verify(&into), Ok(()), "seed {seed}");
    });
}

#[test]
fn references_are_walked_alike() {
    each(500, |seed, graph| {
        for (_, node) in graph.iter() {
            let (mut read, mut changed, mut visited) = (Vec::new(), Vec::new(), Vec::new());
            node.op.each_ref(&mut |r| read.push(r));
            node.op.clone().each_ref_mut(&mut |r| changed.push(*r));
            node.op.each_visit(&mut |r| visited.push(r));
            assert_eq!(read, changed, "seed {seed}");
            for list in [&mut read, &mut visited] {
                list.sort_unstable();
                list.dedup();
            }
            assert_eq!(read, visited, "seed {seed}");
        }
    });
}

#[test]
fn broken_graphs_are_told() {
    let broken = |text: &str| verify(&read(text)).unwrap_err().into_iter().map(|b| b.invariant).collect::<Vec<_>>();
    assert_eq!(broken("%a = source \"\""), [6]);
    assert_eq!(broken("%a = exec []"), [7, 7, 7]);
    assert_eq!(
        broken("%a = source \"local://a\" %b = exec [\"x\"] {cwd: \"/\" mounts: [{dest: \"/\" input: %a:1}]}"),
        [5]
    );
    assert_eq!(
        broken("%a = exec [\"x\"] {cwd: \"/\" mounts: [{dest: \"/\" output: 0} {dest: \"/b\" output: 0}]}"),
        [8]
    );
    assert_eq!(broken("%a = file [rm {path: \"/a\"}]"), [9]);
    assert_eq!(broken("%a = file [rm {path: \"/a\" input: 0 output: 0}]"), [10]);
    assert_eq!(broken("%a = merge []"), [11]);
    assert_eq!(broken("%a = passthrough {id: \"a\"}"), [12]);
    assert_eq!(broken("%a = source \"local://a\" {locations: [{ranges: [1]}]}"), [3]);
    assert_eq!(broken("%a = source \"local://a\" {locations: [{ranges: [1]}]} text \"t\" {state: %a}"), [4]);
    let mut graph = read("%a = source \"local://a\" root %a:1");
    assert_eq!(verify(&graph).unwrap_err()[0].invariant, 5);
    graph.roots[0].result = Some(crate::NodeId(7).out());
    assert_eq!(verify(&graph).unwrap_err()[0].invariant, 2);
    let looped = Op::Diff(crate::Diff { lower: Some(crate::NodeId(1).out()), upper: None });
    graph.add(looped, None, Meta::default());
    assert_eq!(verify(&graph).unwrap_err()[0].invariant, 1);
}

#[test]
fn the_text_form_reads_well() {
    let text = r#"%alpine = source "docker-image://docker.io/library/alpine:3.20" {
  attrs: {"image.resolvemode": "local"}
  platform: "linux/amd64"
}

%context = source "local://context" {attrs: {"local.session": "s"}}

# Dockerfile:2: COPY . /src
%build.1 = file [
  copy {input: %alpine, secondary: %context, output: 0, src: "/", dest: "/src/", mode: 0o755}
] {locations: [{ranges: [2]}], origins: [{stage: {name: "build", span: [0, 5, 10]}, step: 1}]}

%build.2 = exec ["/bin/sh", "-c", "make"] {
  env: ["PATH=/bin"]
  cwd: "/src"
  mounts: [
    {dest: "/", input: %build.1, output: 0}
    {dest: "/root/.cache", kind: cache {id: "c", sharing: locked}}
  ]
  network: host
  platform: "linux/amd64"
  caps: ["exec.meta.base"]
  origins: [{stage: {name: "build"}, step: 2}]
}

text "Dockerfile" {
  language: "Dockerfile"
  data: [
    "FROM alpine AS build\n"
    "COPY . /src\n"
    "RUN make\n"
  ]
}

root %build.2 {platform: "linux/amd64"}

root none {name: "empty"}
"#;
    assert_eq!(print(&read(text)), text);
}
