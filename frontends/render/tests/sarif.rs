//! Logs are what SARIF 2.1.0 asks for. The shapes below are those of its schema, of which every object refuses properties that
//! it does not name.

use rbc_render::sarif;
use rbc_source::{Applicability, Diagnostic, Edit, FileId, Sources, Span, environment, lint, lower};
use serde_json::Value;

enum Shape {
    Text,
    Bool,
    /// A number, not below this.
    Count(u64),
    OneOf(&'static [&'static str]),
    /// So many at least.
    List(usize, &'static Shape),
    /// Properties; those with `true` must be there.
    Object(&'static [(&'static str, bool, &'static Shape)]),
}

use Shape::{Bool, Count, List, Object, OneOf, Text};

const LOG: Shape =
    Object(&[("$schema", false, &Text), ("version", true, &OneOf(&["2.1.0"])), ("runs", true, &List(0, &RUN))]);
const RUN: Shape = Object(&[
    ("tool", true, &Object(&[("driver", true, &DRIVER)])),
    ("invocations", false, &List(0, &INVOCATION)),
    ("columnKind", false, &OneOf(&["utf16CodeUnits", "unicodeCodePoints"])),
    ("results", false, &List(0, &RESULT)),
]);
const DRIVER: Shape = Object(&[("name", true, &Text), ("version", false, &Text), ("rules", false, &List(0, &RULE))]);
const INVOCATION: Shape = Object(&[("executionSuccessful", true, &Bool), ("exitCode", false, &Count(0))]);
const LEVEL: Shape = OneOf(&["none", "note", "warning", "error"]);
const MESSAGE: Shape = Object(&[("text", true, &Text), ("markdown", false, &Text)]);
const RULE: Shape = Object(&[
    ("id", true, &Text),
    ("name", false, &Text),
    ("shortDescription", false, &MESSAGE),
    ("help", false, &MESSAGE),
    ("helpUri", false, &Text),
    ("defaultConfiguration", false, &Object(&[("level", false, &LEVEL)])),
]);
const RESULT: Shape = Object(&[
    ("ruleId", false, &Text),
    ("ruleIndex", false, &Count(0)),
    ("level", false, &LEVEL),
    ("message", true, &MESSAGE),
    ("locations", false, &List(0, &LOCATION)),
    ("relatedLocations", false, &List(0, &LOCATION)),
    ("codeFlows", false, &List(0, &Object(&[("threadFlows", true, &List(1, &THREAD_FLOW))]))),
    ("fixes", false, &List(0, &FIX)),
]);
const LOCATION: Shape =
    Object(&[("id", false, &Count(0)), ("physicalLocation", false, &PHYSICAL), ("message", false, &MESSAGE)]);
const PHYSICAL: Shape = Object(&[("artifactLocation", true, &ARTIFACT), ("region", false, &REGION)]);
const ARTIFACT: Shape = Object(&[("uri", false, &Text)]);
const REGION: Shape = Object(&[
    ("startLine", true, &Count(1)),
    ("startColumn", true, &Count(1)),
    ("endLine", true, &Count(1)),
    ("endColumn", true, &Count(1)),
    ("byteOffset", true, &Count(0)),
    ("byteLength", true, &Count(0)),
]);
const THREAD_FLOW: Shape = Object(&[(
    "locations",
    true,
    &List(1, &Object(&[("location", false, &LOCATION), ("nestingLevel", false, &Count(0))])),
)]);
const FIX: Shape = Object(&[("description", false, &MESSAGE), ("artifactChanges", true, &List(1, &CHANGE))]);
const CHANGE: Shape = Object(&[("artifactLocation", true, &ARTIFACT), ("replacements", true, &List(1, &REPLACEMENT))]);
const REPLACEMENT: Shape = Object(&[("deletedRegion", true, &REGION), ("insertedContent", false, &MESSAGE)]);

fn check(value: &Value, shape: &Shape, at: &str) {
    match (shape, value) {
        (Text, Value::String(_)) | (Bool, Value::Bool(_)) => {}
        (Count(least), Value::Number(n)) => assert!(n.as_u64().is_some_and(|n| n >= *least), "{at} is {n}"),
        (OneOf(names), Value::String(text)) => assert!(names.contains(&text.as_str()), "{at} is {text}"),
        (List(least, shape), Value::Array(items)) => {
            assert!(items.len() >= *least, "{at} is too short");
            for (i, item) in items.iter().enumerate() {
                check(item, shape, &format!("{at}[{i}]"));
            }
        }
        (Object(properties), Value::Object(found)) => {
            for (name, needed, _) in *properties {
                assert!(!needed || found.contains_key(*name), "{at} has no {name}");
            }
            for (name, value) in found {
                let shape = properties.iter().find(|(n, _, _)| n == name).map(|(_, _, shape)| shape);
                check(value, shape.unwrap_or_else(|| panic!("{at} has a {name}")), &format!("{at}.{name}"));
            }
        }
        _ => panic!("{at} is {value}"),
    }
}

fn log(found: &[Diagnostic], sources: &Sources) -> Value {
    let log: Value = serde_json::from_str(&sarif(found, sources)).expect("a log is JSON");
    check(&log, &LOG, "log");
    log
}

#[test]
fn logs_have_the_shape_of_the_schema() {
    let mut sources = Sources::new();
    let file = sources.add("my dir/Dockerfile", "FROM scratch\nEXPOSE é:1\nRUN x\n");
    let other = sources.add("/abs/docker-bake.hcl", "target \"app\" {}\n");
    let unknown = Span::new(FileId(9), 0, 1);
    let at = |start, end| Span::new(file, start, end);
    let edit = |span| Edit { span, text: "x".to_owned() };
    let found = [
        Diagnostic::new(lower::PORT, "no port")
            .labelled(at(20, 24), "this")
            .also(at(0, 4), "and this")
            .also(unknown, "lost")
            .within(Span::new(other, 7, 12), "while building target `app`")
            .within(at(13, 19), "while compiling this step")
            .note("write a number")
            .fix("do", vec![edit(at(20, 24)), edit(Span::new(other, 0, 0)), edit(at(0, 0))], Applicability::Safe)
            .fix("nothing", vec![], Applicability::Safe)
            .fix("lost", vec![edit(at(0, 1)), edit(unknown)], Applicability::Safe),
        Diagnostic::new(lint::UNDEFINED_VAR, "one").at(at(25, 30)),
        Diagnostic::new(lower::PORT, "again").at(unknown),
        Diagnostic::new(environment::READ, "nowhere"),
    ];
    let log = log(&found, &sources);
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results are a list");
    assert_eq!(results.len(), found.len());
    for (result, finding) in results.iter().zip(&found) {
        let index = result["ruleIndex"].as_u64().expect("it is a number") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], finding.code.id);
    }
    assert_eq!(run["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(3), "each rule is there once");
    let first = &results[0];
    assert_eq!(first["message"]["text"], "no port\nwrite a number");
    assert_eq!(first["locations"][0]["physicalLocation"]["region"]["endColumn"], 11, "columns count characters");
    assert_eq!(first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "my%20dir/Dockerfile");
    assert_eq!(first["relatedLocations"].as_array().map(Vec::len), Some(1));
    let flow = first["codeFlows"][0]["threadFlows"][0]["locations"].as_array().expect("a flow is a list");
    let way: Vec<_> = flow.iter().map(|stop| stop["location"]["message"]["text"].as_str()).collect();
    assert_eq!(way, [Some("while building target `app`"), Some("while compiling this step"), Some("this")]);
    assert_eq!(flow[0]["location"]["physicalLocation"]["artifactLocation"]["uri"], "file:///abs/docker-bake.hcl");
    let fixes = first["fixes"].as_array().expect("fixes are a list");
    assert_eq!(fixes.len(), 1, "a fix without edits, or with one in no file, is none");
    assert_eq!(fixes[0]["artifactChanges"].as_array().map(Vec::len), Some(2), "one of each file");
    assert_eq!(run["invocations"][0]["exitCode"], 1);
}

#[test]
fn a_run_that_could_not_look_was_not_successful() {
    let sources = Sources::new();
    let invocation = |found: &[Diagnostic]| log(found, &sources)["runs"][0]["invocations"][0].clone();
    assert_eq!(invocation(&[])["executionSuccessful"], true);
    let stopped = invocation(&[Diagnostic::new(environment::READ, "")]);
    assert_eq!((&stopped["executionSuccessful"], &stopped["exitCode"]), (&Value::Bool(false), &Value::from(3)));
}
