//! DL3059: each RUN is a layer; plain commands that follow one another may as well be one.
//!
//! RUNs of several commands are left alone: whoever joined those had a reason not to join more.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, hadolint};

use super::join::join;
use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3059, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut group: Option<Group> = None;
    let mut before: Option<&Statement<'_>> = None;
    for statement in &flow.statements {
        let joinable = (statement.keyword == Some(Keyword::Run)).then(|| Group::of(statement));
        match (&group, joinable) {
            (Some(first), Some(this)) if first.flags == this.flags && !first.long && !this.long => {
                let mut finding = Diagnostic::new(RULE.code, "this RUN could be one with the one before")
                    .at(statement.keyword_span());
                if let Some(edits) = before.and_then(|before| join(flow, before, statement)) {
                    finding = finding.fix("join the two", edits, Applicability::Unsafe);
                }
                findings.push(finding);
            }
            (_, this) => group = this,
        }
        before = Some(statement);
    }
    findings
}

/// A RUN that others may be joined to.
struct Group {
    /// Its flags, and its mounts in an order that does not depend on how they are written.
    flags: Vec<Vec<(String, String)>>,
    /// Whether it has several commands, or nobody knows.
    long: bool,
}

impl Group {
    fn of(run: &Statement<'_>) -> Self {
        let script = run.script();
        let other = run.flags().filter(|flag| flag.name != "mount");
        let mut flags: Vec<_> = run.mounts().into_iter().map(|mount| mount.sorted()).collect();
        flags.extend(other.map(|flag| vec![(flag.name.to_string(), flag.value.unwrap_or_default().to_string())]));
        flags.sort();
        Group { flags, long: !script.readable || script.commands.len() > 1 }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn joins() {
        assert_eq!(fixed("DL3059", "FROM a:1\nRUN a \\\n  b\n\nRUN c\n"), "FROM a:1\nRUN a \\\n  b \\\n && c\n");
        assert_eq!(fixed("DL3059", "FROM a:1\nRUN a\n# why\nRUN c\n"), "FROM a:1\nRUN a\n# why\nRUN c\n");
    }

    #[test]
    fn runs_of_several_commands() {
        assert_eq!(places("DL3059", "FROM a:1\nRUN a\nRUN b\nRUN c\n"), [(3, 1), (4, 1)]);
        assert!(places("DL3059", "FROM a:1\nRUN a\nRUN b && c\nRUN d\n").is_empty());
        assert!(places("DL3059", "FROM a:1\nRUN a\nRUN b 'c\nRUN d\n").is_empty());
        assert!(places("DL3059", "FROM a:1\nRUN --network=none a\nRUN b\n").is_empty());
    }
}
