//! DL3016: without a version npm installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3016, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "`npm install` of any version")
        .note("write `package@version`, or keep versions in package-lock.json and run `npm ci`");
    report.commands_many(flow, |command| {
        let mut operands = command.operands(&["loglevel", "registry"]);
        let installs = &*command.name == "npm" && operands.next().is_some_and(|first| &*first.text == "install");
        let packages = operands.skip_while(|arg| &*arg.text == "install");
        packages.filter(|package| installs && !is_pinned(&package.text)).map(Fault::named).collect()
    })
}

fn is_pinned(package: &str) -> bool {
    if ["git://", "git+ssh://", "git+http://", "git+https://"].iter().any(|scheme| package.starts_with(scheme)) {
        return package.contains('#');
    }
    let local = ["/", "./", "../", "~/"].iter().any(|start| package.starts_with(start));
    let archive = [".tar", ".tar.gz", ".tgz"].iter().any(|end| package.ends_with(end));
    // The first sign may be a scope's.
    local || archive || package.chars().skip(1).any(|c| c == '@')
}
