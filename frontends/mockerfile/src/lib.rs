//! Mockerfiles - images described in YAML - to a [`Recipe`].
//!
//! Each image becomes a stage, and what its keys say becomes the steps that a Dockerfile would have for it, in the order that
//! `docs/mockerfile.md` states. [`dockerfile`] writes such a recipe down as the Dockerfile that means the same.

mod convert;
mod file;
mod read;
mod steps;

pub use convert::dockerfile;

use rbc_ast::recipe::Recipe;
use rbc_source::{Diagnostic, Parsed, SourceFile, mockerfile as codes};
use rbc_yaml::Place;

/// Whether a text looks like a Mockerfile: its first key is `apiVersion`.
pub fn looks_like(text: &str) -> bool {
    let line = text.lines().map(str::trim_start).find(|l| !l.is_empty() && !l.starts_with('#') && *l != "---");
    line.is_some_and(|line| line.starts_with("apiVersion:"))
}

/// Reads a Mockerfile. What is wrong with one image does not keep the others from being read.
pub fn parse(file: &SourceFile) -> Parsed<Recipe> {
    let mut recipe =
        Recipe { directives: Vec::new(), escape: '\\', global_args: Vec::new(), stages: Vec::new(), broken: true };
    let documents = match rbc_yaml::read(file.text(), Place::File(file), codes::SYNTAX) {
        Ok(documents) => documents,
        Err(problem) => return Parsed { value: recipe, diagnostics: vec![*problem] },
    };
    let [document] = &documents[..] else {
        let problem = match documents.get(1) {
            Some(second) => Diagnostic::new(codes::SYNTAX, "a Mockerfile is one document").at(second.span),
            None => Diagnostic::new(codes::SYNTAX, "the file is empty").at(file.span(0, 0)),
        };
        return Parsed {
            value: recipe,
            diagnostics: vec![problem.note("it begins with `apiVersion: v1`, then `images:`")],
        };
    };
    let mut faults = Vec::new();
    let file = file::File::read(document, &mut faults);
    steps::fill(&file, &mut recipe, &mut faults);
    recipe.broken = faults.iter().any(Diagnostic::is_error);
    Parsed { value: recipe, diagnostics: faults }
}
