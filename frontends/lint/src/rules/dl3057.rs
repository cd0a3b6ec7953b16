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
    let stages: Vec<_> =
        flow.stages().map(|(from, base)| (from.stage, base.stage_name(), base.image.name.to_lowercase())).collect();
    // A stage built on one with a check has it; one that a stage with a check is built on needs none.
    for (stage, _, parent) in &stages {
        let inherits = stages.iter().any(|(other, name, _)| other < stage && name == parent && checked.contains(other));
        if inherits {
            checked.insert(*stage);
        }
    }
    for (stage, _, parent) in stages.iter().rev() {
        if checked.contains(stage) {
            let below = stages.iter().filter(|(other, name, _)| other < stage && name == parent);
            checked.extend(below.map(|(other, _, _)| *other));
        }
    }
    let unchecked = flow.stages().filter(|(from, _)| !checked.contains(&from.stage));
    unchecked.map(|(from, _)| Diagnostic::new(RULE.code, "the stage has no HEALTHCHECK").at(from.line_span())).collect()
}
