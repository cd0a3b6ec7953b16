//! DL3036: what zypper downloaded is of no use in an image.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::cleanup::Cleanup;
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3036, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let cleanup = Cleanup {
        code: RULE.code,
        message: "the cache of zypper stays in the layer",
        command: "zypper clean --all",
        applicability: Applicability::Unsafe,
        fills: |command| command.is(&["zypper"], &["install", "in"]),
        empties: |command| command.is(&["zypper"], &["clean", "cc"]),
    };
    cleanup.check(flow, |run| !run.has_scratch_mount("/var/cache/zypp"))
}
