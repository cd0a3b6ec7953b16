//! Answers about a build without building: what `--call=outline|targets|check` prints, in the reference's forms
//! (BuildKit's `frontend/subrequests`).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rbc_ast::recipe::Recipe;
use rbc_lower::{Outline, OutlineMount};
use rbc_source::{Diagnostic, SourceFile, Span};
use serde_json::{Map, Value, json};

/// Ranges of a span as protobuf's JSON has them in Go: one a line, characters left out.
pub fn location(file: &SourceFile, span: Span) -> Value {
    let (first, last) = file.lines_of(span);
    let ranges: Vec<Value> =
        (first..=last).map(|line| json!({"start": {"line": line + 1}, "end": {"line": line + 1}})).collect();
    json!({ "ranges": ranges })
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let mut map = Map::new();
    for (key, value) in fields {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    }
    Value::Object(map)
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::from(text))
}

/// What a target takes, as JSON. `sources` holds the text of the file.
pub fn outline(file: &SourceFile, outline: &Outline) -> Value {
    let mounts = |mounts: &[OutlineMount]| {
        let list: Vec<Value> = mounts
            .iter()
            .map(|m| {
                object([
                    ("name", Some(m.name.as_str().into())),
                    ("required", m.required.then_some(Value::Bool(true))),
                    ("location", Some(location(file, m.span))),
                ])
            })
            .collect();
        (!list.is_empty()).then_some(Value::Array(list))
    };
    let args: Vec<Value> = outline
        .args
        .iter()
        .map(|a| {
            object([
                ("name", Some(a.name.as_str().into())),
                ("description", a.description.as_deref().and_then(text)),
                ("value", text(&a.value)),
                ("location", Some(location(file, a.span))),
            ])
        })
        .collect();
    object([
        ("name", text(&outline.name)),
        ("description", outline.description.as_deref().and_then(text)),
        ("args", (!args.is_empty()).then_some(Value::Array(args))),
        ("secrets", mounts(&outline.secrets)),
        ("ssh", mounts(&outline.ssh)),
        ("sources", Some(json!([base64(file.bytes())]))),
    ])
}

/// The stages of a recipe, as JSON.
pub fn targets(file: &SourceFile, recipe: &Recipe) -> Value {
    let last = recipe.stages.len().saturating_sub(1);
    let targets: Vec<Value> = recipe
        .stages
        .iter()
        .enumerate()
        .map(|(i, stage)| {
            object([
                ("name", stage.name.as_deref().and_then(text)),
                ("default", (i == last).then_some(Value::Bool(true))),
                ("description", stage.doc.as_deref().and_then(text)),
                ("base", text(&stage.base.text)),
                ("platform", stage.platform.as_ref().and_then(|p| text(&p.text))),
                ("location", Some(location(file, stage.head.span))),
            ])
        })
        .collect();
    let targets = if targets.is_empty() { Value::Null } else { targets.into() };
    json!({ "targets": targets, "sources": [base64(file.bytes())] })
}

/// Findings of BuildKit's checks, and the error if there is one, as JSON.
pub fn check(file: &SourceFile, warnings: &[Diagnostic], error: Option<&Diagnostic>) -> Value {
    let place = |d: &Diagnostic| {
        let mut location = match place(d) {
            Some(span) => location(file, span),
            None => json!({ "ranges": [] }),
        };
        location["sourceIndex"] = 0.into();
        location
    };
    let warnings: Vec<Value> = warnings
        .iter()
        .map(|w| {
            object([
                ("ruleName", Some(w.code.name.into())),
                ("description", Some(description(w).into())),
                ("url", rule_url(w.code.name).map(Value::from)),
                ("detail", text(&w.message)),
                ("location", Some(place(w))),
            ])
        })
        .collect();
    let error = error.map(|e| json!({ "message": e.message, "location": place(e) }));
    let source = object([
        ("filename", Some(file.name().into())),
        ("language", Some("Dockerfile".into())),
        ("data", Some(base64(file.bytes()).into())),
    ]);
    object([("warnings", Some(warnings.into())), ("sources", Some(json!([source]))), ("buildError", error)])
}

/// JSON as people read it, with a line end behind it.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Rows in columns: each as wide as its widest cell and `gap` spaces; the last is not padded.
pub fn table(rows: &[Vec<String>], gap: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        for (c, cell) in row.iter().enumerate() {
            out += cell;
            if c + 1 < row.len() {
                let padding = widths[c] + gap - cell.chars().count();
                out.extend(std::iter::repeat_n(' ', padding));
            }
        }
        out.push('\n');
    }
    out
}

/// The stages of a recipe, as a table.
pub fn targets_text(recipe: &Recipe) -> String {
    let last = recipe.stages.len().saturating_sub(1);
    let mut rows = vec![vec!["TARGET".to_owned(), "DESCRIPTION".to_owned()]];
    for (i, stage) in recipe.stages.iter().enumerate() {
        let name = match (stage.name.as_deref().unwrap_or_default(), i == last) {
            ("", true) => "(default)".to_owned(),
            (name, true) => format!("{name} (default)"),
            (name, false) => name.to_owned(),
        };
        rows.push(vec![name, stage.doc.as_deref().unwrap_or_default().to_owned()]);
    }
    table(&rows, 3)
}

