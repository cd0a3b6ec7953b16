//! `textDocument/hover`.

use std::ops::Range;

use rbc_grammar::Keyword;
use serde_json::{Value, json};

use crate::language::{self, DIRECTIVES};
use crate::names;
use crate::syntax::Syntax;
use crate::text::Text;

/// What stands at an offset: what an instruction, flag or directive does, with its place, or the value of a variable.
pub(crate) fn at(syntax: &Syntax<'_>, text: &Text, offset: usize, markdown: bool) -> Value {
    let touches = |range: &Range<usize>| range.start <= offset && offset <= range.end;
    let answer = |kind: &str, value: String| json!({"contents": {"kind": kind, "value": value}});
    let explain = |range: &Range<usize>, value: String| {
        let mut hover = answer(if markdown { "markdown" } else { "plaintext" }, value);
        hover["range"] = text.range(range.clone());
        hover
    };
    let title = |name: &str, summary: &str| match markdown {
        true => format!("**{name}**\n\n{summary}"),
        false => summary.to_owned(),
    };
    for directive in &syntax.directives {
        if touches(&directive.name_range) {
            let known = DIRECTIVES.iter().find(|(name, ..)| *name == directive.name);
            return known
                .map_or(Value::Null, |(name, _, summary)| explain(&directive.name_range, title(name, summary)));
        }
    }
    let Some(index) = syntax.step_at(offset) else { return Value::Null };
    let step = &syntax.steps[index];
    for head in &step.heads {
        let written = &text.as_str()[head.keyword.clone()];
        let joined: String = written.chars().filter(|c| c.is_alphabetic()).collect();
        let entry = Keyword::find(&joined).and_then(language::entry);
        if touches(&head.keyword) {
            return entry.map_or(Value::Null, |entry| explain(&head.keyword, title(&entry.name(), entry.summary)));
        }
        for flag in &head.flags {
            if touches(&flag.name_range) {
                let known = entry.and_then(|entry| entry.flag(&flag.name));
                let place = &flag.name_range;
                let name = |name| format!("--{name}");
                return known.map_or(Value::Null, |flag| explain(place, title(&name(flag.name), flag.summary)));
            }
        }
    }
    // A value is shown as it is.
    names::value(syntax, offset).map_or(Value::Null, |value| answer("plaintext", value))
}
