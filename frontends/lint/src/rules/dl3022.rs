//! DL3022: `COPY --from` of a name that no stage before has is taken for an image.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3022, on: true, scope: RuleScope::Build, check };

/// How many names of stages are compared with one that is not known.
const MOST_NAMES: usize = 100;

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for copy in flow.of(Keyword::Copy) {
        let Some((from, span)) = copy.from() else { continue };
        // With a colon it is an image, and pinned.
        let is_stage = flow.stage_named(&from, copy.stage + 1).is_some()
            || from.parse::<usize>().is_ok_and(|number| number < copy.stage);
        if is_stage || from.contains(':') {
            continue;
        }
        let finding = Diagnostic::new(RULE.code, format!("no stage before is called `{from}`"))
            .labelled(span, "taken for an image or a named context");
        let names = flow.stages().filter_map(|(_, base)| base.name.as_ref()).take(MOST_NAMES);
        findings.push(finding.suggest(&from, names.map(|name| name.text.to_lowercase())));
    }
    findings
}
