//! Bake files of the native syntax as an editor sees them: what they declare and use, and what can be asked about that.

mod completion;
mod names;
mod views;

use rbc_source::{FileId, SourceFile};
use serde_json::{Value, json};

use crate::features::format;
use crate::message::Failure;
use crate::text::{Position, Text};
use names::Names;

/// Whether a document is a bake file of the native syntax, by its name.
pub fn is_bake(uri: &str) -> bool {
    uri.ends_with(".hcl")
}

/// Answers a request about a document; `None` if there is nothing such about a bake file.
pub(crate) fn query(name: &str, text: &Text, uri: &str, params: &Value) -> Option<Result<Value, Failure>> {
    let file = SourceFile::new(FileId(0), "", text.as_str());
    let body = rbc_hcl::parse(&file).value;
    let names = Names::new(&body, text.as_str());
    let offset = params.get("position").and_then(Position::read).map_or(0, |position| text.offset(position));
    let location = |range| json!({"uri": uri, "range": text.range(range)});
    Some(Ok(match name {
        "documentSymbol" => views::symbols(&body, text),
        "foldingRange" => views::folds(&body, text),
        "codeLens" => views::lenses(&body, text, uri),
        "documentLink" => views::links(&body, text, uri),
        "inlayHint" => views::hints(&body, text, params),
        "hover" => views::hover(&body, &names, text, offset),
        "completion" => completion::items(&names, text, offset),
        "definition" => names.declaration(offset).map_or(Value::Null, location),
        "references" => {
            let declaration = params.pointer("/context/includeDeclaration").and_then(Value::as_bool) != Some(false);
            let wanted = names.same(offset).filter(|name| declaration || !name.declares);
            wanted.map(|name| location(name.range.clone())).collect()
        }
        "documentHighlight" => {
            let kind = |declares| if declares { 3 } else { 2 };
            let mark =
                |name: &names::Name| json!({"range": text.range(name.range.clone()), "kind": kind(name.declares)});
            names.same(offset).map(mark).collect()
        }
        "prepareRename" => names.at(offset).map_or(Value::Null, |name| text.range(name.range.clone())),
        "rename" => {
            let new = params.get("newName").and_then(Value::as_str).unwrap_or_default();
            if !rbc_hcl::ast::is_identifier(new) {
                let message = format!("`{new}` cannot be such a name");
                return Some(Err(Failure { code: Failure::REQUEST_FAILED, message }));
            }
            let edits: Vec<Value> = names.same(offset).map(|name| text.edit(name.range.clone(), new)).collect();
            if edits.is_empty() { Value::Null } else { json!({"changes": {uri: edits}}) }
        }
        "semanticTokens/full" => json!({"data": []}),
        "formatting" | "rangeFormatting" => format::bake(text, params),
        "onTypeFormatting" => json!([]),
        "selectionRange" | "signatureHelp" => Value::Null,
        _ => return None,
    }))
}
