//! W0310: a build argument before the first FROM is seen by FROMs only; stages must declare it again.
//!
//! Within a stage a script may see what the file does not name, so arguments there are never called unused.

use std::collections::HashSet;

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, practice};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, mentioned};

pub(super) const RULE: Rule = Rule { code: practice::UNUSED_ARG, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if flow.last_stage() == 0 {
        return findings;
    }
    let used = used(flow);
    for arg in flow.of(Keyword::Arg).filter(|arg| arg.stage == 0) {
        for word in arg.words() {
            let name = word.text.split('=').next().unwrap_or_default();
            // The builder itself reads these.
            if name.is_empty() || name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH" || used.contains(name) {
                continue;
            }
            let span = arg.place(&word.part(0..name.len()));
            let mut finding =
                Diagnostic::new(RULE.code, format!("no FROM uses `{name}`, and no stage declares it again"))
                    .at(span)
                    .note("what is declared before the first FROM is not known in stages");
            if arg.words().len() == 1 {
                let range = arg.instruction.range.clone();
                let edit = Edit { span: flow.file.span(range.start, range.end), text: String::new() };
                finding = finding.fix("remove it", vec![edit], Applicability::Safe);
            }
            findings.push(finding);
        }
    }
    findings
}

/// What the file uses of what is declared before the first FROM: there, in FROMs, and by declaring it again in a stage.
fn used<'s>(flow: &'s Flow<'_>) -> HashSet<&'s str> {
    let mut used = HashSet::new();
    for statement in &flow.statements {
        match statement.keyword {
            Some(Keyword::From) => used.extend(mentioned(statement.instruction.line.text())),
            Some(Keyword::Arg) => {
                for word in statement.words() {
                    let (name, default) = word.text.split_once('=').unwrap_or((&word.text, ""));
                    if statement.stage > 0 {
                        used.insert(name);
                    } else {
                        used.extend(mentioned(default).filter(|mentioned| *mentioned != name));
                    }
                }
            }
            _ => {}
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn uses() {
        assert_eq!(places("W0310", "ARG A=1\nARG B\nARG C=$B\nFROM x:${C:-1}\n"), [(1, 5)]);
        assert!(places("W0310", "ARG A=1\nFROM x:1\nARG A\n").is_empty());
        assert!(places("W0310", "ARG BUILDKIT_SYNTAX\nFROM x:1\nARG B\n").is_empty());
        assert_eq!(fixed("W0310", "ARG A=1\nFROM x:1\n"), "FROM x:1\n");
    }
}
