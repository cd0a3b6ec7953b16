//! The embedded executor beside BuildKit: the same Dockerfiles and contexts, one tool after the other, and ratios.
//!
//! BuildKit's `buildkitd` and `buildctl` are looked for in the directory `RBC_BUILDKIT` or in PATH; without them only rbc's
//! figures are printed. `RBC_BENCH_SCALE` (default 0.1) is the part of the files of large contexts that is used, `RBC_BENCH_RUNS`
//! (default 5) how often is measured; the median counts. Arguments name workloads, by their beginning.

mod peers;
mod workloads;

use std::path::{Path, PathBuf};

use peers::{BuildKit, Cost, Rbc, Registry, Tool};
use workloads::{Measure, Project};

/// A directory that is gone afterwards.
pub struct Scratch(pub PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::process::Command::new("rm").arg("-rf").arg(&self.0).status();
    }
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let (scale, runs) = (number("RBC_BENCH_SCALE", 0.1), number("RBC_BENCH_RUNS", 5_usize));
    let scratch = Scratch(std::env::temp_dir().join(format!("rbc-bench-{}", std::process::id())));
    std::fs::create_dir_all(&scratch.0).expect("a temporary directory");
    let registry = Registry::start(&scratch.0.join("registry"));
    let rbc = Rbc::new(scratch.0.join("store"));
    let base = base(&scratch.0, &rbc, &registry.address);
    let buildkit = BuildKit::start(&scratch.0.join("buildkit"), &registry.address);
    if buildkit.is_none() {
        eprintln!("no buildkitd and buildctl: set RBC_BUILDKIT to their directory to measure beside them");
    }
    println!("large contexts are {scale} of their size; medians of {runs} runs, cold ones once");
    println!(
        "{:<14}{:>10}{:>10}{:>12}{:>12}{:>8}{:>8}",
        "workload", "rbc s", "cpu s", "BuildKit s", "cpu s", "wall", "cpu"
    );
    for project in workloads::all(&base, scale) {
        let hit = |m: &Measure| wanted.is_empty() || wanted.iter().any(|w| m.name.starts_with(w.as_str()));
        if !project.measures.iter().any(hit) {
            continue;
        }
        let dir = scratch.0.join(&project.name);
        let ours = measure(&project, &dir, &rbc, runs);
        let theirs = buildkit.as_ref().map(|tool| measure(&project, &dir, tool, runs));
        for (at, measure) in project.measures.iter().enumerate().filter(|(_, m)| hit(m)) {
            let own = ours[at];
            let line = format!("{:<14}{:>10.3}{:>10.3}", measure.name, own.wall, own.cpu);
            match theirs.as_ref().map(|costs| costs[at]) {
                None => println!("{line}"),
                Some(peer) => println!(
                    "{line}{:>12.3}{:>12.3}{:>7.1}x{:>7.1}x",
                    peer.wall,
                    peer.cpu,
                    peer.wall / own.wall,
                    peer.cpu / own.cpu.max(0.001)
                ),
            }
        }
        _ = std::fs::remove_dir_all(&dir);
    }
}

/// Makes the base image of all workloads, and brings it to the registry.
fn base(dir: &Path, rbc: &Rbc, registry: &str) -> String {
    let context = dir.join("base");
    std::fs::create_dir_all(&context).expect("a directory");
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists());
    std::fs::copy(busybox.expect("the benchmark needs a static busybox"), context.join("busybox")).expect("a copy");
    let text = "FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/bin\n";
    std::fs::write(context.join("Dockerfile"), text).expect("a file");
    let name = format!("{registry}/base:1");
    rbc.push(&context, &name);
    name
}

/// Runs all measures of a project with one tool, from the beginning.
fn measure(project: &Project, dir: &Path, tool: &dyn Tool, runs: usize) -> Vec<Cost> {
    _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).expect("a directory");
    (project.setup)(dir);
    let mut costs = Vec::new();
    for measure in &project.measures {
        let mut found: Vec<Cost> = Vec::new();
        for run in 0..if measure.once { 1 } else { runs } {
            // What differs must differ from all runs before, of other measures too.
            let number = costs.len() * 1_000 + run;
            (measure.before)(dir, number);
            found.push(tool.build(dir, &format!("N={}-{number}", project.name)));
        }
        found.sort_by(|a, b| a.wall.total_cmp(&b.wall));
        let wall = found[found.len() / 2].wall;
        found.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
        costs.push(Cost { wall, cpu: found[found.len() / 2].cpu });
    }
    costs
}
