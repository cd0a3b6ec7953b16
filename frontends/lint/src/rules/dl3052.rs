//! DL3052: a label of type `url` is an URL.

use rbc_source::{Diagnostic, hadolint};

use super::labels::labels;
use super::{Rule, RuleScope};
use crate::config::LabelType;
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3052, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    labels(flow, RULE.code, Some(LabelType::Url), "is no URL", is_url)
}

/// Whether a text is an URI with a scheme (RFC 3986).
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let in_rest = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(in_scheme)
        && rest.chars().all(in_rest)
        && rest.matches('#').count() <= 1
        && rest.split('%').skip(1).all(|hex| hex.len() >= 2 && hex.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::is_url;

    #[test]
    fn urls() {
        assert!(["https://a.b/c?d#e", "mailto:a@b", "x:"].into_iter().all(is_url));
        assert!(!["", "a.b/c", "https://a b", "1x://a", "https://a/%2", "a:#x#y"].into_iter().any(is_url));
    }
}
