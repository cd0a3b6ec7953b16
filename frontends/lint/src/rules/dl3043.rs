//! DL3043: ONBUILD cannot put off FROM, MAINTAINER or another ONBUILD.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3043, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let triggers = flow.statements.iter().filter(|statement| statement.is_trigger());
    let wrong = triggers.filter_map(|trigger| match trigger.keyword? {
        keyword @ (Keyword::Onbuild | Keyword::From | Keyword::Maintainer) => Some((trigger, keyword)),
        _ => None,
    });
    wrong
        .map(|(trigger, keyword)| {
            let message = format!("ONBUILD cannot put off {}", keyword.name().to_uppercase());
            Diagnostic::new(RULE.code, message).at(trigger.keyword_span())
        })
        .collect()
}
