//! References and platforms as the reference implementation reads them, where recorded answers are at hand.

#![allow(clippy::disallowed_methods, reason = "the recorded cases are files")]

use std::path::{Path, PathBuf};

use rbc_oci::{Digest, Platform, Reference};
use serde_json::{Value, json};

#[test]
fn references() {
    for case in cases("reference.jsonl") {
        let input = text(&case["input"]);
        let Ok(reference) = Reference::parse_normalized(input) else {
            assert!(case["error"].is_string(), "{input} is to be accepted");
            continue;
        };
        let tagged = reference.clone().with_default_tag();
        let digest = text(&case["withDigest"]).split_once('@').map(|(_, digest)| digest).unwrap_or_default();
        let ours = json!({
            "input": input,
            "domain": reference.domain(),
            "path": reference.path(),
            "normalized": reference.to_string(),
            "familiar": reference.familiar(),
            "familiarName": reference.familiar_name(),
            "tagged": tagged.to_string(),
            "withDigest": tagged.with_digest(Digest::parse(digest).unwrap()).to_string(),
        });
        assert_eq!(ours, case);
    }
}

#[test]
fn platforms() {
    for case in cases("platform.jsonl") {
        let input = text(&case["input"]);
        let Ok(platform) = Platform::parse(input, &Platform::new("linux", "amd64")) else {
            assert!(case["error"].is_string(), "{input} is to be accepted");
            continue;
        };
        let normalized = platform.normalize();
        let ours = json!({
            "input": input,
            "parsed": fields(&platform),
            "normalized": fields(&normalized),
            "format": platform.format(),
            "formatAll": platform.format_all(),
            "formatNormalized": normalized.format_all(),
        });
        assert_eq!(ours, case);
    }
}

fn fields(platform: &Platform) -> Value {
    let mut fields = json!({ "os": platform.os, "architecture": platform.architecture });
    for (key, value) in [("variant", &platform.variant), ("os.version", &platform.os_version)] {
        if !value.is_empty() {
            fields[key] = json!(value);
        }
    }
    if !platform.os_features.is_empty() {
        fields["os.features"] = json!(platform.os_features);
    }
    fields
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The recorded cases of a file, none if they are not at hand.
fn cases(file: &str) -> Vec<Value> {
    let Some(folder) = conformance() else {
        println!("{file}: no recorded cases here");
        return Vec::new();
    };
    let text = std::fs::read_to_string(folder.join("dockerfile/unit").join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `$RBC_CONFORMANCE`, or `shared/conformance` in a folder above.
fn conformance() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("RBC_CONFORMANCE") {
        return Some(given.into());
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|a| a.join("shared/conformance")).find(|f| f.is_dir())
}
