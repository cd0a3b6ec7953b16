//! DL3065: stages are of the target's platform unless something else is said.

use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3065, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (from, base) in flow.stages() {
        let Some(platform) = &base.platform else { continue };
        if matches!(platform.value.as_deref(), Some("$TARGETPLATFORM" | "${TARGETPLATFORM}")) {
            let edit = Edit { span: from.place(&(platform.range.start..base.text.range.start)), text: String::new() };
            findings.push(
                Diagnostic::new(RULE.code, "this platform is the default").at(from.place(&platform.range)).fix(
                    "leave it out",
                    vec![edit],
                    Applicability::Safe,
                ),
            );
        }
    }
    findings
}
