//! DL3024: of two stages with one name only the last can be referred to.

use rbc_source::{Diagnostic, Span, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3024, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut seen: Vec<(String, Span)> = Vec::new();
    let mut findings = Vec::new();
    for (from, base) in flow.stages() {
        let Some(name) = &base.name else { continue };
        let (lower, span) = (name.text.to_lowercase(), from.at(name));
        match seen.iter().find(|(other, _)| *other == lower) {
            Some((_, first)) => findings.push(
                Diagnostic::new(RULE.code, format!("there is a stage `{}` already", name.text))
                    .at(span)
                    .also(*first, "here"),
            ),
            None => seen.push((lower, span)),
        }
    }
    findings
}
