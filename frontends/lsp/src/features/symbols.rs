//! `textDocument/documentSymbol`.

use serde_json::{Value, json};

use crate::message::object;
use crate::syntax::{Step, Syntax};
use crate::text::Text;

/// Kinds of the protocol.
const NAMESPACE: u8 = 3;
const PROPERTY: u8 = 7;
const FUNCTION: u8 = 12;

/// The directives and instructions; those of a stage below it.
pub(crate) fn all(syntax: &Syntax<'_>, text: &Text) -> Value {
    let mut symbols: Vec<Value> = Vec::new();
    for directive in &syntax.directives {
        symbols.push(json!({
            "name": directive.name,
            "kind": PROPERTY,
            "range": text.range(directive.range.clone()),
            "selectionRange": text.range(directive.name_range.clone()),
        }));
    }
    for scope in &syntax.scopes {
        let steps = &syntax.steps[scope.clone()];
        match steps {
            [from, rest @ ..] if from.is_from() => {
                let mut stage = symbol(from, text, NAMESPACE);
                let end = rest.last().unwrap_or(from).instruction.span.end;
                stage["range"] = text.range(from.instruction.span.start..end);
                stage["children"] = rest.iter().map(|step| symbol(step, text, FUNCTION)).collect();
                symbols.push(stage);
            }
            steps => symbols.extend(steps.iter().map(|step| symbol(step, text, FUNCTION))),
        }
    }
    symbols.into()
}

fn symbol(step: &Step<'_>, text: &Text, kind: u8) -> Value {
    let line = step.instruction.line.text().trim();
    let (keyword, args) = line.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((line, ""));
    let detail: String = args.trim_start().chars().take(80).collect();
    let name = match step.stage_name() {
        Some(name) => name.text.clone(),
        None if keyword.is_empty() => "?".to_owned(),
        None => keyword.to_owned(),
    };
    let keyword = step.heads.first().map_or(0..0, |head| head.keyword.clone());
    object([
        ("name", name.into()),
        ("detail", detail.into()),
        ("kind", kind.into()),
        ("range", text.range(step.instruction.span.clone())),
        ("selectionRange", text.range(keyword)),
    ])
}
