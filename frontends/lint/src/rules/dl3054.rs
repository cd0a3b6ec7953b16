//! DL3054: a label of type `spdx` is a licence, or an expression of several.

use rbc_source::{Diagnostic, hadolint};

use super::labels::labels;
use super::{Rule, RuleScope};
use crate::config::LabelType;
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3054, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    labels(flow, RULE.code, Some(LabelType::Spdx), "is no licence of SPDX", is_licence)
}

/// Whether a text is an identifier of SPDX or an expression of such.
fn is_licence(text: &str) -> bool {
    spdx::Expression::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_licence;

    #[test]
    fn licences() {
        assert!(["MIT", "BSD-3-Clause", "Apache-2.0 OR MIT"].into_iter().all(is_licence));
        assert!(!["", "not-spdx", "MIT or so"].into_iter().any(is_licence));
    }
}
