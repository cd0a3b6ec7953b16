//! `cargo xtask conformance [--cases DIR] [--json] [--diff ID] [--suite NAME]`: runs recorded cases through the same
//! library call as `rbc compile` and says what is identical and what is not.

mod bake;
mod dockerfile;
mod report;

use std::path::{Path, PathBuf};

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
        _ => false,
    };
    let mut found = Vec::new();
    for kind in ["dockerfile", "bake"] {
        for dir in [dir.to_path_buf(), dir.join(kind)] {
            if is(kind, &dir) {
                found.push((kind, dir));
            }
        }
    }
    found
}
