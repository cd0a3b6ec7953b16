//! W0311: without a checksum ADD takes whatever the server sends today.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, practice};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, unquoted};

pub(super) const RULE: Rule = Rule { code: practice::UNVERIFIED_DOWNLOAD, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for add in flow.of(Keyword::Add).filter(|add| add.flag("checksum").is_none()) {
        let Some((sources, _)) = add.transfer() else { continue };
        if let Some(source) = sources.iter().find(|source| is_file(unquoted(&source.text))) {
            findings.push(
                Diagnostic::new(RULE.code, "whatever the server sends is taken")
                    .at(add.at(source))
                    .note("say `--checksum=sha256:...`; what it is then also decides whether the cache holds"),
            );
        }
    }
    findings
}

/// Whether an URL is that of a file, and not of a repository.
fn is_file(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    let path = url.split(['#', '?']).next().unwrap_or_default();
    web && !path.ends_with(".git") && !url.contains('#')
}
