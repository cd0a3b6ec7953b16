//! DL3019: the index that apk fetches is of no use in an image.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3019, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "the index of apk stays in the layer")
        .note("`--no-cache` fetches the index and does not keep it")
        .fix("say `--no-cache`", Applicability::Unsafe);
    report.runs(flow, |run, script| {
        let adds = script.commands.iter().filter(|c| c.is(&["apk"], &["add"]) && !c.has_flag(&["no-cache"]));
        let faults = adds.map(|c| Fault::of(c, &["add"]).insert_behind(c, &["add"], " --no-cache"));
        if run.has_scratch_mount("/var/cache/apk") { Vec::new() } else { faults.collect() }
    })
}
