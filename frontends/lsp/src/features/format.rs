//! `textDocument/formatting` and `rangeFormatting`.

use rbc_fmt::{Formatted, Style};
use rbc_source::{FileId, SourceFile};
use serde_json::Value;

use crate::text::Text;

/// Edits that format a document.
pub(crate) fn all(text: &Text, params: &Value) -> Value {
    edits(text, params, 0..text.lines())
}

/// Those of them that touch the lines of a range.
pub(crate) fn range(text: &Text, params: &Value) -> Value {
    let Some(range) = params.get("range").and_then(|range| text.read_range(range)) else { return Value::Null };
    edits(text, params, text.line_of(range.start)..text.line_of(range.end) + 1)
}

/// The same for a bake file.
pub(crate) fn bake(text: &Text, params: &Value) -> Value {
    let range = params.get("range").and_then(|range| text.read_range(range));
    let lines = range.map_or(0..text.lines(), |range| text.line_of(range.start)..text.line_of(range.end) + 1);
    touching(text, rbc_fmt::format_hcl(&SourceFile::new(FileId(0), "", text.as_str())), lines)
}

fn edits(text: &Text, params: &Value, lines: std::ops::Range<usize>) -> Value {
    let indent = indent(params);
    let file = SourceFile::new(FileId(0), "", text.as_str());
    touching(text, rbc_fmt::format(&file, &Style { indent, ..Style::default() }), lines)
}

/// Those edits that touch some lines.
fn touching(text: &Text, formatted: Formatted, lines: std::ops::Range<usize>) -> Value {
    let places = formatted.edits.into_iter().map(|edit| (edit.span.range(), edit.text));
    let touched =
        places.filter(|(range, _)| text.line_of(range.start) < lines.end && lines.start <= text.line_of(range.end));
    touched.map(|(range, new)| text.edit(range, &new)).collect()
}

/// The indentation that a request's options want.
pub(crate) fn indent(params: &Value) -> String {
    let option = |name: &str| params.get("options").and_then(|options| options.get(name));
    let spaces = option("insertSpaces").and_then(Value::as_bool).unwrap_or(true);
    let width = option("tabSize").and_then(Value::as_u64).unwrap_or(4).min(16);
    if spaces { " ".repeat(width as usize) } else { "\t".to_owned() }
}
