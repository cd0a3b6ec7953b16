//! `textDocument/selectionRange`: what a selection grows to.

use std::ops::Range;

use serde_json::{Value, json};

use crate::syntax::Syntax;
use crate::text::{Position, Text};

/// For each position the places around it: name, word, part of the instruction, instruction, stage, file.
pub(crate) fn ranges(syntax: &Syntax<'_>, text: &Text, params: &Value) -> Value {
    let positions = params.get("positions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    positions.iter().filter_map(Position::read).map(|position| at(syntax, text, text.offset(position))).collect()
}

fn at(syntax: &Syntax<'_>, text: &Text, offset: usize) -> Value {
    let mut around = vec![0..text.as_str().len(), text.line(text.line_of(offset))];
    for directive in &syntax.directives {
        around.extend([directive.name_range.clone(), directive.value.clone(), directive.range.clone()]);
    }
    if let Some(index) = syntax.step_at(offset) {
        let step = &syntax.steps[index];
        let span = &step.instruction.span;
        around.push(span.clone());
        for head in &step.heads {
            around.push(head.keyword.clone());
            for flag in &head.flags {
                around.extend([flag.name_range.clone(), flag.range.clone()]);
                around.extend(flag.value.as_ref().map(|value| value.range.clone()));
            }
        }
        if let (Some(first), Some(last)) = (step.words.first(), step.words.last()) {
            around.push(first.range.start..last.range.end);
        }
        around.extend(step.words.iter().map(|word| word.range.clone()));
        around.extend(step.variables.iter().map(|variable| variable.range.clone()));
        around.extend(step.declared.iter().map(|declared| declared.name.range.clone()));
        around.extend(step.instruction.heredocs.iter().map(|heredoc| heredoc.body.clone()));
        let scope = &syntax.steps[syntax.scope_of(index)];
        if let (Some(first), Some(last)) = (scope.first(), scope.last()) {
            around.push(first.instruction.span.start..last.end());
        }
    }
    around.retain(|range| range.start <= offset && offset <= range.end);
    around.sort_by_key(|range| std::cmp::Reverse(range.len()));
    // From the file inwards; what is not within all before it is left out.
    let mut chain: Vec<Range<usize>> = Vec::new();
    for range in around {
        if chain.last().is_none_or(|outer| *outer != range && outer.start <= range.start && range.end <= outer.end) {
            chain.push(range);
        }
    }
    let nested = chain.into_iter().fold(None, |parent: Option<Value>, range| {
        let mut selection = json!({"range": text.range(range)});
        if let Some(parent) = parent {
            selection["parent"] = parent;
        }
        Some(selection)
    });
    nested.unwrap_or_default()
}
