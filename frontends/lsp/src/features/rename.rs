//! `textDocument/rename`.

use rbc_word::unicode::is_name;
use serde_json::{Value, json};

use crate::message::Failure;
use crate::names;
use crate::syntax::Syntax;
use crate::text::Text;

/// The edits that give the name at an offset another.
pub(crate) fn edits(
    syntax: &Syntax<'_>,
    text: &Text,
    uri: &str,
    offset: usize,
    params: &Value,
) -> Result<Value, Failure> {
    let new = params.get("newName").and_then(Value::as_str).unwrap_or_default();
    let Some(name) = names::find(syntax, offset) else { return Ok(Value::Null) };
    let fits = |c: char| is_name(c) || (name.is_stage && matches!(c, '-' | '.'));
    if new.is_empty() || !new.chars().all(fits) || new.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("`{new}` cannot be such a name");
        return Err(Failure { code: Failure::REQUEST_FAILED, message });
    }
    let places = name.declared.into_iter().chain(name.used);
    let edits: Vec<Value> = places.map(|range| text.edit(range, new)).collect();
    Ok(json!({"changes": {uri: edits}}))
}
