//! `rbc bake`.

mod affected;
mod answer;
pub mod args;
mod build;
mod compile;
mod graph;
pub mod load;
mod machine;
mod recipe;
mod rights;

use rbc_bake::Planned;
use rbc_source::Diagnostic;

use super::args::ProgressStyle;
use super::messages::Messages;
use super::{Failure, write_output};
use args::BakeArgs;
use load::{Loaded, World};
use machine::Machine;

/// Runs the command.
pub fn run(args: &BakeArgs, messages: &Messages) -> Result<(), Failure> {
    let loaded = load::load(args, &Machine)?;
    let quiet = args.executor.progress == ProgressStyle::Quiet;
    if args.list.is_some() || args.print == Some(true) && args.affected_by.is_empty() {
        let shown = show(args, &loaded, &Machine)?;
        if !quiet {
            messages.print(&loaded.sources, &shown.warnings);
        }
        return Ok(write_output(None, shown.text.as_bytes())?);
    }
    let mut planned = loaded.plan(args, args.print == Some(true))?;
    if !args.affected_by.is_empty() {
        planned = affected::narrow(args, &loaded, planned)?;
    }
    if !quiet {
        messages.print(&loaded.sources, &planned.diagnostics);
    }
    if args.print == Some(true) {
        return Ok(write_output(None, rbc_bake::print(&planned.plan).as_bytes())?);
    }
    if args.explain {
        let targets = planned.plan.targets.values();
        let text: Vec<String> = targets.map(|target| rbc_bake::explain(target, &loaded.sources)).collect();
        return Ok(write_output(None, text.join("\n").as_bytes())?);
    }
    if let Some(file) = &args.graph {
        return graph::draw(&planned.plan, file);
    }
    perform(args, loaded, planned, messages)
}

/// Builds targets, and answers questions about those that ask one.
fn perform(args: &BakeArgs, loaded: Loaded, planned: Planned, messages: &Messages) -> Result<(), Failure> {
    let fail = |found| Failure::new(&loaded.sources, found);
    let absent = rbc_bake::check_host(&planned.plan, &loaded.env, &Machine);
    if !absent.is_empty() {
        return Err(fail(absent));
    }
    rights::check(&loaded, &planned).map_err(|found| fail(vec![found]))?;
    if planned.plan.targets.values().any(|target| target.call.is_some()) {
        answer::answer(args, &loaded, &planned.plan)?;
    }
    build::build(args, loaded, planned.plan, messages)
}

/// What is printed, and findings that do not keep it from being so.
#[derive(Debug)]
pub struct Shown {
    /// What is printed.
    pub text: String,
    /// The findings.
    pub warnings: Vec<Diagnostic>,
}

/// What `--print` and `--list` show.
///
/// # Errors
/// Anything is wrong with the files, or the machine lacks what the plan names.
pub fn show(args: &BakeArgs, loaded: &Loaded, world: &dyn World) -> Result<Shown, Failure> {
    if let Some((list, format)) = args.list {
        let found = loaded.definitions.diagnostics();
        if found.iter().any(Diagnostic::is_error) {
            return Err(Failure::new(&loaded.sources, found));
        }
        return Ok(Shown { text: rbc_bake::list(&loaded.definitions, list, format), warnings: found });
    }
    let planned = loaded.plan(args, true)?;
    let absent = rbc_bake::check_host(&planned.plan, &loaded.env, world);
    if !absent.is_empty() {
        return Err(Failure::new(&loaded.sources, planned.diagnostics.into_iter().chain(absent).collect()));
    }
    Ok(Shown { text: rbc_bake::print(&planned.plan), warnings: planned.diagnostics })
}
