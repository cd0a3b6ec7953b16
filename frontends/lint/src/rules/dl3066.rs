//! DL3066: whoever runs a container without its /etc/passwd, as Kubernetes does to see whether it is root, needs a number.

use std::collections::HashSet;

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, variables};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3066, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut args: HashSet<&str> = HashSet::new();
    let mut findings = Vec::new();
    for statement in &flow.statements {
        match statement.keyword {
            Some(Keyword::Arg) => args.extend(statement.words().iter().filter_map(|word| word.text.split('=').next())),
            Some(Keyword::User) => {
                let Some(text) = statement.text() else { continue };
                let user = text.text.split(':').next().unwrap_or_default();
                let from_arg = variables(&text.text).iter().any(|name| args.contains(name));
                if !user.bytes().all(|b| b.is_ascii_digit()) && !from_arg {
                    let span = statement.place(&text.part(0..user.len()));
                    findings.push(
                        Diagnostic::new(RULE.code, format!("user `{user}` is known by name only"))
                            .labelled(span, "give the user's number"),
                    );
                }
            }
            _ => {}
        }
    }
    findings
}
