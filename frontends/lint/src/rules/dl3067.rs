//! DL3067: all of another stage in one COPY is that stage again, in one layer and without its configuration.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, unquoted};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3067, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let copies = flow.of(Keyword::Copy).filter(|copy| copy.from().is_some());
    let whole = copies.filter(|copy| {
        let is_root = |text: &str| unquoted(text) == "/";
        copy.transfer().is_some_and(|(sources, dest)| is_root(&dest.text) && sources.iter().any(|s| is_root(&s.text)))
    });
    whole
        .map(|copy| {
            Diagnostic::new(RULE.code, "all of another stage is copied")
                .at(copy.line_span())
                .note("build on that stage by FROM, or copy what is needed")
        })
        .collect()
}
