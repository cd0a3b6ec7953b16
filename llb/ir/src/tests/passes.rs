//! The pipeline, and each pass on texts: `tests/pass/*.txt` in this crate. A file has the passes to run, a graph, what
//! becomes of it, and what is said about it. `RBC_BLESS=1` writes the latter two.
#![allow(clippy::disallowed_methods, reason = "the cases are files")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rbc_source::{FileId, SourceFile};

use super::read;
use crate::equiv::same;
use crate::random::{self, Rng};
use crate::shape::{Kind, Tree};
use crate::text::print;
use crate::{Graph, Known, Options, Outcome, PASSES, Pass, Remark, Watch, optimize, optimize_text};

const TWINS: &str = r#"
    %a = source "local://a" %b = source "local://a" %c = source "local://a" %dead = source "local://b"
    %m = merge [%a %b %c] root %m
"#;

#[test]
fn a_limit_stops_changes() {
    let mut counts = Vec::new();
    for limit in 0..5 {
        let options = Options { limit: Some(limit), ..Options::default() };
        let mut remarks: Vec<Remark> = Vec::new();
        let graph = optimize(read(TWINS), &options, &mut remarks).unwrap();
        counts.push(graph.len());
        let done: Vec<Outcome> = remarks.iter().map(|r| r.outcome).filter(|o| *o != Outcome::Stopped).collect();
        assert_eq!(done, (1..=limit.min(3)).map(Outcome::Done).collect::<Vec<_>>());
    }
    assert_eq!(counts, [5, 4, 3, 2, 2]);
}

#[derive(Default)]
struct Log(Vec<String>);

impl Watch for Log {
    fn begin(&mut self, pass: &'static Pass) {
        self.0.push(format!("begin {}", pass.name));
    }

    fn end(&mut self, pass: &'static Pass, graph: &Graph) {
        self.0.push(format!("end {} {}", pass.name, graph.len()));
    }
}

#[test]
fn who_watches_sees_each_pass() {
    let mut log = Log::default();
    let share = Pass::named("share").unwrap();
    let prune = Pass::named("prune").unwrap();
    let passes = Some(vec![share, prune]);
    optimize(read(TWINS), &Options { passes: passes.clone(), ..Options::default() }, &mut log).unwrap();
    assert_eq!(log.0, ["begin share", "end share 3", "begin prune", "end prune 2"]);
    let mut log = Log::default();
    optimize(read(TWINS), &Options { passes, last: Some("share"), ..Options::default() }, &mut log).unwrap();
    assert_eq!(log.0, ["begin share", "end share 3"]);
}

#[test]
fn names_are_unique_and_levels_rise() {
    for (at, pass) in PASSES.iter().enumerate() {
        assert_eq!(PASSES.iter().position(|p| p.name == pass.name), Some(at));
        assert!(Options::level(pass.preserves).passes().iter().any(|p| p.name == pass.name));
    }
    assert!(Options::level(crate::Level::Exact).passes().is_empty());
}

#[test]
fn text_to_text() {
    let text = |text: &str| {
        let file = SourceFile::new(FileId(0), "graph", text);
        optimize_text(&file, &Options::default(), &mut ()).map_err(|e| (e.code.id, e.notes.len()))
    };
    assert_eq!(text(TWINS).unwrap(), "%a = source \"local://a\"\n\n%merge = merge [%a, %a, %a]\n\nroot %merge\n");
    assert_eq!(text("%a = merge ["), Err(("E0404", 0)));
    assert_eq!(text("%a = merge []"), Err(("E0404", 1)));
}

