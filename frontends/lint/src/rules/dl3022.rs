//! DL3022: `COPY --from` of a name that no stage before has is taken for an image.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3022, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let names: Vec<(usize, String)> =
        flow.stages().filter_map(|(from, base)| Some((from.stage, base.name.as_ref()?.text.to_lowercase()))).collect();
    let mut findings = Vec::new();
    for copy in flow.of(Keyword::Copy) {
        let Some((from, span)) = copy.from() else { continue };
        // With a colon it is an image, and pinned.
        let is_stage = names.iter().any(|(stage, name)| *stage <= copy.stage && *name == from.to_lowercase())
            || from.parse::<usize>().is_ok_and(|number| number < copy.stage);
        if is_stage || from.contains(':') {
            continue;
        }
        let finding = Diagnostic::new(RULE.code, format!("no stage before is called `{from}`"))
            .labelled(span, "taken for an image or a named context");
        let known = names.iter().filter(|(stage, _)| *stage < copy.stage).map(|(_, name)| name);
        findings.push(finding.suggest(&from, known));
    }
    findings
}
