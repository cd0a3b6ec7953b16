//! DL3061: before the first FROM there can only be ARG.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3061, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let before = flow.statements.iter().take_while(|statement| statement.stage == 0);
    let wrong = before.filter(|statement| statement.keyword != Some(Keyword::Arg));
    wrong
        .map(|statement| {
            Diagnostic::new(RULE.code, "only ARG can stand before the first FROM").at(statement.keyword_span())
        })
        .collect()
}
