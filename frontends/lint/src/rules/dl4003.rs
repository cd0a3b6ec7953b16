//! DL4003: an image has one command, the last.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope, again};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL4003, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    again(flow, Keyword::Cmd, RULE.code, "the stage has a CMD already")
}
