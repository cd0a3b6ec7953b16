//! `--affected-by`: only targets that a change touches.

use std::path::Path;
use std::process::Command;

use rbc_bake::{Ignores, Planned, affected};
use rbc_context::{Matcher, ignore};
use rbc_source::{Diagnostic, environment};

use super::args::BakeArgs;
use super::load::Loaded;
use crate::cli::Failure;

/// Plans only the targets of a plan that are affected.
///
/// # Errors
/// Git does not know what changed.
pub fn narrow(args: &BakeArgs, loaded: &Loaded, planned: Planned) -> Result<Planned, Failure> {
    let mut changed = Vec::new();
    for word in &args.affected_by {
        if is_range(word) {
            changed.extend(changes(word)?);
        } else {
            changed.push(relative(word));
        }
    }
    let definitions: Vec<String> = loaded.sources.iter().map(|file| file.name().to_owned()).collect();
    let names = affected(&planned.plan, &definitions, &changed, &Directories);
    let asked = |name: &&std::sync::Arc<str>| planned.plan.targets.get(&***name).is_some_and(|t| !t.linked);
    let targets: Vec<String> = names.iter().filter(asked).map(|name| name.to_string()).collect();
    if targets.is_empty() {
        return Ok(Planned::default());
    }
    Ok(loaded.definitions.plan(&args.request(targets), &loaded.env))
}

/// Whether a word is two commits, and not a file that is called so.
fn is_range(word: &str) -> bool {
    let is_path = word.starts_with("../") || word.contains("/../") || word == ".." || word.ends_with("/..");
    word.contains("..") && !is_path && !Path::new(word).exists()
}

/// A path as seen from the working directory, if it lies there.
fn relative(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = Path::new(path);
    path.strip_prefix(here).unwrap_or(path).to_string_lossy().into_owned()
}

fn git(args: &[&str]) -> Result<Vec<u8>, Diagnostic> {
    let failed = |why: String| Diagnostic::new(environment::READ, format!("git does not say what changed: {why}"));
    let output = Command::new("git").args(args).output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(output.stdout)
}

/// Files that differ between commits, as seen from the working directory.
fn changes(range: &str) -> Result<Vec<String>, Diagnostic> {
    let prefix = String::from_utf8_lossy(&git(&["rev-parse", "--show-prefix"])?).trim_end().to_owned();
    let names = git(&["diff", "--name-only", "--no-renames", "-z", range, "--"])?;
    let up = "../".repeat(prefix.matches('/').count());
    let seen = |name: &[u8]| {
        let name = String::from_utf8_lossy(name);
        name.strip_prefix(&prefix).map_or_else(|| format!("{up}{name}"), str::to_owned)
    };
    Ok(names.split(|b| *b == 0).filter(|n| !n.is_empty()).map(seen).collect())
}

/// Ignore files of this machine.
struct Directories;

impl Ignores for Directories {
    fn is_ignored(&self, directory: &str, own: Option<&str>, path: &str) -> bool {
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let text =
            own.and_then(|own| read(Path::new(own))).or_else(|| read(&Path::new(directory).join(".dockerignore")));
        let matcher = text.and_then(|text| Matcher::new(&ignore::read(&text).ok()?).ok());
        // A pattern that cannot be read stops the build, which then should be tried.
        matcher.is_some_and(|matcher| matcher.matches_or_parent_matches(path).unwrap_or(false))
    }
}
