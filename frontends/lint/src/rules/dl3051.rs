//! DL3051: a label of the schema that is empty says nothing.

use rbc_source::{Diagnostic, hadolint};

use super::labels::labels;
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3051, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    labels(flow, RULE.code, None, "is empty", |value| !value.is_empty())
}
