//! DL3047: without a terminal wget prints a line for every 50 KiB.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3047, on: true, scope: RuleScope::BuildAndTriggers, check };

/// Options that keep the log short.
const SHORT: [&str; 8] = ["progress", "q", "quiet", "o", "output-file", "a", "append-output", "no-verbose"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "wget fills the log with its progress")
        .note("say `--progress=dot:giga`, `-nv` or `-q`; busybox's wget knows only `-q`")
        .fix("say `--progress=dot:giga`", Applicability::Unsafe);
    report.commands(flow, |command| {
        (&*command.name == "wget" && !command.has_flag(&SHORT) && !command.has_arg(&["-nv"]))
            .then(|| Fault::at(command.name_range.clone()).insert_behind(command, &[], " --progress=dot:giga"))
    })
}
