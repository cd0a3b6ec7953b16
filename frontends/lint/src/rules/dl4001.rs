//! DL4001: one of wget and curl is enough.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL4001, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "the stage uses both wget and curl");
    // The stage, and which of the two it has used.
    let mut seen = (0, false, false);
    report.runs(flow, |run, script| {
        let (curl, wget) = (script.runs("curl"), script.runs("wget"));
        if seen.0 != run.stage {
            seen = (run.stage, false, false);
        }
        seen = (run.stage, seen.1 | curl, seen.2 | wget);
        let used = script.commands.iter().filter(|command| matches!(&*command.name, "curl" | "wget"));
        let both = seen.1 && seen.2;
        used.filter(|_| both).map(|command| Fault::at(command.name_range.clone())).collect()
    })
}
