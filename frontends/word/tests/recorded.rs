//! Words against the recorded answers of the reference.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rbc_word::{Env, Mode, Template, Unset};
use serde_json::Value;

struct Map(BTreeMap<String, String>);

impl Env for Map {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| &**v)
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.0.keys().map(|k| &**k))
    }
}

/// A file of the recorded cases, if they are there.
fn recorded(path: &str) -> Option<String> {
    let root = std::env::var_os("RBC_CONFORMANCE").map(PathBuf::from).or_else(|| {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().map(|a| a.join("shared/conformance")).find(|p| p.is_dir())
    });
    let text = root.and_then(|r| std::fs::read_to_string(r.join(path)).ok());
    if text.is_none() {
        println!("the recorded cases are not there: {path}");
    }
    text
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn shell_words() {
    let Some(cases) = recorded("dockerfile/unit/shell.jsonl") else { return };
    let mut failures = Vec::new();
    let mut count = 0;
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        count += 1;
        let flag = |name: &str| case[name].as_bool().unwrap_or(false);
        let mode = Mode {
            raw_quotes: flag("rawQuotes"),
            raw_escapes: flag("rawEscapes"),
            skip_quotes: flag("skipProcessQuotes"),
        };
        let unset = if flag("skipUnsetEnv") { Unset::Keep } else { Unset::Empty };
        let pairs = strings(&case["env"]).into_iter().map(|e| match e.split_once('=') {
            Some((k, v)) => (k.to_owned(), v.to_owned()),
            None => (e, String::new()),
        });
        let env = Map(pairs.collect());
        let input = case["input"].as_str().unwrap();
        let escape = case["escape"].as_str().unwrap().chars().next().unwrap();
        let template = Template::parse(input, escape, mode);

        let word = template.as_ref().map_err(Clone::clone).and_then(|t| t.expand(&env, unset));
        match (&word, case["word"].as_str()) {
            (Err(_), None) => {}
            (Ok(got), Some(want))
                if got.text == want
                    && set(got.matched.iter().copied()) == strings(&case["matched"]).into_iter().collect()
                    && set(got.unmatched.iter().copied()) == strings(&case["unmatched"]).into_iter().collect() => {}
            _ => failures.push(format!("{input:?} {mode:?} {unset:?}: {word:?}, not {case}")),
        }
        let words = template.and_then(|t| t.expand_words(&env, unset));
        match (&words, case.get("wordsError")) {
            (Err(_), Some(_)) => {}
            (Ok(got), None) if *got == strings(&case["words"]) => {}
            _ => failures.push(format!("{input:?} {mode:?} {unset:?}: words {words:?}, not {case}")),
        }
        if mode == Mode::default() && rbc_word::is_literal(input, escape) {
            assert_eq!(case["word"].as_str(), Some(input));
        }
    }
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
}
