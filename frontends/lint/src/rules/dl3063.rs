//! DL3063: `scratch` and `context` mean something else.

use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3063, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let names = flow.stages().filter_map(|(from, base)| Some((from, base.name.as_ref()?)));
    let reserved =
        names.filter(|(_, name)| ["scratch", "context"].iter().any(|word| name.text.eq_ignore_ascii_case(word)));
    reserved
        .map(|(from, name)| {
            Diagnostic::new(RULE.code, format!("`{}` already means something else", name.text)).at(from.at(name))
        })
        .collect()
}
