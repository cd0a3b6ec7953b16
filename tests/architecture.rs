//! ARCHITECTURE.md says which crate may use which; this compares it with the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Rows of the table in ARCHITECTURE.md: crate to crates.
fn allowed() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let text = include_str!("../ARCHITECTURE.md");
    let mut rows = BTreeMap::new();
    for line in text.lines().skip_while(|l| !l.starts_with("| crate |")).skip(2).take_while(|l| l.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let uses = match cells[1] {
            "all" => None,
            "-" => Some(BTreeSet::new()),
            list => Some(list.split(',').map(|c| c.trim().to_owned()).collect()),
        };
        rows.insert(cells[0].to_owned(), uses);
    }
    rows
}

#[test]
fn crates_use_only_what_their_row_names() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed = allowed();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let short = name.strip_prefix("rbc-").unwrap_or(name);
        let Some(row) = allowed.get(short) else {
            wrong.push(format!("{name} has no row in ARCHITECTURE.md"));
            continue;
        };
        let Some(row) = row else { continue };
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            if dependency["kind"] == "dev" {
                continue;
            }
            if let Some(used) = used.strip_prefix("rbc-")
                && !row.contains(used)
            {
                wrong.push(format!("{name} uses {used}, which its row does not name"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_crates_ban_effects() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = std::fs::read_to_string(root.join("frontends/source/clippy.toml")).unwrap();
    let mut pure = vec![root.join("grammar")];
    for group in ["frontends", "llb"] {
        pure.extend(std::fs::read_dir(root.join(group)).unwrap().map(|d| d.unwrap().path()));
    }
    for dir in pure.iter().filter(|d| d.join("Cargo.toml").exists()) {
        let found = std::fs::read_to_string(dir.join("clippy.toml")).unwrap_or_default();
        assert_eq!(found, model, "{} must ban effects as frontends/source does", dir.display());
    }
}
