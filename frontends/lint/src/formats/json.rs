//! Formats in JSON. Members are in alphabetical order, as hadolint has them.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::{FileReport, Finding, Options, all};
use crate::Level;

pub(super) fn plain(files: &[FileReport]) -> String {
    let issue = |(file, finding): (&FileReport, &Finding)| {
        json!({
            "code": finding.code,
            "column": finding.start.column,
            "file": file.file,
            "level": finding.level.name(),
            "line": finding.start.line,
            "message": finding.message,
        })
    };
    Value::Array(all(files).map(issue).collect()).to_string()
}

pub(super) fn codacy(files: &[FileReport]) -> String {
    let issue = |(file, finding): (&FileReport, &Finding)| {
        json!({
            "filename": file.file,
            "line": finding.start.line,
            "message": finding.message,
            "patternId": finding.code,
        })
        .to_string()
    };
    all(files).map(issue).collect()
}

pub(super) fn code_climate(files: &[FileReport], options: &Options<'_>) -> String {
    all(files).map(|(file, finding)| climate_issue(file, finding, options, None) + "\0").collect()
}

pub(super) fn gitlab(files: &[FileReport], options: &Options<'_>) -> String {
    let issue = |(file, finding): (&FileReport, &Finding)| {
        let digest = Sha1::digest(climate_issue(file, finding, options, None));
        let fingerprint = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        climate_issue(file, finding, options, Some(fingerprint))
    };
    format!("[{}]", all(files).map(issue).collect::<Vec<_>>().join(","))
}

fn climate_issue(file: &FileReport, finding: &Finding, options: &Options<'_>, fingerprint: Option<String>) -> String {
    let severity = match finding.level {
        Level::Error => "blocker",
        Level::Warning => "major",
        Level::Info => "info",
        Level::Style => "minor",
        Level::Ignore => "",
    };
    let location = json!({
        "lines": { "begin": finding.start.line, "end": finding.end.line },
        "path": options.path(file),
    });
    let members = [
        ("categories", Some(json!(["Bug Risk"]))),
        ("check_name", Some(json!(finding.code))),
        ("description", Some(json!(finding.message))),
        ("fingerprint", fingerprint.map(Value::from)),
        ("location", Some(location)),
        ("severity", Some(json!(severity))),
        ("type", Some(json!("issue"))),
    ];
    let members = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(members.collect()).to_string()
}

pub(super) fn sonarqube(files: &[FileReport], options: &Options<'_>) -> String {
    let issue = |(file, finding): (&FileReport, &Finding)| {
        let start = finding.start.column.saturating_sub(1);
        json!({
            "engineId": options.tool.name,
            "primaryLocation": {
                "filePath": options.path(file),
                "message": finding.message,
                "textRange": {
                    // A range cannot be empty.
                    "endColumn": match finding.start.line == finding.end.line {
                        true => finding.end.column.saturating_sub(1).max(start + 1),
                        false => finding.end.column.saturating_sub(1),
                    },
                    "endLine": finding.end.line,
                    "startColumn": start,
                    "startLine": finding.start.line,
                },
            },
            "ruleId": finding.code,
            "severity": match finding.level {
                Level::Error => "CRITICAL",
                Level::Warning => "MAJOR",
                Level::Info => "MINOR",
                Level::Style | Level::Ignore => "INFO",
            },
            "type": if finding.level == Level::Error { "BUG" } else { "CODE_SMELL" },
        })
    };
    json!({ "issues": all(files).map(issue).collect::<Vec<_>>() }).to_string()
}

pub(super) fn sarif(files: &[FileReport], options: &Options<'_>) -> String {
    let result = |(file, finding): (&FileReport, &Finding)| {
        json!({
            "level": match finding.level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Info | Level::Style | Level::Ignore => "note",
            },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": file.file },
                    "region": {
                        "endColumn": finding.end.column,
                        "endLine": finding.end.line,
                        "sourceLanguage": if finding.is_about_shell() { "sh" } else { "dockerfile" },
                        "startColumn": finding.start.column,
                        "startLine": finding.start.line,
                    },
                },
            }],
            "message": { "text": finding.message },
            "ruleId": finding.code,
        })
    };
    let tool = &options.tool;
    json!({
        "$schema": "http://json.schemastore.org/sarif-2.1.0",
        "runs": [{
            "defaultSourceLanguage": "dockerfile",
            "results": all(files).map(result).collect::<Vec<_>>(),
            "tool": {
                "driver": {
                    "downloadUri": tool.url,
                    "fullName": tool.full_name,
                    "name": tool.name,
                    "shortDescription": { "text": tool.description },
                    "version": tool.version,
                },
            },
        }],
        "version": "2.1.0",
    })
    .to_string()
}
