//! Recorded answers of BuildKit, read where they lie.
//!
//! Messages are our own, so of an error only that it is one is compared.

#![allow(clippy::disallowed_methods, reason = "the recorded cases are files")]

use std::path::{Path, PathBuf};

use rbc_context::{GitParse, GitRef, IgnoreError, Matcher, Mtime, git, ignore, path};
use serde_json::{Value, json};

#[test]
fn git_references() {
    for case in cases("gitref.jsonl") {
        let found = match git::parse(text(&case["input"])) {
            GitParse::NotGit => json!({"error": true, "isGit": false}),
            GitParse::Invalid(_) => json!({"error": true, "isGit": true}),
            GitParse::Git(found) => json!({"error": false, "isGit": true, "ref": reference(&found)}),
        };
        let mut expected = json!({"error": case["error"].is_string(), "isGit": case["isGit"]});
        if let Some(reference) = case.get("ref") {
            expected["ref"] = reference.clone();
        }
        assert_eq!(found, expected, "{}", case["input"]);
    }
}

fn reference(found: &GitRef) -> Value {
    json!({
        "Remote": found.remote,
        "ShortName": found.short_name,
        "Ref": found.reference,
        "Checksum": found.checksum,
        "SubDir": found.subdir,
        "IndistinguishableFromLocal": found.indistinguishable_from_local,
        "UnencryptedTCP": found.unencrypted_tcp,
        "KeepGitDir": found.keep_git_dir,
        "Submodules": found.submodules,
        "MTime": found.mtime.map_or("", Mtime::as_str),
        "FetchByCommit": found.fetch_by_commit,
    })
}

#[test]
fn ignore_files() {
    for case in cases("dockerignore.jsonl") {
        let patterns = ignore::read(text(&case["input"])).unwrap();
        assert_eq!(json!(patterns), case["patterns"], "{}", case["input"]);
        let matcher = match Matcher::new(&patterns) {
            Ok(matcher) => matcher,
            Err(error) => {
                assert!(case["matcherError"].is_string(), "{}: {error}", case["input"]);
                continue;
            }
        };
        assert_eq!(json!(matcher.exclusions()), case["exclusions"], "{}", case["input"]);
        for (path, expected) in case["matches"].as_object().unwrap() {
            let found: Result<bool, IgnoreError> = matcher.matches_or_parent_matches(path);
            assert_eq!(json!(found.ok()), *expected, "{} {path}", case["input"]);
        }
    }
}

#[test]
fn working_directories() {
    for case in cases("workdir.jsonl") {
        let (current, wd, os) = (text(&case["current"]), text(&case["workdir"]), text(&case["os"]));
        assert_eq!(json!(path::is_abs(wd, os)), case["isAbs"], "{case}");
        for (found, key) in [
            (path::normalize_workdir(current, wd, os), "result"),
            (path::normalize(current, wd, os, true), "path"),
            (path::normalize("/", wd, os, false), "srcPath"),
        ] {
            assert_eq!(json!(found.ok()), case.get(key).cloned().unwrap_or_default(), "{key} of {case}");
        }
    }
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
