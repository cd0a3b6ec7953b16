//! `rbc bake`.

pub mod args;
pub mod load;
mod machine;

use rbc_source::{Diagnostic, lower};

use super::messages::Messages;
use super::{Failure, write_output};
use args::BakeArgs;
use load::{Loaded, World};
use machine::Machine;

/// Runs the command.
pub fn run(args: &BakeArgs, messages: &Messages) -> Result<(), Failure> {
    if args.print != Some(true) && args.list.is_none() {
        let problem = Diagnostic::new(lower::OPTION, "bake files are planned here, and not built yet");
        return Err(problem.note("`--print` prints the plan, `--list` lists targets or variables").into());
    }
    let loaded = load::load(args, &Machine)?;
    let shown = show(args, &loaded, &Machine)?;
    if args.progress != "quiet" {
        messages.print(&loaded.sources, &shown.warnings);
    }
    Ok(write_output(None, shown.text.as_bytes())?)
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
