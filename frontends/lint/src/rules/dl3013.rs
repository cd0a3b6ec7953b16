//! DL3013: without a version pip installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;
use crate::shell::{Arg, Command};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3013, on: true, scope: RuleScope::BuildAndTriggers, check };

/// Options of `pip install` whose value is an argument of its own.
const WITH_VALUE: [&str; 26] = [
    "abi",
    "b",
    "build",
    "e",
    "editable",
    "extra-index-url",
    "f",
    "find-links",
    "i",
    "implementation",
    "index-url",
    "no-binary",
    "only-binary",
    "platform",
    "prefix",
    "progress-bar",
    "proxy",
    "python",
    "python-version",
    "root",
    "root-user-action",
    "src",
    "t",
    "target",
    "trusted-host",
    "upgrade-strategy",
];

/// Prefixes of requirements in version control: the system, with or without a protocol.
const SYSTEMS: [&str; 4] = ["git", "hg+", "svn", "bzr+"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "`pip install` of any version")
        .note("write `package==version`, or list versions in a file for `--requirement` or `--constraint`");
    report.runs(flow, |_, script| {
        let installs = script.commands.iter().filter(|command| command.is_pip_install() && !is_listed(command));
        installs
            .flat_map(|command| packages(command).filter(|package| !is_pinned(&package.text)))
            .map(Fault::named)
            .collect()
    })
}

/// Whether what is installed stands in a file, or is the project itself.
fn is_listed(command: &Command) -> bool {
    command.has_arg(&["--requirement", "-r", "."]) || command.has_flag(&["constraint", "c"])
}

fn packages(command: &Command) -> impl Iterator<Item = &Arg> {
    let behind = command.operands(&WITH_VALUE).skip_while(|arg| &*arg.text != "install");
    behind.skip_while(|arg| &*arg.text == "install")
}

fn is_pinned(package: &str) -> bool {
    let versioned = ["==", "!=", "~=", "<", ">"].iter().any(|sign| package.contains(sign));
    let local = package.ends_with(".whl") || package.ends_with(".tar.gz");
    match SYSTEMS.iter().any(|system| package.starts_with(system)) {
        true => versioned || local || package.contains('@'),
        false => versioned || local || package.contains('/'),
    }
}
