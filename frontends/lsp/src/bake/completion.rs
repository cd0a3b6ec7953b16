//! What can stand at a place of a bake file, also where it is broken.

use serde_json::{Value, json};

use super::names::{Kind, Names};
use crate::text::Text;

/// Kinds of the protocol.
const FUNCTION: u8 = 3;
const VARIABLE: u8 = 6;
const CLASS: u8 = 7;
const PROPERTY: u8 = 10;
const REFERENCE: u8 = 18;

/// Blocks, with their attributes.
const BLOCKS: [(&str, &[&str]); 4] = [
    ("function", &["params", "result", "variadic_params"]),
    ("group", &["description", "targets"]),
    (
        "target",
        &[
            "annotations",
            "args",
            "attest",
            "cache-from",
            "cache-to",
            "call",
            "context",
            "contexts",
            "description",
            "dockerfile",
            "dockerfile-inline",
            "entitlements",
            "extra-hosts",
            "inherits",
            "labels",
            "matrix",
            "name",
            "network",
            "no-cache",
            "no-cache-filter",
            "output",
            "platforms",
            "policy",
            "pull",
            "resources",
            "secret",
            "shm-size",
            "ssh",
            "tags",
            "target",
            "ulimits",
        ],
    ),
    ("variable", &["default", "description", "type"]),
];

pub(super) fn items(names: &Names<'_>, text: &Text, offset: usize) -> Value {
    let place = Place::find(text.as_str(), offset);
    let item = |kind: u8| move |name: &str| json!({"label": name, "kind": kind});
    let declared = |kind, shown| names.declared(kind).into_iter().map(item(shown)).collect::<Vec<_>>();
    if place.comment {
        return json!([]);
    }
    if place.string {
        return match place.attribute {
            "inherits" | "targets" => declared(Kind::Target, REFERENCE).into(),
            _ => json!([]),
        };
    }
    if !place.attribute.is_empty() || place.depth > 1 {
        let mut values = declared(Kind::Variable, VARIABLE);
        values.extend(declared(Kind::Function, FUNCTION));
        return values.into();
    }
    match BLOCKS.iter().find(|(kind, _)| *kind == place.block) {
        _ if place.depth == 0 => BLOCKS.iter().map(|(kind, _)| item(CLASS)(kind)).collect(),
        Some((_, attributes)) => attributes.iter().map(|name| item(PROPERTY)(name)).collect(),
        None => json!([]),
    }
}

/// What is around an offset, by its quotes and brackets alone.
#[derive(Default)]
struct Place<'t> {
    /// How many brackets are open.
    depth: usize,
    /// The kind of the outermost block.
    block: &'t str,
    /// The attribute whose value is being written.
    attribute: &'t str,
    string: bool,
    comment: bool,
}

impl<'t> Place<'t> {
    fn find(text: &'t str, offset: usize) -> Self {
        let mut place = Place::default();
        // How deep strings' interpolations began.
        let mut templates: Vec<usize> = Vec::new();
        let mut chars = text[..offset].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\n' if place.comment || place.string => (place.comment, place.string) = (false, false),
                _ if place.comment => {}
                '\\' if place.string => _ = chars.next(),
                '"' => place.string = !place.string,
                '$' if place.string && chars.next_if(|(_, c)| *c == '{').is_some() => {
                    templates.push(place.depth);
                    place.depth += 1;
                    place.string = false;
                }
                _ if place.string => {}
                '#' => place.comment = true,
                '/' if chars.peek().is_some_and(|(_, c)| *c == '/') => place.comment = true,
                '{' | '[' | '(' => {
                    if place.depth == 0 && place.attribute.is_empty() {
                        let line = text[..at].rsplit('\n').next().unwrap_or_default();
                        place.block = line.split_whitespace().next().unwrap_or_default();
                    }
                    place.depth += 1;
                }
                '}' | ']' | ')' => {
                    place.depth = place.depth.saturating_sub(1);
                    if templates.last() == Some(&place.depth) {
                        templates.pop();
                        place.string = true;
                    }
                }
                '=' if place.depth <= 1 => {
                    let line = text[..at].rsplit('\n').next().unwrap_or_default();
                    place.attribute = line.trim();
                }
                '\n' if place.depth <= 1 => place.attribute = "",
                _ => {}
            }
        }
        place
    }
}
