//! DL3045: without WORKDIR a relative destination depends on the base image.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::inherit::Inherited;
use super::{Rule, RuleScope};
use crate::sheet::{Flow, is_absolute, unquoted};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3045, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut workdir = Inherited::default();
    let mut findings = Vec::new();
    for statement in &flow.statements {
        workdir.see(statement);
        match statement.keyword {
            Some(Keyword::Workdir) => workdir.set(),
            Some(Keyword::Copy) if !workdir.is_set() => {
                let Some((_, dest)) = statement.transfer() else { continue };
                let path = unquoted(&dest.text);
                if path.starts_with('$') || is_absolute(path) {
                    continue;
                }
                let span = statement.at(dest);
                let mut finding = Diagnostic::new(RULE.code, "no WORKDIR says where this goes")
                    .labelled(span, "relative to the base image's directory");
                if *path == *dest.text && !path.starts_with("..") {
                    let path = path.strip_prefix('.').map_or(path, |rest| rest.trim_start_matches('/'));
                    let edit = Edit { span, text: format!("/{path}") };
                    finding = finding.fix("make it absolute", vec![edit], Applicability::Unsafe);
                }
                findings.push(finding);
            }
            _ => {}
        }
    }
    findings
}
