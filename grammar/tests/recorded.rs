//! Files against the recorded trees of the reference.
#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;

use rbc_grammar::{Args, Command, Document, Instruction, Keyword};
use serde_json::{Map, Value, json};

/// A file of the recorded cases, if they are there.
fn recorded(path: &str) -> Option<String> {
    let root = std::env::var_os("RBC_CONFORMANCE").map(PathBuf::from).or_else(|| {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().map(|a| a.join("shared/conformance")).find(|p| p.is_dir())
    });
    let text = root.and_then(|r| std::fs::read_to_string(r.join(path)).ok());
    if text.is_none() {
        println!("the recorded cases are not there: {path}");
    }
    text
}

/// The reference's node for the heads from `index` on.
fn node(command: &Command<'_>, index: usize, line: &str) -> Map<String, Value> {
    let head = &command.heads[index];
    let keyword = Keyword::find(&head.keyword.text);
    let mut node = Map::new();
    node.insert("value".into(), json!(head.keyword.text));
    if !head.flags.is_empty() {
        node.insert("flags".into(), head.flags.iter().map(|f| json!(f.text)).collect());
    }
    let mut next = Vec::new();
    if index + 1 < command.heads.len() {
        let child = self::node(command, index + 1, line);
        next.push(json!({"value": "", "children": [child]}));
    } else if keyword.is_none() {
        next.push(json!({"value": ""}));
    } else {
        match command.args.as_ref().unwrap() {
            Args::Words { words, json } => {
                next.extend(words.iter().map(|w| json!({"value": w.text})));
                if *json {
                    node.insert("attributes".into(), json!({"json": true}));
                }
            }
            Args::Pairs(pairs) => {
                for pair in pairs {
                    next.push(json!({"value": pair.key.text}));
                    next.push(json!({"value": pair.value.text}));
                    next.push(json!({"value": if pair.legacy { "" } else { "=" }}));
                }
            }
        }
    }
    if !next.is_empty() {
        node.insert("next".into(), next.into());
    }
    let original = if index == 0 { line } else { line[head.keyword.range.start..].trim() };
    if !original.is_empty() {
        node.insert("original".into(), json!(original));
    }
    node
}

fn tree(document: &Document<'_>, instruction: &Instruction<'_>) -> Value {
    let line = instruction.line.text();
    let command = Command::parse(line, document.escape);
    let mut node = node(&command, 0, line);
    node.insert("lines".into(), json!([instruction.first_line, instruction.last_line]));
    if !instruction.comments.is_empty() {
        node.insert("prevComment".into(), json!(instruction.comments));
    }
    let heredocs: Vec<_> = instruction
        .heredocs
        .iter()
        .map(|h| {
            json!({
                "name": h.opening.name,
                "expand": h.opening.expand,
                "chomp": h.opening.chomp,
                "fd": h.opening.descriptor,
                "content": &document.text[h.body.clone()],
            })
        })
        .collect();
    if !heredocs.is_empty() {
        node.insert("heredocs".into(), heredocs.into());
    }
    node.into()
}

#[test]
fn parser_trees() {
    let Some(cases) = recorded("dockerfile/unit/parser.jsonl") else { return };
    let mut failures = Vec::new();
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["dockerfile"].as_str().unwrap();
        let document = Document::parse(text);
        let fails = !document.faults.is_empty()
            || document.instructions().any(|i| Command::parse(i.line.text(), document.escape).args.is_err());
        if fails != case.get("error").is_some() {
            failures.push(format!("{text:?}: {:?}, not {}", document.faults, case["error"]));
            continue;
        }
        if fails {
            continue;
        }
        if case["escape"].as_str() != Some(document.escape.encode_utf8(&mut [0; 4])) {
            failures.push(format!("{text:?}: escape {:?}", document.escape));
        }
        let want = case["ast"]["children"].as_array().unwrap();
        let got: Vec<_> = document.instructions().map(|i| tree(&document, i)).collect();
        if let Some((got, want)) = got.iter().zip(want).find(|(got, want)| got != want) {
            failures.push(format!("{got}\n  not {want}"));
        } else if got.len() != want.len() {
            failures.push(format!("{text:?}: {} instructions, not {}", got.len(), want.len()));
        }
        let blank: Vec<_> = document
            .instructions()
            .filter(|i| i.has_blank_lines())
            .map(|i| json!([i.last_line, i.last_line]))
            .collect();
        let warned: Vec<_> = case["warnings"].as_array().into_iter().flatten().map(|w| w["lines"].clone()).collect();
        if blank != warned {
            failures.push(format!("{text:?}: empty continuation lines {blank:?}, not {warned:?}"));
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures[..failures.len().min(20)].join("\n"));
}
