//! DL3055: a label of type `hash` is a commit of git, in full or its first seven digits.

use rbc_source::{Diagnostic, hadolint};

use super::labels::labels;
use super::{Rule, RuleScope};
use crate::config::LabelType;
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3055, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    labels(flow, RULE.code, Some(LabelType::Hash), "is no commit of git", is_commit)
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 7 | 40) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
