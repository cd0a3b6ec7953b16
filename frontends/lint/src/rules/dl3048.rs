//! DL3048: keys of labels are lower-case words joined by dots and hyphens, and some prefixes are Docker's.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, plain};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3048, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for label in flow.of(Keyword::Label) {
        let keys = label.pairs().iter().map(|pair| &pair.key);
        let wrong: Vec<_> = keys.filter_map(|key| Some((key, fault(&plain(&key.text))?))).collect();
        let Some(((key, reason), others)) = wrong.split_first() else { continue };
        let mut finding = Diagnostic::new(RULE.code, format!("a label's key {reason}")).at(label.at(key));
        for (key, reason) in others {
            finding = finding.also(label.at(key), format!("a key {reason}"));
        }
        let lower = wrong.iter().map(|(key, _)| (label.at(key), key.text.to_lowercase()));
        let edits: Option<Vec<Edit>> =
            lower.map(|(span, text)| fault(&plain(&text)).is_none().then_some(Edit { span, text })).collect();
        findings.push(match edits {
            Some(edits) => finding.fix("write it in lower case", edits, Applicability::Unsafe),
            None => finding,
        });
    }
    findings
}

/// What is wrong with a key.
fn fault(key: &str) -> Option<&'static str> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !key.starts_with(|c: char| c.is_ascii_lowercase()) || !key.ends_with(is_word) {
        Some("begins with a lower-case letter and ends with one or with a digit")
    } else if !key.chars().all(|c| is_word(c) || matches!(c, '.' | '-' | '_' | '/')) {
        Some("consists of lower-case letters, digits, dots and hyphens")
    } else if ["com.docker.", "io.docker.", "org.dockerproject."].iter().any(|prefix| key.starts_with(prefix)) {
        Some("cannot begin with a name that is Docker's own")
    } else if key.contains("..") || key.contains("--") {
        Some("has no two dots or hyphens in a row")
    } else {
        None
    }
}
