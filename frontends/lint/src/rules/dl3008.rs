//! DL3008: without a version apt-get installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3008, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "`apt-get install` of any version").note("write `package=version`");
    report.runs(flow, |_, script| {
        let installs = script.commands.iter().filter(|command| command.is(&["apt-get"], &["install"]));
        let packages = installs.flat_map(|command| command.operands(&["t", "target-release"]));
        let unpinned = packages.filter(|package| {
            let text = &*package.text;
            text != "install" && !text.contains(['=', '/']) && !text.ends_with(".deb")
        });
        unpinned.map(Fault::named).collect()
    })
}
