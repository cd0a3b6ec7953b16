//! Any text can be linted, and linting it again with what is known of it gives the same.
#![allow(clippy::disallowed_methods)] // reads the recorded cases

mod recorded;

use rbc_grammar::Document;
use rbc_lint::{LintConfig, ScriptCache, check, check_again};
use rbc_source::{FileId, SourceFile};

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

const PIECES: [&str; 24] = [
    "\\\n",
    "\n",
    "\"",
    "'",
    "`",
    "$(",
    ")",
    "${",
    "}",
    "&&",
    "|",
    "<<E\n",
    "#",
    "FROM ",
    "RUN ",
    "COPY --from=",
    "ENV a=",
    "ONBUILD ",
    "[\"",
    "{a,",
    "\u{0}",
    "é",
    "\r\n",
    " ",
];

fn changed(text: &str, numbers: &mut Numbers) -> String {
    let mut chars: Vec<char> = text.chars().take(3000).collect();
    for _ in 0..1 + numbers.below(6) {
        let start = numbers.below(chars.len() + 1);
        let end = (start + numbers.below(8) * numbers.below(30)).min(chars.len());
        let piece = PIECES[numbers.below(PIECES.len())];
        chars.splice(start..end, piece.chars());
    }
    chars.into_iter().collect()
}

#[test]
fn any_text() {
    let mut texts: Vec<String> = recorded::cases("corpus_findings.jsonl")
        .iter()
        .filter_map(|case| Some(case["text"].as_str()?.to_owned()))
        .collect();
    texts.push(
        "# hadolint ignore=DL3006\nFROM a AS b\nRUN cd /x && apt-get install y | z\nCOPY . .\nRUN npm ci\n".to_owned(),
    );
    let mut numbers = Numbers(7);
    let mut cache = ScriptCache::default();
    let config = LintConfig::default();
    for text in texts.iter().step_by(if texts.len() > 1 { 2 } else { 1 }) {
        for _ in 0..3 {
            let text = changed(text, &mut numbers);
            let file = SourceFile::new(FileId(0), "Dockerfile", text);
            let document = Document::parse(file.text());
            let findings = check(&file, &document, &config);
            assert_eq!(findings, check_again(&file, &document, &config, &mut cache));
            for finding in &findings {
                let labels = finding.primary.iter().chain(&finding.secondary).map(|label| label.span);
                let edits = finding.fixes.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
                for span in labels.chain(edits) {
                    assert!(file.text().get(span.range()).is_some(), "{span:?} is no place in {:?}", file.text());
                }
            }
        }
    }
}

#[test]
fn no_text() {
    for text in ["", "\n", "#", "FROM", "\u{FEFF}", "RUN", "ONBUILD", "FROM a AS", "COPY --from= a b", "ADD"] {
        let file = SourceFile::new(FileId(0), "Dockerfile", text);
        check(&file, &Document::parse(file.text()), &LintConfig::default());
    }
}
