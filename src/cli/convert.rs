//! `rbc convert`.

use rbc_ast::check::CheckConfig;
use rbc_source::{Sources, environment};

use super::args::ConvertArgs;
use super::messages::Messages;
use super::{Failure, project, write_output};
use crate::Frontend;

/// Runs the command: writes a recipe of any frontend as the Dockerfile that means the same.
pub fn run(args: &ConvertArgs, messages: &Messages) -> Result<(), Failure> {
    let mut sources = Sources::new();
    let bytes = project::read(&args.file)?;
    let id = sources.add_bytes(args.file.to_string_lossy(), bytes);
    let file = sources.get(id).clone();
    let frontend = args.frontend.as_deref().and_then(Frontend::by_name).unwrap_or_else(|| Frontend::of(&file));
    if frontend.name == "dockerfile" {
        let found =
            rbc_source::Diagnostic::new(environment::READ, format!("`{}` is a Dockerfile already", file.name()));
        return Err(found.note("`--frontend mockerfile` reads it as a Mockerfile").into());
    }
    let parsed = (frontend.parse)(&file, &CheckConfig::default());
    if parsed.has_errors() {
        return Err(Failure::new(&sources, parsed.diagnostics));
    }
    messages.print(&sources, &parsed.diagnostics);
    Ok(write_output(args.output.as_deref(), rbc_mockerfile::dockerfile(&parsed.value).as_bytes())?)
}
