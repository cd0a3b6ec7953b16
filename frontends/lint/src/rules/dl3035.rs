//! DL3035: a base image is upgraded by taking a newer one.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3035, on: true, scope: RuleScope::BuildAndTriggers, check };

const COMMANDS: &[&str] = &["dist-upgrade", "dup"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    Report::new(RULE.code, "the whole distribution is upgraded")
        .note("take a newer base image instead")
        .commands(flow, |command| command.is(&["zypper"], COMMANDS).then(|| Fault::of(command, COMMANDS)))
}
