//! DL3015: recommended packages make an image larger and are seldom wanted.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3015, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "`apt-get install` takes recommended packages along")
        .fix("say `--no-install-recommends`", Applicability::Unsafe);
    report.commands(flow, |command| {
        let without =
            command.has_flag(&["no-install-recommends"]) || command.has_arg(&["APT::Install-Recommends=false"]);
        (command.is(&["apt-get"], &["install"]) && !without)
            .then(|| Fault::of(command, &["install"]).insert_behind(command, &["install"], " --no-install-recommends"))
    })
}
