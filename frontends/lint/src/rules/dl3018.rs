//! DL3018: without a version apk installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3018, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report =
        Report::new(RULE.code, "`apk add` of any version").note("write `package=version` or `package~=version`");
    report.commands_many(flow, |command| {
        if !command.is(&["apk"], &["add"]) {
            return Vec::new();
        }
        let packages = command.operands(&["t", "virtual", "repository", "X"]);
        let unpinned = packages.filter(|package| {
            let text = &*package.text;
            text != "add" && !text.contains(['=', '~', '<', '>']) && !text.ends_with(".apk")
        });
        unpinned.map(Fault::named).collect()
    })
}
