//! DL3060: what yarn downloaded is of no use in an image.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::cleanup::Cleanup;
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3060, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let cleanup = Cleanup {
        code: RULE.code,
        message: "the cache of yarn stays in the layer",
        command: "yarn cache clean",
        applicability: Applicability::Unsafe,
        fills: |command| command.is(&["yarn"], &["install"]),
        empties: |command| command.is(&["yarn"], &["cache", "clean"]),
    };
    cleanup.check(flow, |run| flow.ships(run.stage) && !run.has_scratch_mount(".cache/yarn"))
}
