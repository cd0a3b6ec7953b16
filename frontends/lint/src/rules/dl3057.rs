//! DL3057: without a health check nobody knows whether a container works. Off unless asked for.

use std::collections::HashSet;

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3057, on: false, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut checked: HashSet<usize> =
        flow.of(Keyword::Healthcheck).map(|check| check.stage).filter(|stage| *stage > 0).collect();
    let parents: Vec<_> = flow
        .stages()
        .filter_map(|(from, base)| Some((from.stage, flow.stage_named(base.image.name, from.stage)?)))
        .collect();
    // A stage built on one with a check has it; one that a stage with a check is built on needs none.
    for (stage, parent) in &parents {
        if checked.contains(parent) {
            checked.insert(*stage);
        }
    }
    for (stage, parent) in parents.iter().rev() {
        if checked.contains(stage) {
            checked.insert(*parent);
        }
    }
    let unchecked = flow.stages().filter(|(from, _)| !checked.contains(&from.stage));
    unchecked.map(|(from, _)| Diagnostic::new(RULE.code, "the stage has no HEALTHCHECK").at(from.line_span())).collect()
}
