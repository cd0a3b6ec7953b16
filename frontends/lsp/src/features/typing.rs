//! `textDocument/onTypeFormatting`: a line that goes on is indented on the next.

use rbc_grammar::{Item, PieceKind};
use serde_json::{Value, json};

use super::format::indent;
use crate::syntax::Syntax;
use crate::text::Text;

/// The edits after a character was typed in front of an offset: behind the escape character at a line's end, the next line is
/// indented. Which one the escape character is depends on the file, so both are asked about.
pub(crate) fn edits(syntax: &Syntax<'_>, text: &Text, offset: usize, params: &Value) -> Value {
    let typed = params.get("ch").and_then(Value::as_str).unwrap_or_default();
    let line = text.line_of(offset);
    let next = text.line(line + 1);
    let rest = &text.as_str()[offset..text.line(line).end];
    let is_escape = typed.chars().eq([syntax.document.escape]);
    if !is_escape || !rest.trim().is_empty() || line + 1 >= text.lines() || !in_instruction(syntax, offset) {
        return json!([]);
    }
    let content = &text.as_str()[next.clone()];
    let blank = content.len() - content.trim_start().len();
    let indent = indent(params);
    if blank == content.len() || content[..blank] == *indent {
        return json!([]);
    }
    json!([text.edit(next.start..next.start + blank, &indent)])
}

/// Whether an offset is in what an instruction says: not in a comment, nor in a heredoc.
fn in_instruction(syntax: &Syntax<'_>, offset: usize) -> bool {
    let mut around = syntax.document.items.iter().filter(|item| item.range().start < offset);
    let Some(Item::Instruction(instruction)) = around.next_back() else { return false };
    let inside = |range: &std::ops::Range<usize>| range.start < offset && offset <= range.end;
    let comments = instruction.pieces.iter().filter(|piece| piece.kind == PieceKind::Comment);
    !comments.map(|piece| &piece.range).any(inside) && !instruction.heredocs.iter().any(|h| inside(&h.body))
}
