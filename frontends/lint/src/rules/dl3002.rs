//! DL3002: what runs in a container as root is root outside too, if it gets out.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3002, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let users: Vec<_> = flow.of(Keyword::User).filter(|user| user.stage > 0).collect();
    let last =
        users.iter().enumerate().filter(|(i, user)| users.get(i + 1).is_none_or(|next| next.stage != user.stage));
    last.filter_map(|(_, user)| user.text().map(|text| (user, text)))
        .filter(|(_, text)| matches!(text.text.split(':').next(), Some("root" | "0")))
        .map(|(user, text)| {
            Diagnostic::new(RULE.code, "the last USER is root")
                .labelled(user.at(text), "all that the image runs is root")
        })
        .collect()
}
