//! Agreement with what hadolint found, case by case.
#![allow(clippy::disallowed_methods)] // reads the recorded cases

mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use rbc_grammar::Document;
use rbc_lint::{Level, LintConfig, check, line_of};
use rbc_source::{FileId, SourceFile};
use serde_json::Value;

/// A finding: hadolint's id, line from 1, level.
type Finding = (String, u64, String);

fn found(text: &str, config: &LintConfig) -> Vec<Finding> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let document = Document::parse(file.text());
    let mut findings: Vec<Finding> = check(&file, &document, config)
        .iter()
        .filter_map(|finding| {
            let id = finding.code.aliases.iter().find(|alias| alias.starts_with("DL"))?;
            let line = line_of(&file, &document, finding) as u64 + 1;
            Some(((*id).to_owned(), line, Level::from(finding.severity).name().to_owned()))
        })
        .collect();
    findings.sort();
    findings
}

fn expected(findings: &Value) -> Vec<Finding> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut findings: Vec<Finding> = findings
        .as_array()
        .into_iter()
        .flatten()
        .map(|f| (text(&f[0]), f[1].as_u64().unwrap_or_default(), text(&f[2])))
        .filter(|(id, _, _)| id.starts_with("DL") && id != "DL1000")
        .collect();
    findings.sort();
    findings
}

/// Cases and findings that agree, by rule.
#[derive(Default)]
struct Tally {
    rules: BTreeMap<String, (usize, usize, usize)>,
    cases: (usize, usize),
}

impl Tally {
    fn add(&mut self, id: &str, text: &str, expected: &[Finding], found: &[Finding]) {
        self.cases.1 += 1;
        self.cases.0 += usize::from(expected == found);
        let all: BTreeSet<&Finding> = expected.iter().chain(found).collect();
        for finding in all {
            let rule = self.rules.entry(finding.0.clone()).or_default();
            let count = |list: &[Finding]| list.iter().filter(|f| *f == finding).count();
            let (want, have) = (count(expected), count(found));
            rule.0 += want.min(have);
            rule.1 += want.saturating_sub(have);
            rule.2 += have.saturating_sub(want);
            if want != have && std::env::var_os("RBC_VERBOSE").is_some() {
                println!("{} {finding:?} in {id}:\n{text}\n----", if want > have { "missed" } else { "extra" });
            }
        }
    }

    /// Prints the agreement by rule and gives that of all findings, in parts of a thousand.
    fn report(&self, name: &str) -> usize {
        let (mut agree, mut all) = (0, 0);
        for (rule, (both, missed, extra)) in &self.rules {
            agree += both;
            all += both + missed + extra;
            if missed + extra > 0 {
                println!("{name}: {rule}: {both} agree, {missed} missed, {extra} extra");
            }
        }
        println!("{name}: {agree} of {all} findings agree, {} of {} cases", self.cases.0, self.cases.1);
        (agree * 1000).checked_div(all).unwrap_or(1000)
    }
}

#[test]
fn rules() {
    let mut tally = Tally::default();
    for case in recorded::cases("hadolint_rules.jsonl") {
        let text = case["dockerfile"].as_str().unwrap_or_default();
        let config = match &case["config"] {
            Value::Null => LintConfig::default(),
            config => LintConfig::from_hadolint_yaml(&config.to_string()).expect("JSON is YAML"),
        };
        let id = format!("{} ({}: {})", case["id"], case["rule"], case["it"]);
        tally.add(&id, text, &expected(&case["all_findings"]), &found(text, &config));
    }
    assert!(tally.report("rule cases") >= 980);
}

#[test]
fn corpus() {
    let mut tally = Tally::default();
    for case in recorded::cases("corpus_findings.jsonl") {
        if case["hadolint_parse_error"].as_bool() == Some(true) {
            continue;
        }
        let text = case["text"].as_str().unwrap_or_default();
        tally.add(&case["id"].to_string(), text, &expected(&case["hadolint"]), &found(text, &LintConfig::default()));
    }
    assert!(tally.report("corpus") >= 980);
}
