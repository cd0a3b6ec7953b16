//! DL3009: package lists are of no use in an image, and a later layer cannot take them out again.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};
use crate::shell::Script;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3009, on: true, scope: RuleScope::BuildAndTriggers, check };

const LISTS: &str = "/var/lib/apt/lists/*";

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "the package lists of apt stay in the layer")
        .note("remove /var/lib/apt/lists/* in the same RUN, or mount a cache there")
        .fix("remove them at the end", Applicability::Unsafe);
    report.runs(flow, |run, script| {
        if !flow.ships(run.stage) || is_clean(run, script) {
            return Vec::new();
        }
        let end = script.text.trim_end().len();
        let updates = script.commands.iter().filter(|c| c.is(&["apt", "apt-get", "aptitude"], &["update"]));
        let faults = updates.map(|command| Fault::of(command, &["update"]));
        let remove = format!(" && rm -rf {LISTS}");
        faults
            .take(1)
            .map(|fault| if run.instruction.heredocs.is_empty() { fault.replace(end..end, &remove) } else { fault })
            .collect()
    })
}

fn is_clean(run: &Statement<'_>, script: &Script<'_>) -> bool {
    script.commands.iter().any(|command| command.is(&["rm"], &["-rf", LISTS]))
        || run.has_scratch_mount("/var/lib/apt/lists")
        || (run.has_scratch_mount("/var/lib/apt") && run.has_scratch_mount("/var/cache/apt"))
}
