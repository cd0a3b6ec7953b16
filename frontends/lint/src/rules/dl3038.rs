//! DL3038: dnf asks before it installs, and in a build nobody answers.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3038, on: true, scope: RuleScope::BuildAndTriggers, check };

const COMMANDS: &[&str] = &["install", "groupinstall", "localinstall"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "dnf would ask, and nobody answers").fix("say `-y`", Applicability::Safe);
    report.commands(flow, |command| {
        (command.is(&["dnf", "microdnf"], COMMANDS) && !command.has_flag(&["y", "assumeyes"]))
            .then(|| Fault::of(command, COMMANDS).insert_behind(command, COMMANDS, " -y"))
    })
}
