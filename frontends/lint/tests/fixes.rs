//! Fixes mend what they are for, on real files.
#![allow(clippy::disallowed_methods)] // reads the recorded cases

mod recorded;

use std::collections::BTreeMap;

use rbc_grammar::Document;
use rbc_lint::{LintConfig, RULES, ScriptCache, check_again};
use rbc_source::{Diagnostic, FileId, Fix, SourceFile};

fn found(text: &str, config: &LintConfig, cache: &mut ScriptCache) -> Vec<Diagnostic> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    check_again(&file, &Document::parse(file.text()), config, cache)
}

/// The text with a fix applied; the edits must fit it and not overlap.
fn apply(text: &str, fix: &Fix) -> String {
    let mut edits: Vec<_> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    assert!(edits.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "edits overlap: {fix:?}");
    let mut out = text.to_owned();
    for edit in edits.into_iter().rev() {
        assert!(text.get(edit.span.range()).is_some(), "an edit does not fit the text: {edit:?}");
        out.replace_range(edit.span.range(), &edit.text);
    }
    out
}

/// How many places a rule finds fault with.
fn count(findings: &[Diagnostic], id: &str) -> usize {
    findings.iter().filter(|finding| finding.code.id == id).map(|finding| 1 + finding.secondary.len()).sum()
}

#[test]
fn fixes_remove_their_findings() {
    let mut fixed: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in recorded::cases("corpus_findings.jsonl") {
        let text = case["text"].as_str().unwrap_or_default();
        let mut cache = ScriptCache::default();
        let findings = found(text, &LintConfig::default(), &mut cache);
        for finding in &findings {
            let id = finding.code.id;
            let others = RULES.iter().map(|rule| rule.code.id).filter(|other| *other != id);
            let only = LintConfig { ignored: others.map(Into::into).collect(), ..LintConfig::default() };
            let tally = fixed.entry(id).or_default();
            tally.1 += 1;
            tally.0 += usize::from(!finding.fixes.is_empty());
            for fix in &finding.fixes {
                let after = apply(text, fix);
                if count(&found(&after, &only, &mut cache), id) >= count(&findings, id) {
                    wrong.push(format!("{}: {id}: `{}`: {:?}", case["id"], fix.message, fix.edits));
                }
            }
        }
    }
    for (id, (with, all)) in &fixed {
        println!("{id}: {with} of {all} findings have a fix");
    }
    assert!(
        wrong.is_empty(),
        "{} fixes mend nothing, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}
