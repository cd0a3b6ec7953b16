//! DL3040: what dnf downloaded is of no use in an image.

use rbc_source::{Applicability, Diagnostic, hadolint};

use super::cleanup::Cleanup;
use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};
use crate::shell::Command;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3040, on: true, scope: RuleScope::BuildAndTriggers, check };

const FILLS: &[&str] = &["install", "in", "upgrade", "up", "upgrade-minimal", "up-min", "reinstall", "rei"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let message = "the cache of dnf stays in the layer";
    let counts =
        |run: &Statement<'_>| !run.has_scratch_mount("/var/cache/libdnf5") && !run.has_scratch_mount(".cache/libdnf5");
    let dnf = Cleanup {
        code: RULE.code,
        message,
        command: "dnf clean all",
        applicability: Applicability::Unsafe,
        fills: |command| command.is(&["dnf"], FILLS),
        empties: |command| command.is(&["dnf"], &["clean", "all"]) || removes(command),
    };
    let microdnf = Cleanup {
        code: RULE.code,
        message,
        command: "microdnf clean all",
        applicability: Applicability::Unsafe,
        fills: |command| command.is(&["microdnf"], FILLS),
        empties: |command| command.is(&["microdnf"], &["clean", "all"]) || removes(command),
    };
    let mut findings = dnf.check(flow, counts);
    // A RUN with both is at fault once.
    let more = microdnf.check(flow, |run| counts(run) && !run.script().runs("dnf"));
    findings.extend(more);
    findings
}

fn removes(command: &Command) -> bool {
    command.is(&["rm"], &["-rf", "/var/cache/libdnf5*"])
}
