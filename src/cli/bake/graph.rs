//! `--graph`: targets, and what they use.

use std::collections::BTreeMap;
use std::path::Path;

use rbc_ast::plan::{Plan, Target};
use rbc_context::{Context, classify};
use rbc_picture::{Edge, Kind, Model, Role, Step};

use crate::cli::graph::written;
use crate::cli::{Failure, write_output};

/// Draws a plan to a file.
///
/// # Errors
/// The extension of the file is of no picture, or it cannot be written.
pub fn draw(plan: &Plan, file: &Path) -> Result<(), Failure> {
    let options = rbc_picture::Options { title: "bake".to_owned(), ..rbc_picture::Options::default() };
    let text = written(&rbc_picture::picture_of(model(plan), options), Some(file))?;
    Ok(write_output(Some(file), text.as_bytes())?)
}

/// Boxes for targets and for what comes from outside, and lines for contexts.
fn model(plan: &Plan) -> Model {
    let mut steps: Vec<Step> = Vec::new();
    let mut outside: BTreeMap<String, usize> = BTreeMap::new();
    let mut edges = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for target in ordered(plan) {
        let mut uses = Vec::new();
        for value in target.context.iter().chain(target.contexts.values()).map(|c| &*c.value) {
            let from = match value.strip_prefix("target:") {
                Some(other) => match places.get(other) {
                    Some(at) => (*at, Role::Use),
                    None => continue,
                },
                None => {
                    let at = *outside.entry(value.to_owned()).or_insert_with(|| {
                        steps.push(source(value));
                        steps.len() - 1
                    });
                    (at, Role::Context)
                }
            };
            uses.push(from);
        }
        places.insert(&target.name, steps.len());
        edges.extend(uses.into_iter().map(|(from, role)| Edge { from, to: steps.len(), role }));
        steps.push(step(target, plan));
    }
    edges.sort_by_key(|e| (e.from, e.to, e.role));
    edges.dedup();
    Model { steps, groups: Vec::new(), edges }
}

/// Targets, each behind those that it uses.
fn ordered(plan: &Plan) -> Vec<&Target> {
    super::compile::in_order(plan, |_| true)
}

fn source(place: &str) -> Step {
    let (kind, title) = match place.strip_prefix("docker-image://").or_else(|| place.strip_prefix("oci-layout://")) {
        Some(image) => (Kind::Image, image),
        None if matches!(classify(place), Context::Local) => (Kind::Local, place),
        None => (Kind::Fetch, place),
    };
    Step {
        kind,
        keyword: String::new(),
        title: title.to_owned(),
        notes: Vec::new(),
        group: None,
        facts: vec![("context", place.to_owned())],
    }
}

fn step(target: &Target, plan: &Plan) -> Step {
    let mut notes = Vec::new();
    let file = match (&target.dockerfile_inline, &target.dockerfile) {
        (Some(_), _) => "dockerfile-inline".to_owned(),
        (None, file) => file.as_ref().map_or_else(String::new, |f| f.value.to_string()),
    };
    notes.push(match &target.target {
        Some(stage) => format!("{file}, stage {}", stage.value),
        None => file,
    });
    let platforms: Vec<&str> = target.platforms.iter().map(|p| &*p.value).collect();
    match platforms[..] {
        [] => {}
        [one] => notes.push(one.to_owned()),
        _ => notes.push(format!("{} platforms", platforms.len())),
    }
    let groups: Vec<&str> =
        plan.groups.iter().filter(|(_, group)| group.members.contains(&target.name)).map(|(name, _)| &**name).collect();
    let list = |name, values: Vec<String>| (!values.is_empty()).then(|| (name, values.join("\n")));
    let facts = [
        list("description", target.description.iter().map(|d| d.value.to_string()).collect()),
        list("groups", groups.into_iter().map(str::to_owned).collect()),
        list("contexts", target.contexts.iter().map(|(n, c)| format!("{n} = {}", c.value)).collect()),
        list("args", target.args.iter().map(|(n, v)| format!("{n} = {}", v.value)).collect()),
        list("tags", target.tags.iter().map(|t| t.value.to_string()).collect()),
        list("platforms", platforms.into_iter().map(str::to_owned).collect()),
        list("output", target.outputs.iter().map(|o| format!("{} {}", o.value.kind, o.value.dest)).collect()),
    ];
    Step {
        kind: Kind::Target,
        keyword: String::new(),
        title: target.name.to_string(),
        notes,
        group: None,
        facts: facts.into_iter().flatten().collect(),
    }
}
