//! Diagnostics, and code actions for their fixes.

use std::ops::Range;

use rbc_source::{Applicability, Diagnostic, Fix, Severity};
use serde_json::{Value, json};

use crate::message::object;
use crate::text::Text;

/// Diagnostics as the protocol has them.
pub(crate) fn all(found: &[Diagnostic], text: &Text, uri: &str) -> Value {
    found.iter().map(|diagnostic| protocol(diagnostic, text, uri)).collect()
}

/// Where a diagnostic is shown: on the part of an instruction that is wrong, if one is known, since the whole would hide it.
fn place(diagnostic: &Diagnostic) -> Range<usize> {
    let Some(primary) = &diagnostic.primary else { return 0..0 };
    let within = |span: rbc_source::Span| primary.span.start <= span.start && span.end <= primary.span.end;
    match diagnostic.secondary.as_slice() {
        [one] if within(one.span) => one.span.range(),
        _ => primary.span.range(),
    }
}

fn protocol(diagnostic: &Diagnostic, text: &Text, uri: &str) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Info => 3,
        Severity::Hint => 4,
    };
    let mut message = diagnostic.message.clone();
    for note in &diagnostic.notes {
        message.push('\n');
        message.push_str(note);
    }
    let mut out = object([
        ("range", text.range(place(diagnostic))),
        ("severity", severity.into()),
        ("code", diagnostic.code.id.into()),
        ("source", "rbc".into()),
        ("message", message.into()),
    ]);
    let labelled = diagnostic.secondary.iter().filter(|label| !label.message.is_empty());
    let related: Vec<Value> = labelled
        .map(|label| {
            let location = object([("uri", uri.into()), ("range", text.range(label.span.range()))]);
            object([("location", location), ("message", label.message.as_str().into())])
        })
        .collect();
    if !related.is_empty() {
        out["relatedInformation"] = related.into();
    }
    match diagnostic.code.name {
        "MaintainerDeprecated" => out["tags"] = json!([2]),
        "NoEmptyContinuation" => out["tags"] = json!([1]),
        _ => {}
    }
    out
}

/// The fixes of the diagnostics that touch a range.
pub(crate) fn actions(found: &[Diagnostic], text: &Text, uri: &str, params: &Value) -> Value {
    let Some(range) = params.get("range").and_then(|range| text.read_range(range)) else { return Value::Null };
    let only = params.pointer("/context/only").and_then(Value::as_array);
    if only.is_some_and(|kinds| !kinds.iter().any(|kind| kind == "" || kind == "quickfix")) {
        return json!([]);
    }
    let mut actions: Vec<Value> = Vec::new();
    for diagnostic in found {
        let touches = |place: Range<usize>| place.start <= range.end && range.start <= place.end;
        let whole = diagnostic.primary.as_ref().map_or(0..0, |label| label.span.range());
        if touches(place(diagnostic)) || touches(whole) {
            actions.extend(diagnostic.fixes.iter().map(|fix| action(diagnostic, fix, text, uri)));
        }
    }
    actions.into()
}

fn action(diagnostic: &Diagnostic, fix: &Fix, text: &Text, uri: &str) -> Value {
    let edits: Vec<Value> = fix.edits.iter().map(|edit| text.edit(edit.span.range(), &edit.text)).collect();
    let mut title = fix.message.clone();
    if let Some(first) = title.get(..1) {
        title = first.to_uppercase() + &title[1..];
    }
    json!({
        "title": title,
        "kind": "quickfix",
        "diagnostics": [protocol(diagnostic, text, uri)],
        "isPreferred": fix.applicability == Applicability::Safe,
        "edit": {"changes": {uri: edits}},
    })
}
