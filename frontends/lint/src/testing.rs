//! Help for tests.

use rbc_grammar::Document;
use rbc_source::{Diagnostic, Edit, FileId, SourceFile, by_name};

use crate::{LintConfig, check};

/// What one rule finds in a text.
pub(crate) fn findings(rule: &str, text: &str, config: &LintConfig) -> Vec<Diagnostic> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let code = by_name(rule).expect("there is such a rule");
    let mut found = check(&file, &Document::parse(file.text()), config);
    found.retain(|finding| finding.code.id == code.id);
    found
}

/// Lines and columns, from 1, of all that one rule points at.
pub(crate) fn places(rule: &str, text: &str) -> Vec<(u32, u32)> {
    places_with(rule, text, &LintConfig::default())
}

/// The same with a configuration.
pub(crate) fn places_with(rule: &str, text: &str, config: &LintConfig) -> Vec<(u32, u32)> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let labels = |finding: Diagnostic| finding.primary.into_iter().chain(finding.secondary);
    findings(rule, text, config)
        .into_iter()
        .flat_map(labels)
        .map(|label| file.line_col(label.span.start as usize))
        .map(|place| (place.line + 1, place.col + 1))
        .collect()
}

/// The text when the first fix of the rule's every finding is applied.
pub(crate) fn fixed(rule: &str, text: &str) -> String {
    apply(text, &findings(rule, text, &LintConfig::default()))
}

/// The text when the first fix of every finding is applied, an edit that several have once.
pub(crate) fn apply(text: &str, findings: &[Diagnostic]) -> String {
    let mut edits: Vec<&Edit> = Vec::new();
    for fix in findings.iter().filter_map(|finding| finding.fixes.first()) {
        let is_new = |edit: &&Edit| !edits.iter().any(|other| other == edit);
        let fresh: Vec<&Edit> = fix.edits.iter().filter(is_new).collect();
        edits.extend(fresh);
    }
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = text.to_owned();
    for edit in edits.into_iter().rev() {
        out.replace_range(edit.span.range(), &edit.text);
    }
    out
}
