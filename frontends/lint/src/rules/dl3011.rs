//! DL3011: ports go up to 65535.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3011, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let ports = flow.of(Keyword::Expose).filter_map(|expose| {
        let port = expose.words().iter().find(|word| !is_port(&word.text))?;
        Some(Diagnostic::new(RULE.code, "ports go from 0 to 65535").at(expose.at(port)))
    });
    ports.collect()
}

/// Whether all that is a number in `8080`, `80-90` or `80/tcp` is a port.
fn is_port(text: &str) -> bool {
    let numbers = text.split('/').next().unwrap_or_default();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    numbers
        .split('-')
        .filter(is_number)
        .all(|number| number.trim_start_matches('0').parse::<u16>().is_ok() || number.bytes().all(|b| b == b'0'))
}
