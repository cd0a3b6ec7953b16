//! DL3024: of two stages with one name only the last can be referred to.

use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3024, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (from, base) in flow.stages() {
        let Some(name) = &base.name else { continue };
        let before = flow.stage_named(&name.text, from.stage).and_then(|stage| flow.stage(stage));
        let Some((first, other)) = before.and_then(|(first, base)| Some((first, base.name.as_ref()?))) else {
            continue;
        };
        findings.push(
            Diagnostic::new(RULE.code, format!("there is a stage `{}` already", name.text))
                .at(from.at(name))
                .also(first.at(other), "here"),
        );
    }
    findings
}
