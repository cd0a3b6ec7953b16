//! DL3012: an image has one health check, the last.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope, again};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3012, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    again(flow, Keyword::Healthcheck, RULE.code, "the stage has a HEALTHCHECK already")
}
