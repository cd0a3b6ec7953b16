//! DL3004: a build runs as the user of USER; sudo has its own ideas of environment, terminal and signals.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3004, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "sudo has no place in a build")
        .note("switch users by USER; to drop privileges when the container starts, use gosu or setpriv")
        .fix("run it without sudo", Applicability::Unsafe);
    report.commands(flow, |command| {
        (&*command.name == "sudo").then(|| {
            let fault = Fault::at(command.name_range.clone());
            match command.args.first() {
                Some(first) if !first.text.starts_with('-') && !first.text.contains('=') => {
                    fault.replace(command.name_range.start..first.range.start, "")
                }
                _ => fault,
            }
        })
    })
}
