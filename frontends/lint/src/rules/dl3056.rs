//! DL3056: a label of type `semver` is a semantic version.

use rbc_source::{Diagnostic, hadolint};

use super::labels::labels;
use super::{Rule, RuleScope};
use crate::config::LabelType;
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3056, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    labels(flow, RULE.code, Some(LabelType::SemVer), "is no semantic version", is_version)
}

/// Whether a text is a version as in `1.2.3-rc.1+build.5` (semver.org, 2.0.0).
fn is_version(text: &str) -> bool {
    let (text, build) = split(text, '+');
    let (core, pre) = split(text, '-');
    let is_number = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_pre = |part: &str| is_word(part) && (part.bytes().any(|b| !b.is_ascii_digit()) || is_number(part));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

fn split(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn versions() {
        assert!(["1.0.0", "0.0.1-rc.1", "2.0.0-a-b+c.01"].into_iter().all(is_version));
        assert!(
            !["", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "v1.0.0", "1.0.0+"].into_iter().any(is_version)
        );
    }
}
