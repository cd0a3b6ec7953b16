//! What must hold for the picture of every graph, and pictures that are compared with files.
#![allow(clippy::disallowed_methods, reason = "pictures to compare with are files")]

use std::path::{Path, PathBuf};

use rbc_ir::random::{self, Rng};
use rbc_ir::{Copy, Exec, ExecMeta, File, FileAction, Graph, Meta, Mount, NodeId, Op, ROOT_MOUNT, Ref, Root, Source};
use rbc_source::{FileId, SourceFile};

use crate::layout::{NOTE, Point, Rect, STRONG, TEXT_AT, TITLE};
use crate::{Detail, Direction, Kind, Options, Picture, dot, html, mermaid, picture, svg};

/// A file op or a command named as a frontend would.
pub(crate) struct Dockerfile {
    pub graph: Graph,
}

impl Dockerfile {
    fn meta(name: &str) -> Meta {
        let mut meta = Meta::default();
        meta.description.insert("llb.customname".into(), name.to_owned());
        meta
    }

    pub fn source(&mut self, identifier: &str, name: &str) -> Ref {
        let source = Source { identifier: identifier.to_owned(), ..Source::default() };
        self.graph.add(Op::Source(source), None, Self::meta(name)).out()
    }

    pub fn run(&mut self, base: Option<Ref>, command: &str, name: &str) -> Ref {
        let meta = ExecMeta { args: vec![command.to_owned()], cwd: "/".to_owned(), ..ExecMeta::default() };
        let mounts = vec![Mount { output: Some(0), ..Mount::bind(ROOT_MOUNT, base) }];
        let exec = Exec { meta, mounts, ..Exec::default() };
        self.graph.add(Op::Exec(Box::new(exec)), None, Self::meta(name)).out()
    }

    pub fn copy(&mut self, base: Option<Ref>, from: Ref, dest: &str, name: &str) -> Ref {
        let action = FileAction { output: Some(0), ..FileAction::copy(base, Some(from), Copy::new("/out", dest)) };
        self.graph.add(Op::File(File { actions: vec![action] }), None, Self::meta(name)).out()
    }

    pub fn result(&mut self, result: Ref) {
        self.graph.roots.push(Root { name: String::new(), platform: None, result: Some(result) });
    }
}

/// A build of `stages` stages of up to `steps` steps, with bases and copies at random.
pub(crate) fn dockerfile(rng: &mut Rng, stages: usize, steps: usize) -> Graph {
    let mut d = Dockerfile { graph: Graph::new() };
    let context = d.source("local://context", "[internal] load build context");
    let mut done: Vec<Ref> = Vec::new();
    for stage in 0..stages {
        let count = 1 + rng.below(steps);
        let name = |step: usize, what: &str| format!("[stage{stage} {step}/{count}] {what}");
        let mut state = match done.len() {
            n if n > 0 && rng.one_in(2) => done[n - 1 - rng.below(n.min(4))],
            _ => {
                let image = format!("docker-image://docker.io/library/image{}:latest", rng.below(stages));
                d.source(&image, &name(1, &format!("FROM {image}")))
            }
        };
        for step in 0..count {
            let what = format!("a{}", rng.number());
            state = match rng.below(4) {
                0 => d.copy(Some(state), context, &what, &name(step, &format!("COPY . {what}"))),
                1 if !done.is_empty() => {
                    let from = done[rng.below(done.len())];
                    d.copy(Some(state), from, &what, &name(step, &format!("COPY --from=x /out {what}")))
                }
                _ => d.run(Some(state), &what, &name(step, &format!("RUN {what}"))),
            };
        }
        done.push(state);
    }
    for state in done.iter().rev().step_by(3) {
        d.result(*state);
    }
    d.graph
}

fn draw(graph: &Graph, direction: Direction, detail: Detail) -> Picture {
    let options = Options { direction, detail, ..Options::default() };
    picture(graph, &graph.roots, &|id: NodeId| Some(format!("sha256:{}", id.0)), options)
}

/// Draws each graph in every way.
fn each(graphs: impl Iterator<Item = Graph>, mut f: impl FnMut(&Graph, &Picture)) {
    for graph in graphs {
        for direction in [Direction::Right, Direction::Down] {
            for detail in [Detail::Steps, Detail::Stages] {
                f(&graph, &draw(&graph, direction, detail));
            }
        }
    }
}

