//! DL3000: WORKDIR with a relative path depends on every WORKDIR before it, down to the base image's.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, is_absolute, unquoted};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3000, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    // The stage, and its directory as far as it is written out.
    let mut known: (usize, Option<String>) = (0, None);
    for statement in flow.of(Keyword::Workdir) {
        if known.0 != statement.stage {
            known = (statement.stage, None);
        }
        let Some(text) = statement.text() else { continue };
        let path = unquoted(&text.text);
        if path.starts_with('$') || is_absolute(path) {
            known.1 = (path.starts_with('/') && !path.contains('$')).then(|| path.to_owned());
            continue;
        }
        let (start, applicability) = match &known.1 {
            Some(directory) => (directory.trim_end_matches('/').to_owned(), Applicability::Safe),
            None => (String::new(), Applicability::Unsafe),
        };
        let absolute = format!("{start}/{}", path.trim_start_matches("./"));
        let span = statement.at(text);
        let mut finding =
            Diagnostic::new(RULE.code, "WORKDIR is not absolute").labelled(span, "relative to the directory before it");
        if !path.contains(['$', '"', '\'', '\\']) && !path.split('/').any(|part| matches!(part, ".." | ".")) {
            let edit = Edit { span, text: absolute.clone() };
            finding = finding.fix(format!("write `{absolute}`"), vec![edit], applicability);
            known.1 = known.1.is_some().then_some(absolute);
        } else {
            known.1 = None;
        }
        findings.push(finding);
    }
    findings
}
