//! DL3044: all values of an ENV are expanded before any of them is set.

use std::collections::HashSet;

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, variables};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3044, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut known: HashSet<&str> = HashSet::new();
    let mut findings = Vec::new();
    for statement in &flow.statements {
        match statement.keyword {
            Some(Keyword::Arg) => known.extend(statement.words().iter().filter_map(|word| word.text.split('=').next())),
            Some(Keyword::Env) => {
                let pairs = statement.pairs();
                let set_here =
                    |i: usize, name: &str| pairs.iter().enumerate().find(|(j, p)| *j != i && *p.key.text == *name);
                let found = pairs.iter().enumerate().find_map(|(i, pair)| {
                    let unset = variables(&pair.value.text).into_iter().filter(|name| !known.contains(name));
                    unset.filter_map(|name| Some((pair, set_here(i, name)?.1))).next()
                });
                if let Some((pair, other)) = found {
                    let name = &other.key.text;
                    findings.push(
                        Diagnostic::new(RULE.code, format!("`{name}` has no value yet"))
                            .at(statement.at(&pair.value))
                            .also(statement.at(&other.key), "set by the same ENV")
                            .note(format!("set `{name}` by an ENV of its own before this one")),
                    );
                }
                known.extend(pairs.iter().map(|pair| &*pair.key.text));
            }
            _ => {}
        }
    }
    findings
}
