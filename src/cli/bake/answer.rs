//! Answers about targets instead of builds: `--call`, and the argument `call`.

use rbc_ast::plan::Plan;
use rbc_bake::Call;
use rbc_source::{Diagnostic, Sources};
use serde_json::{Map, Value};

use super::args::BakeArgs;
use super::compile::{self, All};
use super::load::Loaded;
use super::recipe;
use crate::cli::args::{self, Method};
use crate::cli::compile::{Reply, reply};
use crate::cli::{Failure, write_output};
use rbc_ast::plan::Target;

/// Prints the answers of all targets that are asked something.
///
/// # Errors
/// A target cannot be answered for, or a check found something; in the latter case everything has been printed.
pub fn answer(flags: &BakeArgs, loaded: &Loaded, plan: &Plan) -> Result<(), Failure> {
    let asked = if flags.check { Some("check") } else { flags.call.as_deref() };
    let call = asked.map(Call::parse).transpose().map_err(|e| Failure::from(*e))?.flatten().unwrap_or_default();
    let json = call.format.as_deref() == Some("json");
    // What a target uses must be compiled before it can be asked about.
    let links = |t: &Target| {
        plan.targets.values().any(|u| u.call.is_some() && rbc_bake::linked_targets(u).any(|n| *n == *t.name))
    };
    let mut all = compile::all(plan, flags, loaded.sources.clone(), None, links);
    let mut answers: Map<String, Value> = Map::new();
    let mut texts = Vec::new();
    let mut found = Vec::new();
    let mut clean = true;
    for target in plan.targets.values() {
        let Some(method) = &target.call else { continue };
        let question = if json { format!("{},format=json", method.value) } else { method.value.to_string() };
        match one(&question, target, flags, &mut all) {
            Ok(reply) => {
                clean &= reply.clean;
                if json {
                    let method = if &*method.value == "lint" { "check" } else { &*method.value };
                    let value = serde_json::from_str(&reply.text).unwrap_or_default();
                    answers.insert(target.name.to_string(), Value::from_iter([(method, Value::Object(value))]));
                } else {
                    let about = target.description.as_ref().map(|d| format!("{}\n", d.value)).unwrap_or_default();
                    texts.push(format!("{}\n{about}\n{}", target.name, reply.text));
                }
            }
            Err(errors) => found.extend(errors),
        }
    }
    let text = if json { with_plan(plan, &answers) } else { texts.join("\n") };
    write_output(None, text.as_bytes())?;
    if !found.is_empty() {
        return Err(Failure::new(&all.sources, found));
    }
    if clean || call.ignore_status { Ok(()) } else { Err(Failure::default()) }
}

fn one(question: &str, target: &Target, flags: &BakeArgs, all: &mut All) -> Result<Reply, Vec<Diagnostic>> {
    let call = args::parse_call(question)
        .map_err(|why| vec![Diagnostic::new(rbc_source::lower::OPTION, format!("`call` is `{question}`: {why}"))])?;
    let sources: Sources = std::mem::take(&mut all.sources);
    let known = sources.clone();
    let mut project = match recipe::load(target, flags, sources) {
        Ok(project) => project,
        Err(problem) => {
            all.sources = known;
            return Err(vec![problem]);
        }
    };
    let file = project.sources.get(project.file).clone();
    let call = args::Call { method: if call.method == Method::Build { Method::Check } else { call.method }, ..call };
    let frontend = project.frontend();
    let reply = reply(call, &file, frontend, |purpose| all.compile(target, flags, &mut project, purpose));
    all.sources = std::mem::take(&mut project.sources);
    reply
}

/// The plan, in which each target has its answer beside what would be built.
fn with_plan(plan: &Plan, answers: &Map<String, Value>) -> String {
    let mut out: Value = serde_json::from_str(&rbc_bake::print(plan)).unwrap_or_default();
    for (name, target) in out["target"].as_object_mut().into_iter().flatten() {
        let mut entry = Map::from_iter([("build".to_owned(), target.take())]);
        entry.extend(answers.get(name).and_then(Value::as_object).cloned().unwrap_or_default());
        *target = Value::Object(entry);
    }
    format!("{out:#}\n")
}
