//! What the levels of optimization gain: over the recorded builds in numbers of the graph, and over real builds in time.
//!
//! `RBC_BENCH_RUNS` (default 5) is how often a build is measured; the median counts.

#[allow(dead_code, reason = "the benchmark of the compiler uses the rest")]
#[path = "../compile/input.rs"]
mod input;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rbc::compile;
use rbc::optimize::Optimizer;
use rbc_ir::{CapSet, Graph, Level, Op, Options, Ref, prune, share};

const LEVELS: [(&str, Level); 3] = [("-O0", Level::Exact), ("-O1", Level::Layers), ("-O2", Level::Files)];

fn main() {
    graphs();
    builds();
}

/// Numbers of one graph.
#[derive(Clone, Copy, Default)]
struct Numbers {
    /// Vertices, each once.
    vertices: usize,
    /// Steps on the longest way from a source to the result, commands alone and all.
    commands: usize,
    steps: usize,
    /// Layers of the result.
    layers: usize,
    /// Directories of the client that are sent whole.
    whole: usize,
}

impl Numbers {
    fn of(mut graph: Graph, result: Option<Ref>) -> Numbers {
        graph.roots = vec![rbc_ir::Root { name: String::new(), platform: None, result }];
        // What is equal counts once, as in the definition that is emitted.
        let graph = share(prune(graph));
        let Some(result) = graph.roots.first().and_then(|root| root.result) else { return Numbers::default() };
        let mut ways: Vec<(usize, usize)> = Vec::with_capacity(graph.len());
        let mut layers: Vec<usize> = Vec::with_capacity(graph.len());
        let mut numbers = Numbers { vertices: graph.len(), ..Numbers::default() };
        for (_, node) in graph.iter() {
            let (mut commands, mut steps) = (0, 0);
            node.op.each_ref(&mut |r| {
                commands = commands.max(ways[r.node.index()].0);
                steps = steps.max(ways[r.node.index()].1);
            });
            let own = usize::from(!matches!(node.op, Op::Source(_)));
            ways.push((commands + usize::from(matches!(node.op, Op::Exec(_))), steps + own));
            layers.push(layers_of(&node.op, &layers));
            if let Op::Source(source) = &node.op {
                let sent = source.identifier.starts_with("local://") && !source.attrs.contains_key("local.followpaths");
                numbers.whole += usize::from(sent);
            }
        }
        (numbers.commands, numbers.steps) = ways[result.node.index()];
        numbers.layers = layers[result.node.index()];
        numbers
    }

    fn add(&mut self, other: Numbers) {
        self.vertices += other.vertices;
        self.commands += other.commands;
        self.steps += other.steps;
        self.layers += other.layers;
        self.whole += other.whole;
    }
}

fn layers_of(op: &Op, layers: &[usize]) -> usize {
    let of = |r: Option<Ref>| r.map_or(0, |r| layers[r.node.index()]);
    match op {
        Op::Source(_) => 1,
        Op::Exec(exec) => 1 + exec.mounts.iter().find(|m| m.dest == "/").map_or(0, |m| of(m.input)),
        Op::File(file) => {
            let base = file.actions.first().map(|action| action.input);
            1 + if let Some(rbc_ir::Input::Ref(r)) = base { of(Some(r)) } else { 0 }
        }
        Op::Merge(merge) => merge.inputs.iter().map(|r| of(Some(*r))).sum(),
        Op::Diff(diff) => of(diff.upper).saturating_sub(of(diff.lower)),
        Op::Build(_) | Op::Passthrough(_) => 1,
    }
}

