//! Cases of linters and editors: findings of hadolint and of BuildKit's checks, report formats, answers of a language server.

mod checks;
mod editor;
mod formats;
mod rules;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::report::{Case, Difference, Report};

/// A file of cases: its name, the suite it makes, and what compares a case.
struct Suite {
    file: &'static str,
    name: &'static str,
    /// How many of a hundred cases must agree.
    bar: usize,
    /// How a case differs; nothing if the case does not belong to the suite.
    compare: fn(&Value, &Labels) -> Option<Vec<Difference>>,
}

/// What completions can be called, in all cases of a suite: what is not among them, the recorded program does not know.
type Labels = BTreeSet<String>;

/// All suites. The bars below 100 are those of the project's aims, where the recorded program's own mistakes and taste are
/// not to be had; what the validator finds is shown for orientation.
const SUITES: &[Suite] = &[
    Suite { file: "hadolint_rules", name: "hadolint's rules", bar: 98, compare: rules::rule_case },
    Suite { file: "corpus_findings", name: "hadolint's findings in real files", bar: 98, compare: rules::corpus_case },
    Suite { file: "hadolint_formats", name: "hadolint's report formats", bar: 100, compare: formats::compare },
    Suite { file: "buildkit_checks", name: "BuildKit's checks", bar: 100, compare: checks::check_case },
    Suite { file: "corpus_findings", name: "BuildKit's checks in real files", bar: 100, compare: checks::corpus_case },
    Suite { file: "lsp_dockerfile", name: "language server calls", bar: 97, compare: editor::call },
    Suite { file: "lsp_dockerfile_commands", name: "language server calls", bar: 97, compare: editor::command },
    Suite { file: "validator_dockerfile", name: "validator findings met", bar: 80, compare: editor::validator },
];

/// Whether a folder holds such cases.
pub fn is_folder(dir: &Path) -> bool {
    SUITES.iter().any(|suite| dir.join(suite.file).with_extension("jsonl").is_file())
}

/// Runs every case of a folder.
pub fn run(folder: &Path, diff: Option<&str>, only: Option<&str>) -> Result<Report, String> {
    let mut cases = Vec::new();
    let mut bars = Vec::new();
    for suite in SUITES {
        let path = folder.join(suite.file).with_extension("jsonl");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let parse = |line: &str| serde_json::from_str(line).map_err(|e| format!("{}: {e}", path.display()));
        let recorded: Vec<Value> = text.lines().map(parse).collect::<Result<_, _>>()?;
        if !bars.contains(&(suite.name, suite.bar)) {
            bars.push((suite.name, suite.bar));
        }
        let labels = editor::labels(&recorded);
        cases.extend(super::in_parallel(&recorded, |case| {
            let id = case["id"].as_str().unwrap_or_default();
            if diff.is_some_and(|wanted| wanted != id) {
                return None;
            }
            let mut differences = (suite.compare)(case, &labels)?;
            differences.retain(|d| only.is_none_or(|only| only == d.aspect));
            if diff.is_some() {
                println!("{}: {case:#}", suite.name);
                differences.iter().for_each(|d| println!("{}: {}", d.aspect, d.what));
            }
            Some(Case { id: id.to_owned(), suite: suite.name.to_owned(), features: features(case), differences })
        })?);
    }
    Ok(Report { kind: "lint", cases, bars })
}

fn features(case: &Value) -> Vec<String> {
    ["rule", "method"].iter().filter_map(|key| Some(case[key].as_str()?.to_owned())).collect()
}
