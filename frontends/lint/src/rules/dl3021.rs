//! DL3021: several sources need a directory, and the slash says that it is one.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, Span, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, unquoted};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3021, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for copy in flow.of(Keyword::Copy) {
        let Some((sources, dest)) = copy.transfer() else { continue };
        if sources.len() < 2 || unquoted(&dest.text).ends_with('/') {
            continue;
        }
        let span = copy.at(dest);
        let mut finding = Diagnostic::new(RULE.code, "several sources need a directory to go to")
            .labelled(span, "should end with `/`");
        if !copy.is_json() && !dest.text.ends_with(['"', '\'']) {
            let edit = Edit { span: Span::point(span.file, span.end as usize), text: "/".to_owned() };
            finding = finding.fix("end it with `/`", vec![edit], Applicability::Unsafe);
        }
        findings.push(finding);
    }
    findings
}
