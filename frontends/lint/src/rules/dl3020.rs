//! DL3020: ADD downloads and unpacks; for plain files COPY says what happens.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{ARCHIVES, Flow, unquoted};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3020, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for add in flow.of(Keyword::Add) {
        let Some((sources, _)) = add.transfer() else { continue };
        if sources.iter().all(|source| is_for_add(&source.text)) {
            continue;
        }
        let mut finding = Diagnostic::new(RULE.code, "COPY is enough for files and directories").at(add.keyword_span());
        let only_copies = sources.iter().all(|source| !is_for_add(&source.text) && !source.text.starts_with('$'));
        let same_flags = add.flags().all(|flag| matches!(&*flag.name, "chown" | "chmod" | "link" | "exclude"));
        if only_copies && same_flags {
            let copy = if add.keyword_span().len() == 3 && flow.file.slice(add.keyword_span()) == "add" {
                "copy"
            } else {
                "COPY"
            };
            let edit = Edit { span: add.keyword_span(), text: copy.to_owned() };
            finding = finding.fix("copy instead", vec![edit], Applicability::Unsafe);
        }
        findings.push(finding);
    }
    findings
}

/// Whether a source is unpacked, downloaded or cloned.
fn is_for_add(source: &str) -> bool {
    let source = unquoted(source);
    ARCHIVES.iter().any(|ending| source.ends_with(ending))
        || ["https://", "http://", "git://", "ssh://", "git@", "<<"].iter().any(|start| source.starts_with(start))
}
