//! DL3007: `latest` is another image every few weeks.

use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3007, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let latest = flow.stages().filter(|(_, base)| base.image.tag == Some("latest") && base.image.digest.is_none());
    latest
        .map(|(from, base)| {
            let end = base.text.range.end;
            let span = from.place(&(end - "latest".len()..end));
            Diagnostic::new(RULE.code, "`latest` is another image every few weeks").at(span)
        })
        .collect()
}
