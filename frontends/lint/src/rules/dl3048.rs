//! DL3048: keys of labels are lower-case words joined by dots and hyphens, and some prefixes are Docker's.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, plain};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3048, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let labels = flow.of(Keyword::Label).filter_map(|label| {
        let (pair, reason) = label.pairs().iter().find_map(|pair| Some((pair, fault(&plain(&pair.key.text))?)))?;
        Some(Diagnostic::new(RULE.code, format!("a label's key {reason}")).at(label.at(&pair.key)))
    });
    labels.collect()
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
