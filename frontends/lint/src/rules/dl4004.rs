//! DL4004: an image has one entry point, the last.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope, again};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL4004, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    again(flow, Keyword::Entrypoint, RULE.code, "the stage has an ENTRYPOINT already")
}
