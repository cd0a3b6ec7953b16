//! DL3033: without a version yum installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope, rpm};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3033, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    rpm::unpinned(flow, RULE.code, "`yum install` of any version", &["yum"], &["module"])
}
