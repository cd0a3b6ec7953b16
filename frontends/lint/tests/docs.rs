//! The pages of the rules are tests: what a rule's page shows as wrong it must find, and with what it recommends it must
//! find no fault.
#![allow(clippy::disallowed_methods)] // reads the pages

use std::path::Path;

use rbc_grammar::Document;
use rbc_lint::{LintConfig, RULES, check};
use rbc_source::{FileId, SourceFile};

/// The fenced blocks of a page with this info string.
fn blocks<'t>(page: &'t str, info: &str) -> Vec<&'t str> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, behind)) = rest.split_once("\n```") {
        let Some((name, body)) = behind.split_once('\n') else { break };
        let Some((block, after)) = body.split_once("```") else { break };
        if name == info {
            found.push(block);
        }
        rest = after;
    }
    found
}

fn finds(rule: &str, text: &str, config: &LintConfig) -> usize {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let findings = check(&file, &Document::parse(file.text()), config);
    findings.iter().filter(|finding| finding.code.id == rule).count()
}

#[test]
fn pages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes");
    for rule in RULES {
        let id = rule.code.id;
        let page = std::fs::read_to_string(folder.join(format!("{id}.md"))).unwrap_or_else(|e| panic!("{id}.md: {e}"));
        assert!(page.starts_with(&format!("# {id}: {}\n", rule.code.name)), "{id}.md has another heading");
        let config = match blocks(&page, "yaml").first() {
            Some(yaml) => LintConfig::from_hadolint_yaml(yaml).expect("the page's configuration can be read"),
            None => LintConfig::default(),
        };
        let (warnings, fine) = (blocks(&page, "dockerfile,warning"), blocks(&page, "dockerfile,ok"));
        assert!(!warnings.is_empty() && !fine.is_empty(), "{id}.md needs an example of each kind");
        for text in warnings {
            assert!(finds(id, text, &config) > 0, "{id} is not found in\n{text}");
        }
        for text in fine {
            assert_eq!(finds(id, text, &config), 0, "{id} is found in\n{text}");
        }
    }
}
