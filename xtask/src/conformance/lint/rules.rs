//! What hadolint finds.

use rbc_grammar::Document;
use rbc_lint::{Level, LintConfig, check, line_of};
use rbc_source::{FileId, SourceFile};
use serde_json::Value;

use super::{Difference, Labels};

/// A finding: hadolint's id, line from 1, level.
type Finding = (String, u64, String);

/// A case of one rule, with a configuration.
pub fn rule_case(case: &Value, _: &Labels) -> Option<Vec<Difference>> {
    let config = match &case["config"] {
        Value::Null => LintConfig::default(),
        config => match LintConfig::from_hadolint_yaml(&config.to_string()) {
            Ok(config) => config,
            Err(error) => return Some(vec![Difference { aspect: "config", what: error.to_string() }]),
        },
    };
    Some(compare(case["dockerfile"].as_str()?, &config, &case["all_findings"]))
}

/// A real file. Those that hadolint cannot read say nothing about rules.
pub fn corpus_case(case: &Value, _: &Labels) -> Option<Vec<Difference>> {
    if case["hadolint_parse_error"] == true {
        return None;
    }
    Some(compare(case["text"].as_str()?, &LintConfig::default(), &case["hadolint"]))
}

fn compare(text: &str, config: &LintConfig, recorded: &Value) -> Vec<Difference> {
    let (mut extra, mut missed) = (found(text, config), expected(recorded));
    extra.retain(|finding| match missed.iter().position(|other| other == finding) {
        Some(at) => {
            missed.swap_remove(at);
            false
        }
        None => true,
    });
    let say = |aspect, (id, line, level): Finding| Difference { aspect, what: format!("{id} at line {line}, {level}") };
    missed.into_iter().map(|f| say("missed", f)).chain(extra.into_iter().map(|f| say("extra", f))).collect()
}

fn found(text: &str, config: &LintConfig) -> Vec<Finding> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let document = Document::parse(file.text());
    let finding = |found: &rbc_source::Diagnostic| {
        let id = found.code.aliases.iter().find(|alias| alias.starts_with("DL"))?;
        let line = line_of(&file, &document, found) as u64 + 1;
        Some(((*id).to_owned(), line, Level::from(found.severity).name().to_owned()))
    };
    check(&file, &document, config).iter().filter_map(finding).collect()
}

/// hadolint's own rules; those of ShellCheck have another suite, and DL1000 says that it cannot read the file.
fn expected(findings: &Value) -> Vec<Finding> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = findings.as_array().into_iter().flatten();
    all.map(|f| (text(&f[0]), f[1].as_u64().unwrap_or_default(), text(&f[2])))
        .filter(|(id, _, _)| id.starts_with("DL") && id != "DL1000")
        .collect()
}