/// The recorded builds at each level.
fn graphs() {
    let builds = input::recorded();
    if builds.is_empty() {
        println!("the recorded builds are not there");
        return;
    }
    let mut sums = [Numbers::default(); 3];
    let (mut count, mut changed) = (0, [0; 3]);
    let mut time = [0.0; 3];
    for build in &builds {
        let compiled = compile(build.input(), &mut build.host.clone());
        for output in compiled.outputs {
            count += 1;
            let (graph, result) = (output.product.graph, output.product.result);
            let mut first = String::new();
            for (at, (_, level)) in LEVELS.into_iter().enumerate() {
                let options = Options { level, caps: CapSet::all(), ..Options::default() };
                let begin = Instant::now();
                let (after, results) =
                    Optimizer::new(options).run_for(graph.clone(), &[result]).expect("a whole graph");
                time[at] += begin.elapsed().as_secs_f64();
                let text = rbc_ir::text::print(&after);
                changed[at] += usize::from(at > 0 && text != first);
                first = if at == 0 { text } else { first };
                sums[at].add(Numbers::of(after, results[0]));
            }
        }
    }
    println!("{count} recorded graphs; sums over all");
    println!(
        "{:<6}{:>9}{:>10}{:>16}{:>14}{:>9}{:>16}{:>10}",
        "level", "changed", "vertices", "longest: steps", "of commands", "layers", "whole contexts", "passes ms"
    );
    for (at, (name, _)) in LEVELS.into_iter().enumerate() {
        let n = sums[at];
        println!(
            "{name:<6}{:>9}{:>10}{:>16}{:>14}{:>9}{:>16}{:>10.1}",
            changed[at],
            n.vertices,
            n.steps,
            n.commands,
            n.layers,
            n.whole,
            time[at] * 1e3
        );
    }
}

/// Builds that passes change, with the file that is changed between two runs.
const BUILDS: [(&str, &str, &str); 3] = [
    ("steps", "FROM base\nWORKDIR /a\nWORKDIR /b\nWORKDIR /c\nCOPY files /c/files\nWORKDIR /d\nRUN true\n", "files/f1"),
    (
        "stages",
        "FROM base AS one\nCOPY one /one\nRUN cp -r /one /made\nFROM base AS two\nCOPY files /two\nRUN cp -r /two /made\n\
         FROM scratch\nCOPY --from=one /made /one\nCOPY --from=two /made /two\n",
        "one/f1",
    ),
    (
        "mount",
        "FROM base AS tools\nWORKDIR /tools\nCOPY one /tools\nWORKDIR /else\nCOPY files /else\nFROM base\n\
         RUN --mount=type=bind,from=tools,source=/tools,target=/t ls /t > /list\n",
        "files/f1",
    ),
];

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = Command::new("rm").arg("-rf").arg(&self.0).status();
    }
}

/// Real builds at each level: cold, the same again, and one file changed.
fn builds() {
    let runs = std::env::var("RBC_BENCH_RUNS").ok().and_then(|v| v.parse().ok()).unwrap_or(5_usize);
    let scratch = Scratch(std::env::temp_dir().join(format!("rbc-bench-opt-{}", std::process::id())));
    let write = |name: &str, bytes: &[u8]| {
        let path = scratch.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    };
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists());
    write("base/busybox", &std::fs::read(busybox.expect("the benchmark needs a static busybox")).expect("a file"));
    write(
        "base/Dockerfile",
        b"FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/bin\n",
    );
    run(&scratch.0, &["base", "-t", "base", "-o", "type=oci,tar=false,dest=base.oci"], "store");
    println!("\nreal builds, seconds; medians of {runs}");
    println!("{:<10}{:<6}{:>9}{:>9}{:>9}", "build", "level", "cold", "again", "changed");
    for (name, text, file) in BUILDS {
        write(&format!("{name}/Dockerfile"), text.as_bytes());
        for number in 0..500 {
            write(&format!("{name}/files/f{number}"), format!("{name} {number}").as_bytes());
        }
        for number in 0..20 {
            write(&format!("{name}/one/f{number}"), format!("{name} {number}").as_bytes());
        }
        for (level, _) in LEVELS {
            let args = [name, level, "--build-context", "base=oci-layout://base.oci", "-o", "type=cacheonly"];
            let mut times = [Vec::new(), Vec::new(), Vec::new()];
            for number in 0..runs {
                let store = format!("store-{name}{level}-{number}");
                times[0].push(run(&scratch.0, &args, &store));
                times[1].push(run(&scratch.0, &args, &store));
                write(&format!("{name}/{file}"), format!("{level} {number}").as_bytes());
                times[2].push(run(&scratch.0, &args, &store));
            }
            let [cold, again, changed] = times.map(|mut list| {
                list.sort_by(f64::total_cmp);
                list[list.len() / 2]
            });
            println!("{name:<10}{level:<6}{cold:>9.4}{again:>9.4}{changed:>9.4}");
        }
    }
}

/// Builds, and gives the seconds that it took.
fn run(dir: &Path, args: &[&str], store: &str) -> f64 {
    let begin = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_rbc"))
        .current_dir(dir)
        .args(["build", "--progress", "quiet", "--store", store])
        .args(args)
        .stdout(Stdio::null())
        .output()
        .expect("rbc runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    begin.elapsed().as_secs_f64()
}
