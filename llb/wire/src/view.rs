//! Views of graphs for people and their tools.

use std::fmt::Write as _;

use rbc_ir::tree::{Item, Tree, Value, node_item, root_item, text_item};
use rbc_ir::{Node, NodeId, text};

use crate::Loaded;

/// The text form of a loaded graph, with the digest of each vertex above it.
pub fn to_text(loaded: &Loaded) -> String {
    text::print_with(&loaded.graph, &|id| loaded.digests.get(id.index()).map(ToString::to_string))
}

/// A loaded graph as JSON: `vertices` with their digests, `texts` and `roots`, each with what is not its default. The
/// names are those of LLB's protocol, in snake case. A vertex is referred to as `{"digest": ..., "index": ...}`; permission
/// bits are numbers; bytes that are no text are `{"base64": ...}`.
pub fn to_json(loaded: &Loaded) -> String {
    let graph = &loaded.graph;
    let names: Vec<String> = loaded.digests.iter().map(ToString::to_string).collect();
    let vertex = |(id, node): (NodeId, &Node)| {
        let digest = names.get(id.index()).cloned().unwrap_or_default();
        object(node_item(node, &names), vec![field("digest", Value::Str(digest)), field("kind", word(node.op.kind()))])
    };
    let all = vec![
        field("vertices", Value::List(graph.iter().map(vertex).collect())),
        field("texts", Value::List(graph.sources.iter().map(|t| object(text_item(t, &names), Vec::new())).collect())),
        field("roots", Value::List(graph.roots.iter().map(|r| object(root_item(r, &names), Vec::new())).collect())),
    ];
    let mut out = String::new();
    json(&Value::Record(all), 0, &mut out);
    out.push('\n');
    out
}

fn field(name: &str, value: Value) -> (String, Tree) {
    (name.to_owned(), value.into())
}

fn word(word: &str) -> Value {
    Value::Word(word.to_owned())
}

/// An item as one record, behind the fields given.
fn object(item: Item, mut fields: Vec<(String, Tree)>) -> Tree {
    let name = item.main_name();
    fields.extend(item.main.map(|main| (name.to_owned(), main)));
    fields.extend(item.fields);
    Value::Record(fields).into()
}

fn json(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Nothing => out.push_str("null"),
        Value::Word(word) if matches!(word.as_str(), "true" | "false") => out.push_str(word),
        Value::Word(text) | Value::Str(text) => json_string(text, out),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json_string(text, out),
            Err(_) => json(&Value::Record(vec![field("base64", Value::Str(base64(bytes)))]), depth, out),
        },
        Value::Ref(digest, output) => {
            let index = Value::Int((*output).into());
            json(&Value::Record(vec![field("digest", Value::Str(digest.clone())), field("index", index)]), depth, out);
        }
        Value::List(values) => {
            let parts = values.iter().map(|tree| (None, &tree.value));
            json_block(['[', ']'], parts, depth, out);
        }
        Value::Record(fields) => {
            let parts = fields.iter().map(|(name, tree)| (Some(name.as_str()), &tree.value));
            json_block(['{', '}'], parts, depth, out);
        }
        Value::Tagged(tag, fields) => {
            let inner = Value::Record(fields.clone());
            json_block(['{', '}'], std::iter::once((Some(tag.as_str()), &inner)), depth, out);
        }
    }
}

fn json_block<'v>(
    [open, close]: [char; 2],
    parts: impl ExactSizeIterator<Item = (Option<&'v str>, &'v Value)>,
    depth: usize,
    out: &mut String,
) {
    let empty = parts.len() == 0;
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    out.push(open);
    for (at, (name, value)) in parts.enumerate() {
        if at > 0 {
            out.push(',');
        }
        line(depth + 1, out);
        if let Some(name) = name {
            json_string(name, out);
            out.push_str(": ");
        }
        json(value, depth + 1, out);
    }
    if !empty {
        line(depth, out);
    }
    out.push(close);
}

fn json_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().chain([0; 2].iter()).take(3).fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            out.push(if digit > group.len() as u32 { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
    out
}
