//! DL3027: `apt` is for people; what it prints and takes may change.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3027, on: true, scope: RuleScope::BuildAndTriggers, check };

/// What apt-get does under the same name.
const GET: [&str; 10] =
    ["install", "update", "upgrade", "remove", "purge", "autoremove", "clean", "autoclean", "source", "download"];
/// What apt-cache does.
const CACHE: [&str; 4] = ["search", "show", "policy", "depends"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "`apt` is for people, `apt-get` and `apt-cache` are for scripts")
        .fix("use the command for scripts", Applicability::Unsafe);
    report.commands(flow, |command| {
        (&*command.name == "apt").then(|| {
            let fault = Fault::at(command.name_range.clone());
            match (command.has_arg(&GET), command.has_arg(&CACHE)) {
                (true, false) => fault.replace(command.name_range.clone(), "apt-get"),
                (false, true) => fault.replace(command.name_range.clone(), "apt-cache"),
                _ => fault,
            }
        })
    })
}
