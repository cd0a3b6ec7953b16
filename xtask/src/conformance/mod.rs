//! `cargo xtask conformance [--cases DIR] [--json] [--diff ID] [--suite NAME]`: runs recorded cases through the same
//! library call as `rbc compile` and says what is identical and what is not.

mod bake;
mod dockerfile;
mod lint;
mod report;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use report::Report;

/// What the user asked for.
struct Options {
    cases: PathBuf,
    json: bool,
    /// Show how this case differs.
    diff: Option<String>,
    /// How many differing cases to list.
    list: usize,
    only: Option<String>,
}

/// Runs the command. Gives whether all cases are as recorded.
pub fn run(args: &[&str]) -> Result<bool, String> {
    let mut options = Options { cases: default_cases(), json: false, diff: None, list: 20, only: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().map(|v| (*v).to_owned()).ok_or_else(|| format!("{arg} needs a value"));
        match *arg {
            "--cases" => options.cases = value()?.into(),
            "--json" => options.json = true,
            "--diff" => options.diff = Some(value()?),
            "--list" => options.list = value()?.parse().map_err(|_| "--list needs a number")?,
            "--only" => options.only = Some(value()?),
            _ => return Err(format!("there is no option {arg}; there are --cases, --json, --diff, --list and --only")),
        }
    }
    let folders = folders(&options.cases);
    if folders.is_empty() {
        println!("conformance: there are no recorded cases at {}", options.cases.display());
        return Ok(true);
    }
    let mut reports = Vec::new();
    for (kind, folder) in folders {
        let report = match kind {
            "dockerfile" => dockerfile::run(&folder, options.diff.as_deref(), options.only.as_deref())?,
            "bake" => bake::run(&folder, options.diff.as_deref(), options.only.as_deref())?,
            "lint" => lint::run(&folder, options.diff.as_deref(), options.only.as_deref())?,
            _ => continue,
        };
        reports.push(report);
    }
    if options.diff.is_some() {
        return Ok(true);
    }
    if options.json {
        let all: Vec<_> = reports.iter().map(Report::to_json).collect();
        println!("{}", serde_json::Value::from(all));
    } else {
        for report in &reports {
            report.print(options.list);
        }
    }
    Ok(reports.iter().all(Report::is_clean))
}

/// The recorded cases lie beside the project: `../shared/conformance`, seen from its root or any worktree.
pub fn default_cases() -> PathBuf {
    if let Some(dir) = std::env::var_os("RBC_CONFORMANCE") {
        return dir.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.ancestors()
        .map(|dir| dir.join("shared/conformance"))
        .find(|dir| dir.is_dir())
        .unwrap_or("../shared/conformance".into())
}

/// Folders of cases below a directory, or the directory itself if it is one.
fn folders(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let is = |kind: &str, dir: &Path| match kind {
        "dockerfile" => {
            dir.join("cases").is_dir()
                && dir
                    .join("cases")
                    .read_dir()
                    .is_ok_and(|mut d| d.any(|f| f.is_ok_and(|f| f.path().extension().is_some_and(|e| e == "jsonl"))))
        }
        "bake" => dir.join("cases").is_dir() && dir.join("expr").is_dir(),
        "lint" => lint::is_folder(dir),
        _ => false,
    };
    let mut found = Vec::new();
    for kind in ["dockerfile", "bake", "lint"] {
        for dir in [dir.to_path_buf(), dir.join(kind)] {
            if is(kind, &dir) {
                found.push((kind, dir));
            }
        }
    }
    found
}

/// Works through a list on all cores; what comes of it is in the order of the list.
fn in_parallel<T: Sync, R: Send>(list: &[T], work: impl Fn(&T) -> Option<R> + Sync) -> Result<Vec<R>, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = list.len().div_ceil(threads * 8).max(1);
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = list.chunks(part).nth(number) else { return done };
            done.push((number, chunk.iter().filter_map(&work).collect::<Vec<R>>()));
        }
    };
    let mut parts = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            parts.extend(thread.join().map_err(|_| "a case made rbc panic".to_owned())?);
        }
        Ok::<_, String>(())
    })?;
    parts.sort_by_key(|(number, _)| *number);
    Ok(parts.into_iter().flat_map(|(_, done)| done).collect())
}
