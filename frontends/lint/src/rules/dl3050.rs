//! DL3050: where labels are strict, those that are not in the schema are superfluous.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, plain};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3050, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    if !flow.config.strict_labels {
        return Vec::new();
    }
    let labels = flow.of(Keyword::Label).filter_map(|label| {
        let known = |key: &str| flow.config.label_schema.contains_key(key);
        let pair = label.pairs().iter().find(|pair| !known(&plain(&pair.key.text)))?;
        let message = format!("label `{}` is not in the schema", plain(&pair.key.text));
        Some(Diagnostic::new(RULE.code, message).at(label.at(&pair.key)))
    });
    labels.collect()
}
