//! DL3049: labels of the schema must be there. A stage that a later one copies from needs none.

use std::collections::HashSet;

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
    // Names of stages that have it, and the stages (with their names) that do not.
    let mut has: HashSet<String> = HashSet::new();
    let mut missing: Vec<(usize, Option<String>)> = Vec::new();
    let (mut current, mut image): (Option<String>, String) = (None, String::new());
    for statement in &flow.statements {
        match statement.keyword {
            Some(Keyword::From) => {
                let Some(base) = &statement.base else { continue };
                current = base.name.as_ref().map(|name| name.text.to_lowercase());
                image = base.image.name.to_lowercase();
                match has.contains(&image) {
                    true => has.extend(current.clone()),
                    false => missing.push((statement.stage, current.clone())),
                }
            }
            Some(Keyword::Copy) => {
                if let Some((from, _)) = statement.from() {
                    missing.retain(|(_, name)| name.as_deref() != Some(&from.to_lowercase()));
                }
            }
            Some(Keyword::Label) if statement.pairs().iter().any(|pair| *plain(&pair.key.text) == *label) => {
                // A stage that has no name speaks for the one it is built on.
                let parent = current.is_none().then_some(&image);
                missing
                    .retain(|(stage, name)| *stage != statement.stage && (name.is_none() || name.as_ref() != parent));
                has.extend(current.clone());
            }
            _ => {}
        }
    }
    missing.into_iter().map(|(stage, _)| stage).collect()
}
