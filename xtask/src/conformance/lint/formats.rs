//! Reports as hadolint writes them of the same findings.

use rbc_lint::Level;
use rbc_lint::formats::{FileReport, Finding, Format, Options, Place, Tool};
use serde_json::Value;

use super::{Difference, Labels};

/// Writes what the recorded JSON report holds in every format.
pub fn compare(case: &Value, _: &Labels) -> Option<Vec<Difference>> {
    let stdout = |format: &str| case["outputs"][format]["stdout"].as_str();
    let found: Vec<Value> = serde_json::from_str(stdout("json")?).ok()?;
    let file = case["path"].as_str().unwrap_or_default().to_owned();
    let files = [FileReport { file, findings: found.iter().filter_map(finding).collect() }];
    let sarif: Value = serde_json::from_str(stdout("sarif").unwrap_or("{}")).ok()?;
    let driver = &sarif["runs"][0]["tool"]["driver"];
    let text = |pointer: &str| driver.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let tool = Tool {
        name: text("/name"),
        id: &text("/name").to_lowercase(),
        version: text("/version"),
        full_name: text("/fullName"),
        description: text("/shortDescription/text"),
        url: text("/downloadUri"),
    };
    let differs = |(name, format): (&'static str, Format)| {
        let expected = stdout(name)?;
        let time = expected.split("run at ").nth(1).and_then(|rest| rest.get(..19)).unwrap_or_default();
        let options = Options { tool, color: false, path_in_report: None, time };
        let written = format.render(&files, &options);
        (written != expected).then(|| Difference { aspect: name, what: format!("{written:?}, not {expected:?}") })
    };
    Some(Format::ALL.into_iter().filter_map(differs).collect())
}

fn finding(value: &Value) -> Option<Finding> {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| value[key].as_u64().unwrap_or_default() as usize;
    let place = Place { line: number("line"), column: number("column") };
    let level = Level::find(&text("level"))?;
    Some(Finding { code: text("code"), level, message: text("message"), start: place, end: place })
}