fn graphs() -> impl Iterator<Item = Graph> {
    let wild = (0..150).map(|seed| random::graph(&mut Rng::new(seed), 4 + seed as usize / 3));
    let tame = (0..80).map(|seed| dockerfile(&mut Rng::new(seed), 1 + seed as usize / 5, 9));
    wild.chain(tame)
}

fn overlap(a: Rect, b: Rect) -> bool {
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

fn holds(outer: Rect, inner: Rect) -> bool {
    outer.x <= inner.x
        && outer.y <= inner.y
        && inner.x + inner.w <= outer.x + outer.w
        && inner.y + inner.h <= outer.y + outer.h
}

fn on_border(r: Rect, p: Point) -> bool {
    let beside = (p.x == r.x || p.x == r.x + r.w) && (r.y..=r.y + r.h).contains(&p.y);
    let above = (p.y == r.y || p.y == r.y + r.h) && (r.x..=r.x + r.w).contains(&p.x);
    beside || above
}

#[test]
fn boxes_keep_apart_and_inside() {
    each(graphs(), |_, picture| assert_sound_boxes(picture));
}

fn assert_sound_boxes(picture: &Picture) {
    let (model, d) = (&picture.model, &picture.drawing);
    let all = Rect { x: 0, y: 0, w: d.width, h: d.height };
    for (at, b) in d.boxes.iter().enumerate() {
        assert!(holds(all, *b));
        let label = &d.labels[at];
        let strong = matches!(model.steps[at].kind, Kind::Stage | Kind::Result);
        let widths = label.title.iter().map(|line| if strong { STRONG } else { TITLE }.width(line));
        for width in widths.chain(label.notes.iter().map(|line| NOTE.width(line))) {
            assert!(TEXT_AT + width <= b.w, "{label:?}");
        }
        for (other, c) in d.boxes.iter().enumerate().skip(at + 1) {
            assert!(!overlap(*b, *c), "{at} and {other}");
        }
        for (group, frame) in d.frames.iter().enumerate() {
            if model.steps[at].group == Some(group) {
                assert!(holds(*frame, *b));
            } else {
                assert!(!overlap(*frame, *b));
            }
        }
    }
    for (at, frame) in d.frames.iter().enumerate() {
        assert!(holds(all, *frame));
        d.frames.iter().skip(at + 1).for_each(|other| assert!(!overlap(*frame, *other)));
    }
}

#[test]
fn lines_lead_from_box_to_box_and_through_none() {
    each(graphs(), |_, picture| assert_sound_lines(picture));
}

fn assert_sound_lines(picture: &Picture) {
    let d = &picture.drawing;
    for (edge, lines) in picture.model.edges.iter().zip(&d.lines) {
        let first = lines.first().and_then(|line| line.first()).copied().expect("a line");
        let last = lines.last().and_then(|line| line.last()).copied().expect("a line");
        assert!(on_border(d.boxes[edge.from], first), "{edge:?}");
        let frame = picture.model.steps[edge.to].group.map(|group| d.frames[group]);
        assert!(on_border(d.boxes[edge.to], last) || frame.is_some_and(|f| on_border(f, last)), "{edge:?}");
        for piece in lines.iter().flat_map(|line| line.windows(2)) {
            let (p, q) = (piece[0], piece[1]);
            assert!(p.x == q.x || p.y == q.y, "{p:?} {q:?}");
            assert!(p.x.max(q.x) <= d.width && p.y.max(q.y) <= d.height && p.x.min(q.x) >= 0 && p.y.min(q.y) >= 0);
            for b in &d.boxes {
                let through =
                    p.x.min(q.x) < b.x + b.w && p.x.max(q.x) > b.x && p.y.min(q.y) < b.y + b.h && p.y.max(q.y) > b.y;
                assert!(!through, "{edge:?}: {p:?} to {q:?} through {b:?}");
            }
        }
    }
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    let write = |graph: &Graph| {
        let picture = draw(graph, Direction::Auto, Detail::Steps);
        [svg(&picture), html(&picture), dot(&picture), mermaid(&picture)]
    };
    graphs().step_by(5).for_each(|graph| assert!(write(&graph) == write(&graph)));
}

#[test]
fn every_needed_vertex_is_in_the_picture_once() {
    each((0..60).map(|seed| dockerfile(&mut Rng::new(seed), 8, 6)), |graph, picture| {
        let model = &picture.whole;
        let mut pruned = rbc_ir::share(rbc_ir::prune(graph.clone()));
        pruned.roots.clear();
        assert_eq!(model.steps.len(), pruned.len() + graph.roots.len());
        let mut grouped: Vec<usize> = model.groups.iter().flat_map(|g| g.steps.iter().copied()).collect();
        grouped.sort_unstable();
        grouped.dedup();
        assert_eq!(grouped.len(), model.steps.iter().filter(|s| s.group.is_some()).count());
        for edge in &model.edges {
            assert!(edge.from < edge.to);
        }
    });
}

#[test]
fn large_graphs_are_folded() {
    let mut d = Dockerfile { graph: Graph::new() };
    let mut state = d.source("docker-image://a", "");
    for step in 0..10_000 {
        state = d.run(Some(state), &format!("make {step}"), "");
    }
    d.result(state);
    let chain = draw(&d.graph, Direction::Auto, Detail::Steps);
    assert!(chain.model.steps.len() < 10, "{}", chain.model.steps.len());
    assert!(chain.model.steps.iter().any(|step| step.kind == Kind::Folded && step.title == "9999 steps"));
    assert!(svg(&chain).contains("9999 steps"));

    let many = dockerfile(&mut Rng::new(1), 1000, 9);
    let picture = draw(&many, Direction::Auto, Detail::Steps);
    assert!(picture.model.groups.len() > 300);
    assert!(picture.model.steps.iter().any(|step| step.kind == Kind::Folded));
    svg(&picture);
}

/// Stages each of which builds on the one before, and a last one that copies from each.
fn chain(stages: usize) -> Graph {
    let mut d = Dockerfile { graph: Graph::new() };
    let mut state = d.source("docker-image://a", "[s0 1/1] FROM a");
    let mut done = Vec::new();
    for stage in 0..stages {
        state = d.run(Some(state), "make", &format!("[s{stage} 1/1] RUN make {stage}"));
        done.push(state);
    }
    for from in done {
        state = d.copy(Some(state), from, "/x", "[last 1/1] COPY x");
    }
    d.result(state);
    d.graph
}

#[test]
fn of_too_long_lines_the_ends_are_drawn() {
    each(std::iter::once(chain(130)), |_, picture| {
        assert_sound_boxes(picture);
        assert_sound_lines(picture);
        let torn = picture.drawing.lines.iter().filter(|line| line.len() == 2).count();
        assert!((1..60).contains(&torn), "{torn}");
    });
}

#[test]
fn stages_that_need_each_other_are_split() {
    let mut d = Dockerfile { graph: Graph::new() };
    let image = d.source("docker-image://a", "");
    let mut a = d.run(Some(image), "a", "[a 1/2] RUN a");
    let mut b = d.copy(None, a, "/b", "[b 1/2] COPY a b");
    for step in 0..3 {
        a = d.copy(Some(a), b, &format!("/a{step}"), "[a 2/2] COPY b a");
        b = d.copy(Some(b), a, &format!("/b{step}"), "[b 2/2] COPY a b");
    }
    d.result(b);
    let picture = draw(&d.graph, Direction::Auto, Detail::Steps);
    assert_eq!(picture.model.groups.iter().filter(|g| g.name == "a").count(), 4);
    draw(&d.graph, Direction::Auto, Detail::Stages);
}

/// Compares pictures with the files beside their graphs in `tests/golden`; `RBC_BLESS=1 cargo test -p rbc-picture` writes
/// them anew. `docs/graph.svg` is one of them.
#[test]
fn golden() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/graph.svg");
    let mut differ = Vec::new();
    let mut compare = |path: &Path, found: &str| {
        if std::env::var_os("RBC_BLESS").is_some_and(|v| v == "1") {
            std::fs::write(path, found).unwrap();
        } else if std::fs::read_to_string(path).unwrap_or_default() != found {
            differ.push(path.display().to_string());
        }
    };
    for name in ["app", "foreign", "parallel"] {
        let graph = read(&std::fs::read_to_string(folder.join(name).with_extension("llb")).unwrap());
        let options = Options { title: name.to_owned(), ..Options::default() };
        let steps = picture(&graph, &graph.roots, &|_| None, options.clone());
        compare(&folder.join(name).with_extension("svg"), &svg(&steps));
        compare(&folder.join(name).with_extension("dot"), &dot(&steps));
        compare(&folder.join(name).with_extension("mmd"), &mermaid(&steps));
        if name == "app" {
            compare(&docs, &svg(&steps));
            let options = Options { detail: Detail::Stages, direction: Direction::Down, ..options };
            let stages = picture(&graph, &graph.roots, &|_| None, options);
            compare(&folder.join("app-stages.svg"), &svg(&stages));
        }
    }
    assert!(differ.is_empty(), "{differ:?} differ; look at them after `RBC_BLESS=1 cargo test -p rbc-picture`");
}

