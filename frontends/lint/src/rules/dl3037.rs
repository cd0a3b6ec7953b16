//! DL3037: without a version zypper installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3037, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "`zypper install` of any version").note("write `package=version`");
    report.commands_many(flow, |command| {
        if !command.is(&["zypper"], &["install", "in"]) {
            return Vec::new();
        }
        let unpinned = command.operands(&[]).filter(|package| {
            let text = &*package.text;
            !matches!(text, "install" | "in") && !text.contains(['=', '<', '>']) && !text.ends_with(".rpm")
        });
        unpinned.map(Fault::named).collect()
    })
}
