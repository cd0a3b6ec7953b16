//! Which targets a change of files touches.

use crate::lookup::is_remote;
use crate::select::linked_targets;
use rbc_ast::plan::{Plan, Target, Text};
use rbc_context::path;
use std::collections::{BTreeSet, HashMap};

/// Which files a target is built of, as far as the plan says it.
struct Uses {
    /// Files.
    files: Vec<String>,
    /// Directories, each with the name of the ignore file that counts there before `.dockerignore`.
    contexts: Vec<(String, Option<String>)>,
}

/// What a directory leaves out of a context.
pub trait Ignores {
    /// Whether the context in `directory` leaves out `path`, which is relative to it. `own` is the name of an ignore file
    /// that counts before `.dockerignore`.
    fn is_ignored(&self, directory: &str, own: Option<&str>, path: &str) -> bool;
}

/// The targets of a plan that a change of `changed` touches, and those that use such as contexts. Paths are relative to the
/// working directory. A change to one of `definitions`, the bake files themselves, touches every target.
pub fn affected(plan: &Plan, definitions: &[String], changed: &[String], ignores: &dyn Ignores) -> BTreeSet<Text> {
    let changed: Vec<String> = changed.iter().map(|p| path::clean(p)).collect();
    let definitions: Vec<String> = definitions.iter().map(|p| path::clean(p)).collect();
    if changed.iter().any(|c| definitions.contains(c)) {
        return plan.targets.keys().cloned().collect();
    }
    let touched = |target: &Target| {
        let uses = uses(target);
        changed.iter().any(|changed| {
            uses.files.contains(changed)
                || uses.contexts.iter().any(|(directory, own)| {
                    within(changed, directory)
                        .is_some_and(|inside| !ignores.is_ignored(directory, own.as_deref(), &inside))
                })
        })
    };
    let mut users: HashMap<&str, Vec<&Text>> = HashMap::new();
    for (name, target) in &plan.targets {
        for other in linked_targets(target) {
            users.entry(other).or_default().push(name);
        }
    }
    let mut open: Vec<&Text> = plan.targets.iter().filter(|(_, t)| touched(t)).map(|(n, _)| n).collect();
    let mut out: BTreeSet<Text> = open.iter().map(|name| (*name).clone()).collect();
    while let Some(name) = open.pop() {
        for user in users.get(&**name).into_iter().flatten() {
            if out.insert((*user).clone()) {
                open.push(user);
            }
        }
    }
    out
}

fn is_local(text: &str) -> bool {
    !is_remote(text) && !["target:", "docker-image:", "oci-layout:"].iter().any(|kind| text.starts_with(kind))
}

fn uses(target: &Target) -> Uses {
    let mut out = Uses { files: Vec::new(), contexts: Vec::new() };
    let dockerfile = target.dockerfile.as_ref().filter(|_| target.dockerfile_inline.is_none()).map(|d| &*d.value);
    let mut own = None;
    if let Some(context) = target.context.as_ref().filter(|c| is_local(&c.value)) {
        if let Some(file) = dockerfile.filter(|d| is_local(d)) {
            let file = path::clean(&at(&context.value, file));
            own = Some(format!("{file}.dockerignore"));
            out.files.extend([file.clone(), format!("{file}.dockerignore")]);
        }
        out.contexts.push((path::clean(&context.value), own));
    }
    for context in target.contexts.values().filter(|c| is_local(&c.value)) {
        let directory = context.value.strip_prefix("cwd://").unwrap_or(&context.value);
        out.contexts.push((path::clean(directory), None));
    }
    for (directory, _) in &out.contexts {
        out.files.push(path::clean(&at(directory, ".dockerignore")));
    }
    out
}

fn at(directory: &str, file: &str) -> String {
    if file.starts_with('/') { file.to_owned() } else { path::join(&[directory, file]) }
}

/// What a path is within a directory, if it is.
fn within(path: &str, directory: &str) -> Option<String> {
    match directory {
        "." => (!path.starts_with("../") && !path.starts_with('/')).then(|| path.to_owned()),
        _ => path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned),
    }
}
