//! DL3034: zypper asks before it changes anything, and in a build nobody answers.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3034, on: true, scope: RuleScope::BuildAndTriggers, check };

const COMMANDS: &[&str] = &["install", "in", "remove", "rm", "source-install", "si", "patch"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "zypper would ask, and nobody answers").fix("say `-y`", Applicability::Safe);
    report.commands(flow, |command| {
        (command.is(&["zypper"], COMMANDS) && !command.has_flag(&["non-interactive", "n", "no-confirm", "y"]))
            .then(|| Fault::of(command, COMMANDS).insert_behind(command, COMMANDS, " -y"))
    })
}
