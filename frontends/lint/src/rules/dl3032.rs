//! DL3032: what yum downloaded is of no use in an image.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::cleanup::Cleanup;
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3032, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let cleanup = Cleanup {
        code: RULE.code,
        message: "the cache of yum stays in the layer",
        command: "yum clean all",
        applicability: Applicability::Unsafe,
        fills: |command| command.is(&["yum"], &["install"]),
        empties: |command| command.is(&["yum"], &["clean", "all"]) || command.is(&["rm"], &["-rf", "/var/cache/yum/*"]),
    };
    cleanup.check(flow, |_| true)
}
