//! Reports are those that hadolint writes of the same findings.
#![allow(clippy::disallowed_methods)] // reads the recorded cases

mod recorded;

use rbc_lint::Level;
use rbc_lint::formats::{FileReport, Finding, Format, Options, Place, Tool};
use serde_json::Value;

fn finding(value: &Value) -> Finding {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| value[key].as_u64().unwrap_or_default() as usize;
    let place = Place { line: number("line"), column: number("column") };
    let level = Level::find(&text("level")).expect("a level");
    Finding { code: text("code"), level, message: text("message"), start: place, end: place }
}

#[test]
fn recorded_reports() {
    let (mut same, mut all) = (0, 0);
    for case in recorded::cases("hadolint_formats.jsonl") {
        let stdout = |format: &str| case["outputs"][format]["stdout"].as_str();
        let found: Vec<Value> = serde_json::from_str(stdout("json").unwrap_or("[]")).expect("JSON");
        let file = case["path"].as_str().unwrap_or_default().to_owned();
        let files = [FileReport { file, findings: found.iter().map(finding).collect() }];
        let sarif: Value = serde_json::from_str(stdout("sarif").unwrap_or("{}")).expect("JSON");
        let driver = &sarif["runs"][0]["tool"]["driver"];
        let text = |value: &'static str| driver.pointer(value).and_then(Value::as_str).unwrap_or_default();
        let tool = Tool {
            name: text("/name"),
            id: &text("/name").to_lowercase(),
            version: text("/version"),
            full_name: text("/fullName"),
            description: text("/shortDescription/text"),
            url: text("/downloadUri"),
        };
        for (name, format) in Format::ALL {
            let Some(expected) = stdout(name) else { continue };
            let time = expected.split("run at ").nth(1).and_then(|rest| rest.get(..19)).unwrap_or_default();
            let options = Options { tool, color: false, path_in_report: None, time };
            let written = format.render(&files, &options);
            all += 1;
            same += usize::from(written == expected);
            if written != expected {
                println!("{} as {name}:\n{written}\ninstead of\n{expected}", case["id"]);
            }
        }
    }
    println!("{same} of {all} reports are the same");
    assert_eq!(same, all);
}
