//! DL3049: labels of the schema must be there. A stage that a later one copies from needs none.

use std::collections::{HashMap, HashSet};

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, plain};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3049, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for label in flow.config.label_schema.keys() {
        let missing = stages_without(flow, label);
        findings.extend(
            flow.stages().filter(|(from, _)| missing.contains(&from.stage)).map(|(from, _)| {
                Diagnostic::new(RULE.code, format!("label `{label}` is missing")).at(from.line_span())
            }),
        );
    }
    findings
}

/// The stages that need a label and do not have it, neither themselves nor from what they are built on.
fn stages_without(flow: &Flow<'_>, label: &str) -> HashSet<usize> {
    // Names of stages that have it, the stages that do not, and those of them that have a name.
    let mut has: HashSet<String> = HashSet::new();
    let mut missing: HashSet<usize> = HashSet::new();
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    let (mut current, mut image): (Option<String>, String) = (None, String::new());
    for statement in &flow.statements {
        match statement.keyword {
            Some(Keyword::From) => {
                let Some(base) = &statement.base else { continue };
                current = base.name.as_ref().map(|name| name.text.to_lowercase());
                image = base.image.name.to_lowercase();
                if has.contains(&image) {
                    has.extend(current.clone());
                } else {
                    missing.insert(statement.stage);
                    by_name.entry(current.clone().unwrap_or_default()).or_default().push(statement.stage);
                }
            }
            Some(Keyword::Copy) => {
                let from = statement.from().and_then(|(from, _)| by_name.remove(&from.to_lowercase()));
                for stage in from.into_iter().flatten() {
                    missing.remove(&stage);
                }
            }
            Some(Keyword::Label) if statement.pairs().iter().any(|pair| *plain(&pair.key.text) == *label) => {
                missing.remove(&statement.stage);
                // A stage that has no name speaks for the one it is built on.
                let parent = current.is_none().then(|| by_name.remove(&image)).flatten();
                for stage in parent.into_iter().flatten() {
                    missing.remove(&stage);
                }
                has.extend(current.clone());
            }
            _ => {}
        }
    }
    missing
}
