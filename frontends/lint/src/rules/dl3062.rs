//! DL3062: without a version go installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;
use crate::shell::{Arg, Script};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3062, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "go installs any version").note("write `package@version`");
    report.runs(flow, |_, script| {
        packages(script).into_iter().filter(|p| !is_pinned(&p.text)).map(Fault::named).collect()
    })
}

/// What `go run` runs, or else what `go install` and `go get` install.
fn packages<'s>(script: &'s Script<'_>) -> Vec<&'s Arg> {
    let of = |names: &'static [&'static str]| script.commands.iter().filter(move |command| command.is(&["go"], names));
    // What is behind the package of `go run` is for the program.
    let run: Vec<&Arg> =
        of(&["run"]).flat_map(|command| command.operands(&[]).take(2)).filter(|arg| &*arg.text != "run").collect();
    if !run.is_empty() {
        return run;
    }
    let installed = of(&["install", "get"]).flat_map(|command| command.operands(&[]));
    installed.filter(|arg| !matches!(&*arg.text, "install" | "get" | "tool")).collect()
}

fn is_pinned(package: &str) -> bool {
    let local = package.starts_with(['/', '.']);
    local || (package.contains('@') && !package.ends_with("@latest") && !package.ends_with("@none"))
}
