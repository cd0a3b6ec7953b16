//! DL3001: programs for people at a running machine have no use in a build.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3001, on: true, scope: RuleScope::BuildAndTriggers, check };

const POINTLESS: [&str; 9] = ["free", "kill", "mount", "ps", "service", "shutdown", "ssh", "top", "vim"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    Report::new(RULE.code, "a command that makes no sense in a build")
        .commands(flow, |command| POINTLESS.contains(&&*command.name).then(|| Fault::at(command.name_range.clone())))
}
