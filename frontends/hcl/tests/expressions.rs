//! Expressions as the real buildx evaluated them: `shared/conformance/bake/expr`.
#![allow(clippy::disallowed_methods)] // reads the recorded cases

use rbc_hcl::ast::{Body, ExprKind, Step};
use rbc_hcl::{Callable, Host, Lookup, Scope, Value, evaluate, parse};
use rbc_source::{FileId, SourceFile};
use std::path::PathBuf;
use std::sync::Arc;

struct Machine;

impl Host for Machine {
    fn now(&self) -> i64 {
        1_700_000_000
    }
    fn home(&self) -> String {
        "{{HOME}}".into()
    }
    fn random(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// Variables by their defaults, evaluated where they are used.
struct Variables(Body);

impl Scope for Variables {
    fn variable(&self, name: &str, _: &[Step]) -> Lookup {
        let builtin = match name {
            "BAKE_LOCAL_PLATFORM" => "linux/amd64",
            "BAKE_CMD_CONTEXT" => "cwd://",
            _ => "",
        };
        if !builtin.is_empty() {
            return Lookup::Found(builtin.into(), 0);
        }
        let block = self.0.blocks.iter().find(|b| &*b.kind == "variable" && &*b.labels[0].text == name);
        match block.and_then(|b| b.body.attribute("default")).or(self.0.attribute(name)) {
            Some(default) => {
                evaluate(&default.value, self, &mut Vec::new()).map_or(Lookup::Failed, |v| Lookup::Found(v, 0))
            }
            None => Lookup::Unknown,
        }
    }
    fn function(&self, _: &str) -> Callable {
        Callable::Unknown
    }
    fn variables(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
    fn functions(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
    fn globals(&self) -> &dyn Scope {
        self
    }
    fn host(&self) -> &dyn Host {
        &Machine
    }
}

fn recorded(path: &str) -> Option<PathBuf> {
    if let Ok(root) = std::env::var("RBC_CONFORMANCE") {
        return Some(PathBuf::from(root).join(path)).filter(|p| p.exists());
    }
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|a| a.join("shared/conformance").join(path)).find(|p| p.exists())
}

/// The value of `args.v` of the file's target, as text.
fn run(text: &str) -> Result<String, Vec<String>> {
    let file = SourceFile::new(FileId(0), "docker-bake.hcl", text);
    let parsed = parse(&file);
    let mut diagnostics = parsed.diagnostics;
    if !diagnostics.is_empty() {
        return Err(diagnostics.into_iter().map(|d| d.message).collect());
    }
    let target = parsed.value.blocks.iter().find(|b| &*b.kind == "target").expect("a target");
    let args = target.body.attribute("args").expect("args").value.clone();
    let ExprKind::Object(items) = &args.kind else { panic!("args is no object") };
    let value = evaluate(&items[0].value, &Variables(parsed.value.clone()), &mut diagnostics);
    match value.as_ref().and_then(Value::as_str) {
        Some(text) if diagnostics.is_empty() => Ok(text.to_owned()),
        _ => {
            Err(diagnostics.into_iter().map(|d| format!("{} {:?}", d.message, d.primary.map(|l| l.message))).collect())
        }
    }
}

#[test]
fn visible_expressions() {
    let Some(path) = recorded("bake/expr/visible.jsonl") else {
        println!("the recorded cases are not there");
        return;
    };
    let mut wrong = Vec::new();
    let mut all = 0;
    for line in std::fs::read_to_string(path).expect("readable").lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (expr, file) = (case["expr"].as_str().unwrap_or(""), case["file"].as_str().unwrap_or(""));
        all += 1;
        match (run(file), case["value_json"].as_str()) {
            (Ok(have), Some(want)) if have == want => {}
            (Err(_), None) => {}
            // An undefined name that is used twice, as the keywords of `convert`, is a cycle to the reference.
            (Ok(_), None) if case["error"].as_str().is_some_and(|e| e.contains("variable cycle not allowed for ")) => {}
            (have, want) => wrong
                .push(format!("{expr}\n   have {have:?}\n   want {want:?} {}", case["error"].as_str().unwrap_or(""))),
        }
    }
    assert!(wrong.is_empty(), "{} of {all} differ:\n{}", wrong.len(), wrong.join("\n"));
}
