//! From a failed vertex to the line of the recipe.

use rbc_ir::{Graph, Ref};
use rbc_local::SolveError;
use rbc_source::Diagnostic;
use rbc_wire::{Emitter, Order};

/// How many lines of a command's output are shown with its failure.
const TAIL: usize = 20;

/// The finding, with its place and what the command wrote.
pub fn diagnostic(graph: &Graph, roots: &[Option<Ref>], error: SolveError) -> Diagnostic {
    let mut found = *error.diagnostic;
    let mut origins = Vec::new();
    if let Some(vertex) = error.vertex {
        let mut emitter = Emitter::new(graph, Order::Walk);
        for root in roots {
            origins.extend_from_slice(emitter.emit(*root).origins.of(vertex));
        }
    }
    for origin in &origins {
        let Some(span) = origin.span else { continue };
        let what = match &origin.stage {
            Some(stage) => format!("this step of stage `{}`", stage.name),
            None => "this step".to_owned(),
        };
        found = match &found.primary {
            None => found.labelled(span, what),
            Some(first) if first.span == span || found.secondary.iter().any(|label| label.span == span) => found,
            Some(_) => found.also(span, format!("{what} as well")),
        };
        if let Some((target, span)) = origin.target.as_ref().and_then(|target| Some((target, target.span?)))
            && !found.trace.iter().any(|frame| frame.span == span)
        {
            found = found.within(span, format!("while building target `{}`", target.name));
        }
    }
    let tail = String::from_utf8_lossy(&error.tail);
    let lines: Vec<&str> = tail.lines().collect();
    if !lines.is_empty() {
        let shown = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        found.notes.insert(0, format!("the last that it wrote:\n{shown}"));
    }
    found
}