/// How many random graphs to try: so many, or as many as `RBC_ROUNDS` says.
fn rounds(usual: u64) -> u64 {
    std::env::var("RBC_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// What the passes promise, on graphs that have everything and on such as Dockerfiles give: each pass alone, and all
/// together. Each must also find something to do.
#[test]
fn passes_keep_their_promise() {
    let mut known = Known::default();
    let platform = crate::Platform { os: "linux".into(), architecture: "amd64".into(), ..Default::default() };
    let listing = [("/a/b", Kind::Dir), ("/c", Kind::Link), ("/etc/passwd", Kind::File)];
    known.insert(random::IMAGES[2], Some(platform), Tree::listed(listing));
    let mut runs: Vec<(Vec<&'static Pass>, usize)> = PASSES.iter().map(|pass| (vec![pass], 0)).collect();
    runs.push((PASSES.iter().collect(), 0));
    for seed in 0..rounds(1000) {
        let mut rng = Rng::new(seed);
        let graph = if seed % 3 == 0 { random::graph(&mut rng, 12) } else { random::build(&mut rng, 14) };
        for (passes, changed) in &mut runs {
            let level = passes.iter().map(|p| p.preserves).max().unwrap();
            let options = Options { passes: Some(passes.clone()), known: known.clone(), ..Options::default() };
            let mut remarks: Vec<Remark> = Vec::new();
            let after = optimize(graph.clone(), &options, &mut remarks);
            let after = after.unwrap_or_else(|broken| panic!("seed {seed}: {broken}\n{}", print(&graph)));
            *changed += usize::from(remarks.iter().any(|r| matches!(r.outcome, Outcome::Done(_))));
            if let Err(difference) = same(&graph, &after, level, &known) {
                let remarks: String = remarks.iter().map(show).collect();
                panic!("seed {seed}: {difference}\n{remarks}{}\nagainst\n{}", print(&graph), print(&after));
            }
        }
    }
    for (passes, changed) in runs {
        println!("{:>5} {}", changed, passes.iter().map(|p| p.name).collect::<Vec<_>>().join(" "));
        assert!(changed >= 5, "{} did something only {changed} times", passes[0].name);
    }
}

/// A case: what stands behind each heading.
struct Case {
    path: PathBuf,
    passes: Vec<&'static Pass>,
    known: Known,
    head: String,
    before: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pass");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(case).collect()
}

fn case(path: PathBuf) -> Case {
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once("--- before\n").unwrap_or_else(|| panic!("{path:?} has no graph"));
    let before = rest.split("--- after\n").next().unwrap_or_default();
    let mut case =
        Case { path, passes: Vec::new(), known: Known::default(), head: head.to_owned(), before: before.to_owned() };
    for line in head.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.split_once(": ").unwrap_or_else(|| panic!("{:?}: {line}", case.path)) {
            ("passes", names) => case.passes = names.split(' ').map(|n| Pass::named(n).unwrap()).collect(),
            // known: IMAGE /dir/ /file /link@
            ("known", listing) => {
                let mut words = listing.split(' ');
                let image = words.next().unwrap_or_default();
                let paths = words.map(|word| match word.strip_suffix('@') {
                    Some(link) => (link, Kind::Link),
                    None if word.ends_with('/') => (word, Kind::Dir),
                    None => (word, Kind::File),
                });
                case.known.insert(image, None, Tree::listed(paths));
            }
            (key, _) => panic!("{:?}: {key}", case.path),
        }
    }
    case
}

fn show(remark: &Remark) -> String {
    let mut out = match remark.outcome {
        Outcome::Done(n) => format!("{n} {}", remark.pass),
        Outcome::Missed => format!("- {}", remark.pass),
        Outcome::Stopped => format!("! {}", remark.pass),
    };
    for origin in &remark.origins {
        let stage = origin.stage.as_ref().map_or("?", |s| &s.name);
        let _ = write!(out, " {stage}.{}", origin.step);
    }
    format!("{out}: {}\n", remark.message)
}

#[test]
fn cases_are_as_written() {
    let bless = std::env::var_os("RBC_BLESS").is_some();
    for Case { path, passes, known, head, before } in cases() {
        let graph = read(&before);
        let level = passes.iter().map(|p| p.preserves).max().unwrap();
        let options = Options { passes: Some(passes), known, ..Options::default() };
        let mut remarks: Vec<Remark> = Vec::new();
        let after = optimize(graph.clone(), &options, &mut remarks).unwrap();
        assert_eq!(same(&graph, &after, level, &options.known).map_err(|d| d.to_string()), Ok(()), "{path:?}");
        let remarks: String = remarks.iter().map(show).collect();
        let text =
            format!("{head}--- before\n{}\n--- after\n{}\n--- remarks\n{remarks}", before.trim(), print(&after).trim());
        if bless {
            std::fs::write(&path, text).unwrap();
        } else {
            let expected = std::fs::read_to_string(&path).unwrap();
            assert!(text == expected, "{path:?} differs; RBC_BLESS=1 updates it. Now it is:\n{text}");
        }
    }
}
