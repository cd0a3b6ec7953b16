//! DL4000: authors are named by a label.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, plain};

pub(super) const RULE: Rule = Rule { code: hadolint::DL4000, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for maintainer in flow.of(Keyword::Maintainer) {
        let finding = Diagnostic::new(RULE.code, "MAINTAINER is deprecated")
            .at(maintainer.keyword_span())
            .note("use the label `org.opencontainers.image.authors`");
        findings.push(match maintainer.text() {
            Some(text) => {
                let name = plain(&text.text).replace('\\', "\\\\").replace('"', "\\\"");
                let text = format!("LABEL org.opencontainers.image.authors=\"{name}\"");
                let edit = Edit { span: maintainer.line_span(), text };
                finding.fix("use the label", vec![edit], Applicability::Unsafe)
            }
            None => finding,
        });
    }
    findings
}