#[test]
fn a_linked_copy_is_one_step() {
    let graph = read(&std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/app.llb")).unwrap());
    let picture = draw(&graph, Direction::Auto, Detail::Steps);
    let copies: Vec<_> = picture.model.steps.iter().filter(|s| s.title == "/web/dist /srv/www").collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].notes, ["from=web", "a layer of its own"]);
    assert_eq!(copies[0].facts.iter().filter(|fact| fact.0 == "Digest").count(), 2);
    assert!(!picture.model.steps.iter().any(|s| s.keyword == "LINK"));
}

/// Where the recorded cases are.
fn recorded() -> Option<PathBuf> {
    let given = std::env::var_os("RBC_CONFORMANCE").map(PathBuf::from);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = || here.ancestors().map(|dir| dir.join("shared/conformance")).find(|dir| dir.is_dir());
    given.or_else(found).map(|dir| dir.join("dockerfile/cases")).filter(|dir| dir.is_dir())
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let digits = group.iter().filter_map(|c| DIGITS.iter().position(|d| d == c));
        let (bits, n) = digits.fold((0, 0), |(bits, n), digit| (bits << 6 | digit as u32, n + 1));
        bytes.extend(&(bits << (6 * (4 - n)) << 8).to_be_bytes()[..(n * 6 / 8) as usize]);
    }
    bytes
}

