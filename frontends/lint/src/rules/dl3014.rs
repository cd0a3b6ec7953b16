//! DL3014: apt-get asks before it installs, and in a build nobody answers.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;
use crate::shell::Command;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3014, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report =
        Report::new(RULE.code, "`apt-get install` would ask, and nobody answers").fix("say `-y`", Applicability::Safe);
    report.commands(flow, |command| {
        (command.is(&["apt-get"], &["install"]) && !assumes_yes(command))
            .then(|| Fault::of(command, &["install"]).insert_behind(command, &["install"], " -y"))
    })
}

fn assumes_yes(command: &Command) -> bool {
    command.has_flag(&["y", "yes", "qq", "assume-yes"])
        || command.count_flag("q") == 2
        || command.count_flag("quiet") == 2
        || command.has_arg(&["-q=2"])
}
