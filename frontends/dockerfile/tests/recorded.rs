//! Files against the recorded answers of the reference.
#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;

use rbc_ast::check::CheckConfig;
use rbc_source::{Diagnostic, FileId, Severity, SourceFile, dockerfile as codes, lint};
use serde_json::Value;

/// Where the recorded cases are, if they are there.
fn recorded() -> Option<PathBuf> {
    let root = std::env::var_os("RBC_CONFORMANCE").map(PathBuf::from).or_else(|| {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().map(|a| a.join("shared/conformance")).find(|p| p.is_dir())
    });
    if root.is_none() {
        println!("the recorded cases are not there");
    }
    root
}

/// Lines (from 1) that a diagnostic's primary place touches.
fn lines(file: &SourceFile, diagnostic: &Diagnostic) -> Vec<u64> {
    let (first, last) = file.lines_of(diagnostic.primary.as_ref().unwrap().span);
    (first as u64 + 1..=last as u64 + 1).collect()
}

/// The same of recorded ranges, each of which is one line.
fn recorded_lines(ranges: &Value) -> Vec<u64> {
    ranges.as_array().into_iter().flatten().map(|r| r[0].as_u64().unwrap()).collect()
}

const RULES: [&str; 8] = [
    lint::NO_EMPTY_CONTINUATION.name,
    lint::MAINTAINER_DEPRECATED.name,
    lint::STAGE_NAME_CASING.name,
    lint::FROM_AS_CASING.name,
    lint::INVALID_DEFINITION_DESCRIPTION.name,
    lint::RESERVED_STAGE_NAME.name,
    lint::DUPLICATE_STAGE_NAME.name,
    lint::CONSISTENT_INSTRUCTION_CASING.name,
];

/// What is wrong with what is made of a case, if anything is.
fn failure(case: &Value) -> Option<String> {
    let text = case["dockerfile"].as_str().unwrap();
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let syntax = rbc_grammar::detect_syntax(text).map(|v| (v.text.to_string(), v.first().to_owned()));
    let recorded =
        case["syntax"]["cmdline"].as_str().map(|c| (c.into(), case["syntax"]["ref"].as_str().unwrap().into()));
    if syntax != recorded {
        return Some(format!("syntax {syntax:?}, not {recorded:?}"));
    }
    let parsed = match case["opts"]["attrs"]["build-arg:BUILDKIT_DOCKERFILE_CHECK"].as_str() {
        Some(options) => rbc_dockerfile::parse_with(&file, &CheckConfig::parse(options).ok()?),
        None => rbc_dockerfile::parse(&file),
    };
    let error = parsed.diagnostics.iter().find(|d| d.is_error());
    let kind = case["error"]["kind"].as_str().unwrap_or("none");
    match (kind, error) {
        ("parse" | "instructions", Some(error)) => {
            let mut want = recorded_lines(&case["error"]["ranges"][0]);
            // Here the reference counts from 0.
            if error.code == codes::DIRECTIVE {
                want.iter_mut().for_each(|line| *line += 1);
            }
            let got = lines(&file, error);
            let early = ["E0101", "E0102", "E0103", "E0104", "E0105", "E0106"].contains(&error.code.id);
            if got != want || early != (kind == "parse") {
                return Some(format!("{error:?} at {got:?}, not {}", case["error"]));
            }
        }
        ("parse" | "instructions", None) => return Some(format!("no error, not {}", case["error"])),
        ("convert", Some(error)) if error.code == codes::CHECK_OPTION || error.code == codes::NO_STAGE => {}
        (_, Some(error)) => return Some(format!("{error:?}, not {}", case["error"])),
        (_, None) => {}
    }
    let before = parsed.diagnostics.iter().take_while(|d| !d.is_error());
    let got: Vec<_> = before
        .filter(|d| d.severity == Severity::Warning)
        .map(|d| (d.code.name.to_owned(), d.message.clone(), lines(&file, d)))
        .collect();
    let mut want: Vec<(String, String, Vec<u64>)> = Vec::new();
    for warning in case["warnings"].as_array().into_iter().flatten() {
        let rule = warning["rule"].as_str().unwrap();
        if RULES.contains(&rule) {
            let detail = warning["detail"].as_str().unwrap();
            want.push((rule.to_owned(), detail.to_owned(), recorded_lines(&warning["ranges"])));
        }
    }
    // Of several platforms each gives them all.
    let platforms = want.len().checked_div(got.len()).unwrap_or(1).max(1);
    let repeated: Vec<_> = std::iter::repeat_n(&got, platforms).flatten().collect();
    (!repeated.into_iter().eq(&want)).then(|| format!("warnings {got:?}\n  not {want:?}"))
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |b: u8| match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b'=').map(digit).collect();
    let group = |four: &[u8]| {
        let bits = four.iter().fold(0, |bits, d| bits << 6 | u32::from(*d)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}

/// Text of bytes as the driver has to make it: a replacement character for each byte that is not UTF-8.
fn decode(bytes: &[u8]) -> String {
    let chunk = |c: std::str::Utf8Chunk<'_>| format!("{}{}", c.valid(), "\u{FFFD}".repeat(c.invalid().len()));
    bytes.utf8_chunks().map(chunk).collect()
}

#[test]
fn files() {
    let Some(root) = recorded() else { return };
    let mut failures = Vec::new();
    let mut paths: Vec<_> =
        std::fs::read_dir(root.join("dockerfile/cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            if let Some(failure) = failure(&case) {
                failures.push(format!("{}: {failure}\n{}", case["id"], case["dockerfile"]));
            }
        }
    }
    let bytes = std::fs::read_to_string(root.join("dockerfile/unit/non-utf8.jsonl")).unwrap();
    for line in bytes.lines() {
        let mut case: Value = serde_json::from_str(line).unwrap();
        case["dockerfile"] = decode(&base64(case["dockerfileBase64"].as_str().unwrap())).into();
        failures.extend(failure(&case));
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures[..failures.len().min(20)].join("\n"));
}