/// Some of the definitions that BuildKit's frontend was recorded to give, and all of the largest.
#[test]
fn recorded_graphs_have_sound_pictures() {
    let Some(folder) = recorded() else { return println!("the recorded cases are not here") };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut nth = 0;
    for file in files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            nth += 1;
            if nth % 25 != 0 && line.len() < 150_000 {
                continue;
            }
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            for result in case["results"].as_array().into_iter().flatten() {
                let loaded = rbc_wire::load(&base64(result["pb"].as_str().unwrap_or_default())).unwrap();
                each(std::iter::once(loaded.graph), |_, picture| {
                    assert_sound_boxes(picture);
                    assert_sound_lines(picture);
                });
            }
        }
    }
}

/// Text that would be code if it were not escaped.
const ATTACKS: [&str; 12] = [
    "</script><script>parent.hacked=1</script>",
    "<img src=x onerror=hacked=1>",
    "\"><svg onload=hacked=1>",
    "' onmouseover='hacked=1",
    "]]><!--",
    "-->",
    "\u{2028}hacked=1\u{2029}",
    "\\\"); hacked=1 //",
    "${hacked=1}`",
    "javascript:hacked=1",
    "&lt;b&gt; &#60;script&#62;",
    "\u{202e}\u{0}\u{1b}[31m\u{fffe}",
];

/// A graph in which every text that a user can write is `text`.
fn hostile(text: &str) -> Graph {
    let mut d = Dockerfile { graph: Graph::new() };
    let image = d.source(&format!("docker-image://{text}"), &format!("[{text} 1/2] FROM {text}"));
    let state = d.run(Some(image), text, &format!("[{text} 2/2] RUN {text}"));
    let other = d.source(&format!("local://{text}"), &format!("[context {text}] {text}"));
    let state = d.copy(Some(state), other, text, text);
    let ids: Vec<NodeId> = d.graph.iter().map(|(id, _)| id).collect();
    let source = d.graph.add_source(rbc_ir::SourceInfo {
        filename: text.to_owned(),
        language: text.to_owned(),
        data: text.as_bytes().into(),
        state: None,
    });
    for id in ids {
        let frame = rbc_ir::Frame { name: text.into(), span: None };
        let meta = &mut d.graph.node_mut(id).meta;
        meta.locations.push(rbc_ir::Location { source, ranges: vec![rbc_ir::Range::line(1)] });
        meta.origins = vec![rbc_ir::Origin { target: Some(frame.clone()), stage: Some(frame), step: 1, span: None }];
    }
    let platform = rbc_ir::Platform { os: text.to_owned(), ..rbc_ir::Platform::default() };
    d.graph.roots.push(Root { name: text.to_owned(), platform: Some(platform), result: Some(state) });
    d.graph
}

fn hostile_pages() -> impl Iterator<Item = (&'static str, Picture)> {
    ATTACKS.into_iter().flat_map(|text| {
        let graph = hostile(text);
        [Detail::Steps, Detail::Stages].map(|detail| {
            let options = Options { title: text.to_owned(), detail, ..Options::default() };
            (text, picture(&graph, &graph.roots, &|_| Some(text.to_owned()), options))
        })
    })
}

