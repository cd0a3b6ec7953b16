//! DL3023: a stage cannot copy from itself.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3023, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for copy in flow.of(Keyword::Copy) {
        let Some((from, span)) = copy.from() else { continue };
        let Some((stage, name)) = flow.stage(copy.stage).and_then(|(stage, base)| Some((stage, base.name.as_ref()?)))
        else {
            continue;
        };
        if name.text.eq_ignore_ascii_case(&from) {
            findings.push(
                Diagnostic::new(RULE.code, format!("stage `{from}` copies from itself"))
                    .at(span)
                    .also(stage.at(name), "this stage"),
            );
        }
    }
    findings
}
