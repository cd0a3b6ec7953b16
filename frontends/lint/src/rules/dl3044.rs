//! DL3044: all values of an ENV are expanded before any of them is set.

use std::collections::{HashMap, HashSet};

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
                // Where each name is set first and last.
                let mut places: HashMap<&str, (usize, usize)> = HashMap::new();
                for (i, pair) in pairs.iter().enumerate() {
                    places.entry(&pair.key.text).or_insert((i, i)).1 = i;
                }
                let set_here = |i: usize, name: &str| {
                    let (first, last) = *places.get(name)?;
                    pairs.get(if first == i { last } else { first }).filter(|_| first != i || last != i)
                };
                let found = pairs.iter().enumerate().find_map(|(i, pair)| {
                    let unset = variables(&pair.value.text).into_iter().filter(|name| !known.contains(name));
                    unset.filter_map(|name| Some((pair, set_here(i, name)?))).next()
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