/// What a target takes, as tables.
pub fn outline_text(outline: &Outline) -> String {
    let cells = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    let description = |d: &Option<String>| d.clone().unwrap_or_default();
    let mut out = String::new();
    if !outline.name.is_empty() || outline.description.is_some() {
        let name = if outline.name.is_empty() { "(default)" } else { &outline.name };
        let mut rows = vec![cells(&["TARGET:", name])];
        if let Some(text) = &outline.description {
            rows.push(cells(&["DESCRIPTION:", text]));
        }
        out += &table(&rows, 1);
        out.push('\n');
    }
    if !outline.args.is_empty() {
        let mut rows = vec![cells(&["BUILD ARG", "VALUE", "DESCRIPTION"])];
        rows.extend(outline.args.iter().map(|a| vec![a.name.clone(), a.value.clone(), description(&a.description)]));
        out += &table(&rows, 3);
        out.push('\n');
    }
    for (title, mounts) in [("SECRET", &outline.secrets), ("SSH", &outline.ssh)] {
        if !mounts.is_empty() {
            let mut rows = vec![cells(&[title, "REQUIRED"])];
            rows.extend(mounts.iter().map(|m| cells(&[&m.name, if m.required { "true" } else { "" }])));
            out += &table(&rows, 3);
            out.push('\n');
        }
    }
    out
}

/// Findings of BuildKit's checks with the lines they are about, as docker prints them; the error comes last.
pub fn check_text(file: &SourceFile, warnings: &[Diagnostic], error: Option<&Diagnostic>) -> String {
    let mut out = String::new();
    let mut warnings: Vec<&Diagnostic> = warnings.iter().collect();
    warnings.sort_by_key(|w| place(w).map(|span| file.line_of(span.start as usize)));
    for warning in warnings {
        out += &format!("\nWARNING: {}", warning.code.name);
        if let Some(url) = rule_url(warning.code.name) {
            out += &format!(" - {url}");
        }
        out += &format!("\n{}\n", warning.message);
        out += &excerpt(file, warning);
    }
    if let Some(error) = error {
        out += &format!("\nERROR: {}\n", error.message);
        out += &excerpt(file, error);
    }
    out
}

/// The lines of a finding with some around, those that it is about marked.
fn excerpt(file: &SourceFile, found: &Diagnostic) -> String {
    let Some(span) = place(found) else { return String::new() };
    let (first, last) = file.lines_of(span);
    let around = if first == last { 2 } else { 1 };
    let (start, end) = (first.saturating_sub(around), (last + around).min(file.line_count() - 1));
    let mut out = format!("{}:{}\n--------------------\n", file.name(), first + 1);
    for line in start..=end {
        let mark = if (first..=last).contains(&line) { ">>>" } else { "   " };
        out += &format!(" {:3} | {mark} {}\n", line + 1, file.line_text(line));
    }
    out + "--------------------\n"
}

/// The place of a finding as BuildKit gives it: the whole instruction.
pub fn place(found: &Diagnostic) -> Option<Span> {
    found.trace.last().map(|f| f.span).or_else(|| found.primary.as_ref().map(|l| l.span))
}

/// What BuildKit's rules are about, in its own words: like their names and messages, tools match them.
const DESCRIPTIONS: [(&str, &str); 22] = [
    (
        "ConsistentInstructionCasing",
        "All commands within the Dockerfile should use the same casing (either upper or lower)",
    ),
    ("CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore"),
    ("DuplicateStageName", "Stage names should be unique"),
    (
        "ExposeInvalidFormat",
        "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
    ),
    ("ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase"),
    ("FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword"),
    ("FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value"),
    ("InvalidBaseImagePlatform", "Base image platform does not match expected target platform"),
    ("InvalidDefaultArgInFrom", "Default value for global ARG results in an empty or invalid base image name"),
    (
        "InvalidDefinitionDescription",
        "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
    ),
    (
        "JSONArgsRecommended",
        "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    ),
    ("LegacyKeyValueFormat", "Legacy key/value format with whitespace separator should not be used"),
    ("MaintainerDeprecated", "The MAINTAINER instruction is deprecated, use a label instead to define an image author"),
    ("MultipleInstructionsDisallowed", "Multiple instructions of the same type should not be used in the same stage"),
    ("NoEmptyContinuation", "Empty continuation lines will become errors in a future release"),
    (
        "RedundantTargetPlatform",
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    ),
    ("ReservedStageName", "Reserved words should not be used as stage names"),
    ("SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands"),
    ("StageNameCasing", "Stage names should be lowercase"),
    ("UndefinedArgInFrom", "FROM command must use declared ARGs"),
    ("UndefinedVar", "Variables should be defined before their use"),
    (
        "WorkdirRelativePath",
        "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
    ),
];

/// What a rule is about.
pub fn description(found: &Diagnostic) -> &'static str {
    let rule = DESCRIPTIONS.iter().find(|(name, _)| *name == found.code.name);
    rule.map_or(found.code.summary, |(_, description)| description)
}

/// BuildKit's page on one of its rules.
pub fn rule_url(rule: &str) -> Option<String> {
    // The one rule that has no page.
    if rule == "InvalidBaseImagePlatform" {
        return None;
    }
    let mut slug = String::new();
    let chars: Vec<char> = rule.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        let upper = c.is_ascii_uppercase();
        let after_lower = i > 0 && chars[i - 1].is_ascii_lowercase();
        let before_lower = i > 0 && chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
        if upper && (after_lower || before_lower) {
            slug.push('-');
        }
        slug.push(c.to_ascii_lowercase());
    }
    Some(format!("https://docs.docker.com/go/dockerfile/rule/{slug}/"))
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_rules() {
        use rbc_source::lint;
        let about = |code| description(&Diagnostic::new(code, ""));
        assert_eq!(about(lint::UNDEFINED_VAR), "Variables should be defined before their use");
        assert_eq!(about(rbc_source::lower::OPTION), rbc_source::lower::OPTION.summary);
    }

    #[test]
    fn pages_of_rules() {
        assert_eq!(
            rule_url("JSONArgsRecommended").as_deref(),
            Some("https://docs.docker.com/go/dockerfile/rule/json-args-recommended/")
        );
    }
}
