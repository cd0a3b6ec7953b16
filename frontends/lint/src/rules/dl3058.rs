//! DL3058: a label of type `email` is a mail address.

use rbc_source::{Diagnostic, hadolint};

use super::labels::labels;
use super::{Rule, RuleScope};
use crate::config::LabelType;
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3058, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    labels(flow, RULE.code, Some(LabelType::Email), "is no mail address", is_address)
}

/// Whether a text is an address as RFC 5322 has it, comments and folding aside.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
    };
    let quoted = |text: &str| {
        let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
        inner.is_some_and(|inner| inner.chars().all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\'))
    };
    let is_name = |part: &str| {
        let inner = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        !part.is_empty() && inner && !part.starts_with('-') && !part.ends_with('-')
    };
    let literal = domain.starts_with('[') && domain.ends_with(']');
    (quoted(local) || local.split('.').all(is_atom)) && (literal || domain.split('.').all(is_name))
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses() {
        assert!(["a@b.c", "a.b+c@d", "\"a b\"@c", "a@[127.0.0.1]"].into_iter().all(is_address));
        assert!(!["", "a", "a@", "@b", "a..b@c", "a b@c", "a@b..c", "a@-b"].into_iter().any(is_address));
    }
}