/// Only tags of ours are in the text, each of which closes, and quotes are even within them.
fn assert_markup(text: &str, tags: &[&str]) {
    for (at, _) in text.match_indices('<') {
        let rest = &text[at + 1..];
        let name = rest.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        assert!(tags.contains(&name), "<{}", &rest[..rest.len().min(40)]);
        let tag = rest.split('>').next().unwrap_or_default();
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
    }
}

#[test]
fn text_stays_text() {
    const SVG: [&str; 12] =
        ["svg", "title", "desc", "style", "defs", "path", "marker", "rect", "g", "text", "tspan", "use"];
    const HTML: [&str; 26] = [
        "html", "head", "meta", "body", "header", "h1", "h2", "p", "div", "label", "span", "input", "output", "button",
        "main", "aside", "details", "summary", "ol", "li", "script", "link", "b", "i", "a", "br",
    ];
    for (_, picture) in hostile_pages() {
        assert_markup(&svg(&picture), &SVG);
        let page = html(&picture);
        // The page's own script has comparisons in it; it is the same in every page.
        let (before, script) = page.rsplit_once("<script>").unwrap();
        assert!(script.starts_with("\"use strict\""));
        let before = before.replacen("<!DOCTYPE", "<html", 1);
        assert_markup(&before, &[SVG.as_slice(), HTML.as_slice()].concat());
        assert_eq!(before.matches("<script").count(), 1);
        for text in [svg(&picture), page, dot(&picture), mermaid(&picture)] {
            assert!(!text.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{0}', '\u{1b}', '\u{fffe}']));
        }
    }
}

/// Strings of Graphviz and Mermaid end where they should.
#[test]
fn quotes_are_closed() {
    for (attack, picture) in hostile_pages() {
        for line in dot(&picture).lines() {
            let plain = line.replace("\\\\", "").replace("\\\"", "");
            assert_eq!(plain.matches('"').count() % 2, 0, "{attack}: {line}");
        }
        for line in mermaid(&picture).lines().skip(3) {
            let quotes: Vec<usize> = line.match_indices('"').map(|(at, _)| at).collect();
            assert!(quotes.is_empty() || quotes.len() == 2, "{attack}: {line}");
            if let [open, close] = quotes[..] {
                let label = line[open + 1..close].replace("<br/>", "");
                assert!(!label.contains(['<', '>', '&', '`', '[', ']', '{', '}', '|']), "{attack}: {line}");
            }
        }
    }
}

fn read(text: &str) -> Graph {
    match rbc_ir::text::parse(&SourceFile::new(FileId(0), "graph", text)) {
        Ok(graph) => graph,
        Err(e) => panic!("{}: {:?}\n{text}", e.message, e.primary),
    }
}

/// How long large pictures take: `cargo test --release -p rbc-picture --lib -- --ignored --nocapture speed`.
#[test]
#[ignore = "measures"]
fn speed() {
    let mut steps = Dockerfile { graph: Graph::new() };
    let mut state = steps.source("docker-image://a", "");
    for step in 0..10_000 {
        state = steps.run(Some(state), &format!("make {step}"), "");
    }
    steps.result(state);
    let rng = &mut Rng::new(1);
    for (name, graph) in [
        ("300 stages of 1 to 3 steps", dockerfile(rng, 300, 3)),
        ("1,000 stages of 1 to 3 steps", dockerfile(rng, 1000, 3)),
        ("1,000 stages of 1 to 19 steps", dockerfile(rng, 1000, 19)),
        ("2,000 stages of 1 to 19 steps", dockerfile(rng, 2000, 19)),
        ("1,000 chained stages, a copy from each", chain(1000)),
        ("10,000 steps in a row", steps.graph),
        ("3,000 vertices at random", random::graph(rng, 6000)),
        ("10,000 vertices at random", random::graph(rng, 20_000)),
    ] {
        let start = std::time::Instant::now();
        let picture = draw(&graph, Direction::Auto, Detail::Steps);
        let drawn = start.elapsed();
        let (svg, html) = (svg(&picture), html(&picture));
        println!(
            "{name}: {} vertices, {} boxes, {} by {}: {drawn:.0?}, with SVG and HTML {:.0?} ({} and {} KiB)",
            graph.len(),
            picture.model.steps.len(),
            picture.drawing.width,
            picture.drawing.height,
            start.elapsed(),
            svg.len() >> 10,
            html.len() >> 10,
        );
    }
}
