//! What is shown of a bake file: symbols, folds, lenses, links, hints, values.

use std::collections::BTreeSet;

use rbc_hcl::ast::{Block, Body};
use serde_json::{Value, json};

use super::names::{Kind, Names, elements, literal};
use crate::text::Text;

/// The command of a lens, which the editor runs: its arguments are the document and the target.
const BAKE: &str = "rbc.bake";

/// Kinds of symbols of the protocol.
const NAMESPACE: u8 = 3;
const PROPERTY: u8 = 7;
const FUNCTION: u8 = 12;
const VARIABLE: u8 = 13;

/// The longest list that a hint shows, in names.
const LONGEST: usize = 6;

fn label(block: &Block) -> Option<&str> {
    block.labels.first().map(|label| &*label.text)
}

fn targets(body: &Body) -> impl Iterator<Item = (&str, &Block)> {
    let is_target = |block: &&Block| &*block.kind == "target";
    body.blocks.iter().filter(is_target).filter_map(|block| Some((label(block)?, block)))
}

pub(super) fn symbols(body: &Body, text: &Text) -> Value {
    let own = |body: &Body| -> Vec<Value> {
        let property = |attribute: &rbc_hcl::ast::Attribute| {
            json!({
                "name": &*attribute.name,
                "kind": PROPERTY,
                "range": text.range(attribute.span().range()),
                "selectionRange": text.range(attribute.name_span.range()),
            })
        };
        body.attributes.iter().map(property).collect()
    };
    let block = |block: &Block| {
        let kind = match &*block.kind {
            "function" => FUNCTION,
            "variable" => VARIABLE,
            _ => NAMESPACE,
        };
        let name = label(block).filter(|name| !name.is_empty()).unwrap_or(&block.kind);
        json!({
            "name": name,
            "detail": &*block.kind,
            "kind": kind,
            "range": text.range(block.span.range()),
            "selectionRange": text.range(block.head().range()),
            "children": own(&block.body),
        })
    };
    let mut symbols = own(body);
    symbols.extend(body.blocks.iter().map(block));
    symbols.into()
}

pub(super) fn folds(body: &Body, text: &Text) -> Value {
    let spans = body.blocks.iter().flat_map(|block| {
        let values = block.body.attributes.iter().map(|attribute| attribute.value.span);
        std::iter::once(block.span).chain(values)
    });
    let lines = spans.map(|span| (text.line_of(span.start as usize), text.line_of(span.end as usize)));
    lines
        .filter(|(first, last)| first < last)
        .map(|(first, last)| json!({"startLine": first, "endLine": last}))
        .collect()
}

pub(super) fn lenses(body: &Body, text: &Text, uri: &str) -> Value {
    let groups = body.blocks.iter().filter(|block| &*block.kind == "group");
    let named = targets(body).chain(groups.filter_map(|block| Some((label(block)?, block))));
    let lens = |(name, block): (&str, &Block)| {
        let command = json!({"title": format!("Build {name}"), "command": BAKE, "arguments": [uri, name]});
        json!({"range": text.range(block.head().range()), "command": command})
    };
    named.map(lens).collect()
}

/// From `dockerfile` to the file, where all that says where it is stands there as it is.
pub(super) fn links(body: &Body, text: &Text, uri: &str) -> Value {
    let Some((directory, _)) = uri.rsplit_once('/') else { return json!([]) };
    let link = |(_, block): (&str, &Block)| {
        let (file, range) = literal(&block.body.attribute("dockerfile")?.value, text.as_str())?;
        let context = match block.body.attribute("context") {
            Some(context) => literal(&context.value, text.as_str())?.0,
            None => ".",
        };
        if context.contains("://") || [context, file].iter().any(|path| path.starts_with('/') || path.contains("..")) {
            return None;
        }
        let context = context.trim_start_matches("./").trim_matches(['/', '.']);
        let path = [context, file.trim_start_matches("./")].into_iter().filter(|part| !part.is_empty());
        let path = path.collect::<Vec<_>>().join("/").replace(' ', "%20");
        Some(json!({"range": text.range(range), "target": format!("{directory}/{path}")}))
    };
    targets(body).filter_map(link).collect()
}

/// Behind a target's parents, the attributes that it has from them.
pub(super) fn hints(body: &Body, text: &Text, params: &Value) -> Value {
    let Some(wanted) = params.get("range").and_then(|range| text.read_range(range)) else { return Value::Null };
    let hint = |(name, block): (&str, &Block)| {
        let parents = block.body.attribute("inherits")?;
        let at = parents.value.span.end as usize;
        let mut found = BTreeSet::new();
        inherited(body, block, text, &mut BTreeSet::from([name.to_owned()]), &mut found);
        found.retain(|attribute| *attribute != "inherits" && block.body.attribute(attribute).is_none());
        let mut shown: Vec<&str> = found.iter().copied().take(LONGEST).collect();
        if found.len() > LONGEST {
            shown.push("\u{2026}");
        }
        let seen = wanted.start <= at && at <= wanted.end && !shown.is_empty();
        seen.then(|| {
            let position = &text.range(at..at)["start"];
            let tooltip = "attributes that the target has from its parents";
            json!({"position": position, "label": shown.join(", "), "tooltip": tooltip, "paddingLeft": true})
        })
    };
    targets(body).filter_map(hint).collect()
}

fn inherited<'b>(
    body: &'b Body,
    block: &Block,
    text: &Text,
    seen: &mut BTreeSet<String>,
    found: &mut BTreeSet<&'b str>,
) {
    // A list instead of calls: however long a chain of parents is, it is walked.
    let names = |block: &Block| -> Vec<String> {
        let literals = elements(&block.body, "inherits").iter().filter_map(|e| literal(e, text.as_str()));
        literals.map(|(name, _)| name.to_owned()).collect()
    };
    let mut waiting = names(block);
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        for (_, parent) in targets(body).filter(|(target, _)| *target == name) {
            found.extend(parent.body.attributes.iter().map(|attribute| &*attribute.name));
            waiting.extend(names(parent));
        }
    }
}

/// What is declared by the name at an offset, as it is written.
pub(super) fn hover(body: &Body, names: &Names<'_>, text: &Text, offset: usize) -> Value {
    let Some(name) = names.at(offset) else { return Value::Null };
    let source = |span: rbc_source::Span| text.as_str().get(span.range()).unwrap_or_default().to_owned();
    let kind = match name.kind {
        Kind::Target => &["target", "group"][..],
        Kind::Variable => &["variable"],
        Kind::Function => &["function"],
    };
    let block = body.blocks.iter().find(|block| kind.contains(&&*block.kind) && label(block) == Some(&name.text));
    let value = match (name.kind, block) {
        (Kind::Variable, Some(block)) => {
            block.body.attribute("default").map_or("no default".to_owned(), |default| source(default.value.span))
        }
        (Kind::Variable, None) => match body.attribute(&name.text) {
            Some(attribute) => source(attribute.value.span),
            None => return Value::Null,
        },
        (_, Some(block)) => source(block.span),
        (_, None) => return Value::Null,
    };
    json!({"contents": {"kind": "plaintext", "value": value}, "range": text.range(name.range.clone())})
}
