//! `textDocument/inlayHint`: what is not written but meant.

use serde_json::{Value, json};

use crate::syntax::{Step, Syntax, Variable};
use crate::text::Text;

/// The longest value that is shown between others' words, in characters.
const LONGEST: usize = 40;

/// Values of variables behind their uses, names of stages behind their numbers, and numbers of stages that have no name.
pub(crate) fn all(syntax: &Syntax<'_>, text: &Text, params: &Value) -> Value {
    let Some(wanted) = params.get("range").and_then(|range| text.read_range(range)) else { return Value::Null };
    let mut hints = Vec::new();
    let mut hint = |at: usize, label: String, tooltip: &str| {
        if wanted.start <= at && at <= wanted.end {
            let position = &text.range(at..at)["start"];
            hints.push(json!({"position": position, "label": label, "tooltip": tooltip, "paddingLeft": true}));
        }
    };
    let stages: Vec<usize> = syntax.stages().map(|(step, _)| step).collect();
    for (index, step) in syntax.steps.iter().enumerate() {
        // What is out of sight costs nothing.
        if step.instruction.span.start > wanted.end || step.end() < wanted.start {
            continue;
        }
        for variable in &step.variables {
            if let (Some(end), Some(Some(value))) = (end(variable, text), syntax.value(&variable.name, index))
                && !value.is_empty()
                && !value.contains('$')
            {
                let mut shown: String = value.chars().take(LONGEST).collect();
                if shown.len() < value.len() {
                    shown.push('\u{2026}');
                }
                hint(end, format!("= {shown}"), "the value that the variable has here");
            }
        }
        if let Some(number) = stages.iter().position(|stage| *stage == index).filter(|_| stages.len() > 1)
            && step.stage_name().is_none()
            && let Some(base) = step.words.last()
        {
            hint(base.range.end, format!("stage {number}"), "the number that `--from` can name the stage by");
        }
        for used in step.stage_uses().into_iter().filter(|_| !step.is_from()) {
            let number = used.text.parse::<usize>().ok();
            let stage = number.and_then(|number| stages.get(number)).filter(|stage| **stage < index);
            if let Some(name) = stage.and_then(|stage| title(&syntax.steps[*stage])) {
                hint(used.range.end, format!("= {name}"), "the stage that has this number");
            }
        }
    }
    hints.into()
}

/// A stage's name, else what it begins with.
fn title<'s>(from: &'s Step<'_>) -> Option<&'s str> {
    from.stage_name().or(from.words.first()).map(|word| &*word.text)
}

/// Where a use of a variable ends; `None` if what it stands for is not the variable's value.
fn end(variable: &Variable, text: &Text) -> Option<usize> {
    let name = &variable.range;
    if !text.as_str()[..name.start].ends_with('{') {
        return Some(name.end);
    }
    let line = text.line(text.line_of(name.end));
    let rest = text.as_str().get(name.end..line.end)?;
    if rest.starts_with('}') {
        return Some(name.end + 1);
    }
    let default = rest.strip_prefix(":-").or(rest.strip_prefix('-'))?;
    let length = default.find('}').filter(|length| !default[..*length].contains('{'))?;
    Some(line.end - default.len() + length + 1)
}
