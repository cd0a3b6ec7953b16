//! W0309: a stage's number changes with every stage that is added or taken away before it.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, Span, practice};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: practice::COPY_FROM_NUMBER, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for copy in flow.of(Keyword::Copy) {
        let Some((from, span)) = copy.from() else { continue };
        let number = from.parse::<usize>().ok().filter(|number| *number + 1 < copy.stage);
        let Some((stage, base)) = number.and_then(|n| flow.stage(n + 1)) else { continue };
        let (name, mut edits) = match &base.name {
            Some(name) => (name.text.to_string(), Vec::new()),
            None => {
                let name = free_name(flow, &from);
                let end = stage.at(&base.text).end as usize;
                (name.clone(), vec![Edit { span: Span::point(flow.file.id(), end), text: format!(" AS {name}") }])
            }
        };
        edits.push(Edit { span, text: name.clone() });
        findings.push(
            Diagnostic::new(RULE.code, "a stage's number changes when others are added")
                .at(span)
                .also(stage.line_span(), "this stage")
                .fix(format!("call it `{name}`"), edits, Applicability::Safe),
        );
    }
    findings
}

/// A name for a stage that no other has.
fn free_name(flow: &Flow<'_>, number: &str) -> String {
    let taken = |name: &str| flow.stage_named(name, usize::MAX).is_some();
    let mut name = format!("stage-{number}");
    while taken(&name) {
        name.push('x');
    }
    name
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn names() {
        assert_eq!(
            fixed("W0309", "FROM a:1\nFROM b:1 AS c\nFROM d:1\nCOPY --from=0 x x\nCOPY --from=1 y y\n"),
            "FROM a:1 AS stage-0\nFROM b:1 AS c\nFROM d:1\nCOPY --from=stage-0 x x\nCOPY --from=c y y\n"
        );
        assert!(places("W0309", "FROM a:1\nCOPY --from=3 x x\n").is_empty());
    }
}
