//! Findings as a log in SARIF 2.1.0 (OASIS), which code scanners and editors read. Section numbers are those of the standard.

use std::collections::HashMap;

use rbc_source::{Code, Diagnostic, Edit, Severity, Sources, Span};
use serde::Serialize;

use crate::explain::page_of;
use crate::json::to_text;
use crate::place::{Places, Region};
use crate::summary::exit_code;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Where a reader finds the pages of the codes: in the repository that the manifest names.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Renders findings as a SARIF log with one run.
pub fn render(found: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    let mut rules = Rules::default();
    let results = found.iter().map(|finding| result(finding, &places, &mut rules)).collect();
    let status = exit_code(found);
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool { driver: Driver { name: "rbc", version: env!("CARGO_PKG_VERSION"), rules: rules.list } },
            // What is wrong with the input does not make the run fail; what stops rbc from looking at it does.
            invocations: [Invocation { execution_successful: status <= 1, exit_code: status }],
            column_kind: "unicodeCodePoints",
            results,
        }],
    };
    to_text(&log, true) + "\n"
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    version: &'a str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    invocations: [Invocation; 1],
    column_kind: &'a str,
    results: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
struct Driver<'a> {
    name: &'a str,
    version: &'a str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: &'static str,
    short_description: Text,
    help: Help,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Help {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'a str,
    message: Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_flows: Vec<CodeFlow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Change>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: TextRegion,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TextRegion {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
    byte_offset: usize,
    byte_length: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeFlow {
    thread_flows: [ThreadFlow; 1],
}

#[derive(Serialize)]
struct ThreadFlow {
    locations: Vec<Stop>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stop {
    location: Location,
    nesting_level: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    description: Text,
    artifact_changes: Vec<ArtifactChange>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange {
    artifact_location: ArtifactLocation,
    replacements: Vec<Replacement>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: TextRegion,
    inserted_content: Text,
}

/// The codes of all results, each once (3.19.23).
#[derive(Default)]
struct Rules {
    list: Vec<Rule>,
    index: HashMap<&'static str, usize>,
}

impl Rules {
    fn index_of(&mut self, code: &'static Code) -> usize {
        *self.index.entry(code.id).or_insert_with(|| {
            self.list.push(rule(code, REPOSITORY));
            self.list.len() - 1
        })
    }
}

fn rule(code: &'static Code, repository: &str) -> Rule {
    let help = page_of(code).map_or(code.summary, |page| page.text);
    Rule {
        id: code.id,
        name: code.name,
        short_description: Text { text: code.summary.to_owned() },
        help: Help { text: help, markdown: help },
        help_uri: (!repository.is_empty()).then(|| format!("{repository}/blob/main/docs/codes/{}.md", code.id)),
        default_configuration: Configuration { level: level(code.severity) },
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info | Severity::Hint => "note",
    }
}

fn result<'a>(finding: &'a Diagnostic, places: &Places<'_>, rules: &mut Rules) -> Found<'a> {
    let primary = || finding.primary.iter().filter_map(|l| location(l.span, &l.message, places));
    let related = finding.secondary.iter().filter_map(|l| location(l.span, &l.message, places));
    let related = related.enumerate().map(|(id, location)| Location { id: Some(id), ..location });
    let mut flow: Vec<Location> =
        finding.trace.iter().filter_map(|frame| location(frame.span, &frame.message, places)).collect();
    if !flow.is_empty() {
        flow.extend(primary());
    }
    let stops: Vec<Stop> =
        flow.into_iter().enumerate().map(|(nesting_level, location)| Stop { location, nesting_level }).collect();
    let mut message = finding.message.clone();
    for note in &finding.notes {
        message.push('\n');
        message.push_str(note);
    }
    Found {
        rule_id: finding.code.id,
        rule_index: rules.index_of(finding.code),
        level: level(finding.severity),
        message: Text { text: message },
        locations: primary().collect(),
        related_locations: related.collect(),
        code_flows: if stops.is_empty() {
            Vec::new()
        } else {
            vec![CodeFlow { thread_flows: [ThreadFlow { locations: stops }] }]
        },
        fixes: finding
            .fixes
            .iter()
            .filter_map(|fix| {
                let artifact_changes = changes(&fix.edits, places)?;
                Some(Change { description: Text { text: fix.message.clone() }, artifact_changes })
            })
            .collect(),
    }
}

fn location(span: Span, message: &str, places: &Places<'_>) -> Option<Location> {
    let region = places.region(span)?;
    Some(Location {
        id: None,
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(region.file.name()) },
            region: text_region(&region),
        },
        message: (!message.is_empty()).then(|| Text { text: message.to_owned() }),
    })
}

fn text_region(region: &Region<'_>) -> TextRegion {
    TextRegion {
        start_line: region.start.line,
        start_column: region.start.column,
        end_line: region.end.line,
        end_column: region.end.column,
        byte_offset: region.start.byte,
        byte_length: region.end.byte - region.start.byte,
    }
}

/// Edits by file. None if there are none (3.55.3), or if one is in no known file: half a fix is none.
fn changes(edits: &[Edit], places: &Places<'_>) -> Option<Vec<ArtifactChange>> {
    let mut by_file: Vec<(rbc_source::FileId, ArtifactChange)> = Vec::new();
    for edit in edits {
        let region = places.region(edit.span)?;
        let replacement =
            Replacement { deleted_region: text_region(&region), inserted_content: Text { text: edit.text.clone() } };
        match by_file.iter_mut().find(|(file, _)| *file == edit.span.file) {
            Some((_, change)) => change.replacements.push(replacement),
            None => {
                let artifact_location = ArtifactLocation { uri: uri(region.file.name()) };
                by_file.push((edit.span.file, ArtifactChange { artifact_location, replacements: vec![replacement] }));
            }
        }
    }
    (!by_file.is_empty()).then(|| by_file.into_iter().map(|(_, change)| change).collect())
}

/// The name of a file as a URI or, if it is relative, a reference to one (RFC 3986).
fn uri(name: &str) -> String {
    if name.contains("://") {
        return encoded(name, b"-._~!$&'()*+,;=:@/?#[]%");
    }
    let path = encoded(&name.replace('\\', "/"), b"-._~!$&'()*+,;=@/");
    if path.starts_with('/') { format!("file://{path}") } else { path }
}

fn encoded(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::dockerfile;

    #[test]
    fn uris() {
        assert_eq!(uri("a b/Döckerfile"), "a%20b/D%C3%B6ckerfile");
        assert_eq!(uri("/x/Dockerfile"), "file:///x/Dockerfile");
        assert_eq!(uri("https://example.com/a.git#main:Dockerfile"), "https://example.com/a.git#main:Dockerfile");
        assert_eq!(uri("c:x"), "c%3Ax", "a colon would make a scheme of what is before it");
    }

    #[test]
    fn rules_lead_to_their_page() {
        let uri = rule(dockerfile::DIRECTIVE, "https://example.com/rbc").help_uri;
        assert_eq!(uri.as_deref(), Some("https://example.com/rbc/blob/main/docs/codes/E0101.md"));
        assert_eq!(rule(dockerfile::DIRECTIVE, "").help_uri, None);
    }
}
