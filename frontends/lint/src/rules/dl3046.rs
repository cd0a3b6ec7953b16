//! DL3046: without `-l` useradd extends the log of logins up to the user's id, a sparse file that layers store in full.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3046, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "useradd with so high an id makes large files")
        .note("`-l` leaves the user out of the logs of logins")
        .fix("say `-l`", Applicability::Unsafe);
    report.commands(flow, |command| {
        let large = command.values_of("u").any(|id| id.text.chars().count() > 5);
        (&*command.name == "useradd" && large && !command.has_flag(&["l", "no-log-init"]))
            .then(|| Fault::at(command.name_range.clone()).insert_behind(command, &[], " -l"))
    })
}
