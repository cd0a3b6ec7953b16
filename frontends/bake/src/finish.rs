//! The last steps to a target of a plan: paths in their final form, and values that must be well-formed.

use crate::environment::Environment;
use crate::forms;
use crate::lookup::is_remote;
use rbc_ast::limits::Ulimit;
use rbc_ast::plan::{Given, Origin, Target, Text};
use rbc_context::{GitParse, git, path};
use rbc_oci::Platform;
use rbc_source::{Diagnostic, bake as codes, go_bool};

/// Where the fault of a value shows.
fn blame<T>(message: String, given: &Given<T>, target: &Text) -> Diagnostic {
    let problem = Diagnostic::new(codes::VALUE, message);
    match &given.origin {
        Origin::Written { span, .. } => problem.at(*span),
        Origin::Flag(flag) => problem.note(format!("given by `{flag}` for the target `{target}`")),
        _ => problem.note(format!("in the target `{target}`")),
    }
}

/// Checks a target and brings its paths into their final form.
pub(crate) fn complete(target: &mut Target, env: &Environment, local: &Platform, diagnostics: &mut Vec<Diagnostic>) {
    let name = target.name.clone();
    if let Some(given) = env.process.get("SOURCE_DATE_EPOCH").filter(|v| !v.is_empty()) {
        target
            .args
            .entry("SOURCE_DATE_EPOCH".into())
            .or_insert_with(|| Given::new(given.as_str().into(), Origin::Environment("SOURCE_DATE_EPOCH".into())));
    }
    for (what, given) in [("context", &target.context), ("dockerfile", &target.dockerfile)] {
        if let Some(given) = given.as_ref().filter(|g| &*g.value == "-") {
            diagnostics.push(blame(format!("the {what} of a target cannot be standard input"), given, &name));
        }
    }
    if let Some(context) = &mut target.context {
        context.value = final_context(&context.value, env.remote.as_deref());
    }
    if let Some(given) = &target.shm_size
        && let Err(why) = forms::size(&given.value)
    {
        diagnostics.push(blame(format!("`shm-size`: {why}"), given, &name));
    }
    for given in &target.platforms {
        for part in given.value.split(',') {
            if !part.eq_ignore_ascii_case("local") && Platform::parse(part, local).is_err() {
                let problem = blame(format!("`{part}` is no platform"), given, &name);
                diagnostics.push(problem.note("a platform is written as `linux/amd64` or `linux/arm/v7`"));
            }
        }
    }
    for given in &target.ulimits {
        if let Err(why) = Ulimit::parse(&given.value) {
            diagnostics.push(blame(format!("`ulimits`: {why}"), given, &name));
        }
    }
    for given in &target.annotations {
        if let Err(why) = forms::check_annotation(&given.value) {
            diagnostics.push(blame(format!("`annotations`: {why}"), given, &name));
        }
    }
    for (what, given) in [("memory", &target.resources.memory), ("memory-swap", &target.resources.memory_swap)] {
        if let Some(given) = given {
            let unlimited = what == "memory-swap" && given.value.trim() == "-1";
            if let Err(why) = forms::size(given.value.trim())
                && !unlimited
            {
                diagnostics.push(blame(format!("`{what}`: {why}"), given, &name));
            }
        }
    }
    check_identity(target, &name, diagnostics);
    check_outputs(target, &name, diagnostics);
}

/// Secrets and agents need names, and each its own.
fn check_identity(target: &Target, name: &Text, diagnostics: &mut Vec<Diagnostic>) {
    for given in target.secrets.iter().filter(|s| s.value.id.is_empty()) {
        diagnostics.push(blame("a secret needs an `id`".into(), given, name));
    }
    let mut seen = std::collections::HashSet::new();
    for given in &target.ssh {
        let id = if given.value.id.is_empty() { "default" } else { &given.value.id };
        if !seen.insert(id) {
            diagnostics.push(blame(format!("the SSH agent `{id}` comes twice"), given, name));
        }
    }
}

fn check_outputs(target: &mut Target, name: &Text, diagnostics: &mut Vec<Diagnostic>) {
    let mut stdout = false;
    for given in &mut target.outputs {
        let output = &mut given.value;
        let archive = match &*output.kind {
            "local" => false,
            "tar" => true,
            "oci" | "docker" => output.attrs.get("tar").and_then(|v| go_bool(v)).unwrap_or(true),
            _ => continue,
        };
        let kind = output.kind.clone();
        if !archive {
            let why = match &*output.dest {
                "" => "needs a directory: `dest=out`",
                "-" => "cannot go to standard output",
                _ => continue,
            };
            diagnostics.push(blame(format!("the output `{kind}` {why}"), given, name));
            continue;
        }
        if output.dest.is_empty() && &*kind != "docker" {
            output.dest = "-".into();
        }
        if &*output.dest == "-" && std::mem::replace(&mut stdout, true) {
            diagnostics.push(blame("only one output can go to standard output".into(), given, name));
        }
    }
}

/// The context as a builder takes it: a clean path, or an URL. Paths of a remote definition lie in its repository.
fn final_context(context: &str, remote: Option<&str>) -> Text {
    if let Some(local) = context.strip_prefix("cwd://") {
        return path::clean(local).into();
    }
    if is_remote(context) {
        return context.into();
    }
    let clean = path::clean(context);
    match remote {
        Some(url) => within(url, &clean).into(),
        None => clean.into(),
    }
}

/// A directory of a repository. Of anything but a repository it is the whole.
fn within(url: &str, subdir: &str) -> String {
    let subdir = path::clean(subdir);
    if subdir == "." {
        return url.into();
    }
    let GitParse::Git(found) = git::parse(url) else { return url.into() };
    let subdir = if found.subdir.is_empty() { subdir } else { path::clean(&path::join(&[&found.subdir, &subdir])) };
    if !url.contains('#')
        && let Some(changed) = with_query_subdir(url, &subdir)
    {
        return changed;
    }
    let (base, fragment) = url.split_once('#').unwrap_or((url, ""));
    let reference = fragment.split(':').next().unwrap_or("");
    format!("{base}#{reference}:{subdir}")
}

/// The URL with another `subdir` in its query, if there is one; the parameters sorted by name.
fn with_query_subdir(url: &str, subdir: &str) -> Option<String> {
    let (base, query) = url.split_once('?')?;
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let mut found = false;
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name == "subdir" {
            if !std::mem::replace(&mut found, true) {
                pairs.push((name, escape_query(subdir)));
            }
        } else {
            pairs.push((name, value.to_owned()));
        }
    }
    pairs.sort_by_key(|(name, _)| *name);
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    found.then(|| format!("{base}?{}", query.join("&")))
}

fn escape_query(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}
