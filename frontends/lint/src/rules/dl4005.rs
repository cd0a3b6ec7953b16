//! DL4005: SHELL says which shell runs what; a link over /bin/sh changes it for all programs.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL4005, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    Report::new(RULE.code, "/bin/sh is replaced")
        .note("SHELL sets the shell that RUN uses")
        .commands(flow, |command| command.is(&["ln"], &["/bin/sh"]).then(|| Fault::at(command.range.clone())))
}
