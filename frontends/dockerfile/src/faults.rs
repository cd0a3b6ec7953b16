//! What keeps a file from being split into instructions and arguments, as diagnostics.

use rbc_grammar::{ArgsError, ArgsErrorKind, Document, Fault, FaultKind};
use rbc_source::{Diagnostic, dockerfile as codes};

use crate::source::{Places, Source};

/// The faults of a file's lines.
pub(crate) fn of_document(document: &Document<'_>, places: Places) -> Vec<Diagnostic> {
    document.faults.iter().map(|fault| of_lines(document, fault, places)).collect()
}

fn of_lines(document: &Document<'_>, fault: &Fault, places: Places) -> Diagnostic {
    let at = places.span(fault.range.clone());
    match &fault.kind {
        FaultKind::DirectiveAgain(directive) => {
            let first = document.directives().find(|(_, d)| d.name == directive.name);
            let again = Diagnostic::new(codes::DIRECTIVE, format!("directive `{}` is given twice", directive.name));
            let again = again.at(places.span(directive.name_range.start..directive.value.end));
            match first {
                Some((_, d)) => again.also(places.span(d.name_range.start..d.value.end), "given here already"),
                None => again,
            }
        }
        FaultKind::Escape(directive) => {
            let value = &document.text[directive.value.clone()];
            Diagnostic::new(codes::DIRECTIVE, format!("`{value}` cannot be the escape character"))
                .at(places.span(directive.value.clone()))
                .note("the escape character is a backslash or a backtick: `# escape=\\` or `` # escape=` ``")
        }
        FaultKind::HeredocUnclosed { name, near } => {
            let unclosed = Diagnostic::new(codes::HEREDOC, format!("heredoc `{name}` is not closed"));
            let unclosed = unclosed.at(at).note(format!("a line that is `{name}` and nothing else ends it"));
            match near {
                Some(near) => unclosed.also(places.span(near.clone()), "this line has white space too"),
                None => unclosed,
            }
        }
        FaultKind::HeredocName(error) => {
            Diagnostic::new(codes::HEREDOC, format!("a heredoc's delimiter is not valid: {error}")).at(at)
        }
        FaultKind::NoInstruction => {
            let message = match document.text.is_empty() {
                true => "the file is empty",
                false => "the file has no instruction",
            };
            Diagnostic::new(codes::NO_INSTRUCTION, message).at(at)
        }
        FaultKind::LongLine => {
            let length = fault.range.len();
            Diagnostic::new(codes::LONG_LINE, format!("a line has {length} bytes, and can have at most 65,535"))
                .at(places.span(fault.range.start..fault.range.start))
                .note("nothing behind it was read")
        }
    }
}

/// Arguments that cannot be split.
pub(crate) fn of_args(source: &Source<'_>, error: &ArgsError) -> Box<Diagnostic> {
    let keyword = source.command.heads.last().map_or("", |head| &*head.keyword.text).to_uppercase();
    let (code, message, note) = match &error.kind {
        ArgsErrorKind::NotStrings => (
            codes::JSON_ARRAY,
            format!("an element of `{keyword}`'s array is not a string"),
            "every element stands in double quotes: `[\"sleep\", \"10\"]`".to_owned(),
        ),
        ArgsErrorKind::KeyOnly(key) => {
            (codes::KEY_VALUE, format!("`{keyword}` gives `{key}` no value"), format!("write `{keyword} {key}=value`"))
        }
        ArgsErrorKind::NotAPair(word) => (
            codes::KEY_VALUE,
            format!("`{word}` is not a `key=value` pair"),
            "a value with white space in it must be quoted: `key=\"some value\"`".to_owned(),
        ),
    };
    Box::new(source.finding(code, message, error.range.clone()).note(note))
}
