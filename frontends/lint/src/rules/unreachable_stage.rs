//! W0301: a stage that nothing built needs is skipped by every build.
//!
//! A stage with a name may be built by that name, so it counts only where all such targets are known.

use std::collections::HashSet;

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, practice};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, Mount, Statement};

pub(super) const RULE: Rule = Rule { code: practice::UNREACHABLE_STAGE, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let last = flow.last_stage();
    let Some(needed) = needed(flow) else { return Vec::new() };
    let numbered = uses_numbers(flow);
    let mut findings = Vec::new();
    for (from, base) in flow.stages() {
        let stage = from.stage;
        let may_be_target = base.name.is_some() && flow.config.targets.is_none();
        if needed.contains(&stage) || may_be_target {
            continue;
        }
        let (what, span) = match &base.name {
            Some(name) => (format!("stage `{}` is never built", name.text), from.at(name)),
            None => ("this stage is never built".to_owned(), from.line_span()),
        };
        let mut finding = Diagnostic::new(RULE.code, what)
            .at(span)
            .note("neither the last stage nor any target is built on it or copies from it");
        // Without it, other stages have other numbers.
        let end = flow.statements_of(stage).last().map(|last| last.instruction.range.end);
        if let Some(end) = end.filter(|_| stage < last && !numbered) {
            let span = flow.file.span(from.instruction.range.start, end);
            finding = finding.fix("remove it", vec![Edit { span, text: String::new() }], Applicability::Unsafe);
        }
        findings.push(finding);
    }
    findings
}

/// What a statement refers to as a stage or image.
fn references(statement: &Statement<'_>) -> Vec<String> {
    match statement.keyword {
        Some(Keyword::From) => statement.base.iter().map(|base| base.text.text.to_lowercase()).collect(),
        Some(Keyword::Copy | Keyword::Add) => {
            statement.from().map(|(from, _)| from.to_lowercase()).into_iter().collect()
        }
        Some(Keyword::Run) => {
            let mounts = statement.mounts();
            mounts.iter().filter_map(Mount::from).map(str::to_lowercase).collect()
        }
        _ => Vec::new(),
    }
}

fn uses_numbers(flow: &Flow<'_>) -> bool {
    flow.statements.iter().flat_map(references).any(|reference| reference.parse::<usize>().is_ok())
}

/// The stages that the last one and the targets need; none if that depends on variables.
fn needed(flow: &Flow<'_>) -> Option<HashSet<usize>> {
    let mut open = vec![flow.last_stage()];
    for target in flow.config.targets.iter().flatten() {
        open.extend(flow.stage_referred(target, flow.last_stage() + 1));
    }
    let mut needed = HashSet::new();
    while let Some(stage) = open.pop() {
        if !needed.insert(stage) {
            continue;
        }
        for reference in flow.statements_of(stage).iter().flat_map(references) {
            if reference.contains('$') && stage > 1 {
                return None;
            }
            open.extend(flow.stage_referred(&reference, stage));
        }
    }
    Some(needed)
}

#[cfg(test)]
mod tests {
    use crate::LintConfig;
    use crate::testing::{fixed, places, places_with};

    #[test]
    fn references() {
        assert!(places("W0301", "FROM a AS x\nFROM b\nCOPY --from=X /a /a\n").is_empty());
        assert!(places("W0301", "FROM a\nFROM b\nRUN --mount=type=bind,from=0,target=/x y\n").is_empty());
        assert!(places("W0301", "FROM a\nFROM $B\n").is_empty());
        assert!(places("W0301", "FROM a AS dev\nFROM b\n").is_empty());
        assert_eq!(places("W0301", "FROM a\nRUN x\nFROM b\n"), [(1, 1)]);
        assert_eq!(fixed("W0301", "FROM a\nRUN x\n# last\nFROM b\n"), "# last\nFROM b\n");
    }

    #[test]
    fn targets() {
        let config = LintConfig { targets: Some(vec!["dev".into()]), ..LintConfig::default() };
        assert_eq!(places_with("W0301", "FROM a AS x\nFROM x AS dev\nFROM b AS y\nFROM c\n", &config), [(3, 11)]);
    }
}
