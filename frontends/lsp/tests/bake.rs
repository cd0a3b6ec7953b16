//! Bake files in the editor.

use rbc_lsp::{Message, Options, Server};
use serde_json::{Value, json};

const URI: &str = "file:///w/docker-bake.hcl";
const TEXT: &str = r#"variable "TAG" { default = "1.0" }
function "name" {
  params = [x]
  result = "${x}:${TAG}"
}
group "default" { targets = ["app"] }
target "base" {
  args = { A = TAG }
  platforms = ["linux/amd64"]
}
target "app" {
  inherits = ["base"]
  matrix = { v = ["1", "2"] }
  name = "app-${v}"
  context = "./app"
  dockerfile = "Dockerfile.app"
  contexts = { src = "target:base" }
  tags = [name("app")]
}
"#;

fn ask(server: &mut Server, method: &str, params: Value) -> Value {
    let answers = server.handle(Message::Request { id: json!(1), method: method.to_owned(), params });
    answers.into_iter().next().map_or(Value::Null, Message::into_json)
}

fn start(text: &str) -> Server {
    let mut server = Server::new(Options::default());
    ask(&mut server, "initialize", json!({"capabilities": {"textDocument": {"diagnostic": {}}}}));
    let document = json!({"uri": URI, "version": 1, "languageId": "hcl", "text": text});
    let params = json!({"textDocument": document});
    server.handle(Message::Notification { method: "textDocument/didOpen".to_owned(), params });
    server
}

/// Asks about the place behind `before`.
fn about(method: &str, text: &str, before: &str) -> Value {
    let offset = text.find(before).unwrap() + before.len();
    let line = text[..offset].matches('\n').count();
    let character = offset - text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}});
    let params = json!({
        "textDocument": {"uri": URI}, "position": {"line": line, "character": character}, "range": range, "newName": "new",
    });
    ask(&mut start(text), &format!("textDocument/{method}"), params)["result"].take()
}

fn labels(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect()
}

#[test]
fn names_are_found() {
    assert_eq!(about("definition", TEXT, "inherits = [\"ba")["range"]["start"], json!({"line": 6, "character": 8}));
    assert_eq!(about("definition", TEXT, "target:b")["range"]["start"]["line"], 6);
    assert_eq!(about("definition", TEXT, "targets = [\"a")["range"]["start"]["line"], 10);
    assert_eq!(about("definition", TEXT, "tags = [na")["range"]["start"]["line"], 1);
    assert_eq!(about("references", TEXT, "variable \"T").as_array().unwrap().len(), 3);
    // A parameter and an axis of a matrix are names of their own.
    assert_eq!(about("references", TEXT, "result = \"${x"), json!([]));
    assert_eq!(about("references", TEXT, "app-${v"), json!([]));
    let renamed = about("rename", TEXT, "target \"ba");
    assert_eq!(renamed["changes"][URI].as_array().unwrap().len(), 3);
    assert_eq!(about("documentHighlight", TEXT, "target \"ba").as_array().unwrap().len(), 3);
}

#[test]
fn files_are_shown() {
    let names: Vec<Value> =
        about("documentSymbol", TEXT, "").as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
    assert_eq!(names, ["TAG", "name", "default", "base", "app"]);
    assert_eq!(about("foldingRange", TEXT, "").as_array().unwrap().len(), 3);
    assert_eq!(about("documentLink", TEXT, "")[0]["target"], "file:///w/app/Dockerfile.app");
    assert_eq!(about("inlayHint", TEXT, "")[0]["label"], "args, platforms");
    assert_eq!(about("hover", TEXT, "A = TA")["contents"]["value"], "\"1.0\"");
    assert_eq!(about("codeLens", TEXT, "")[0]["command"]["arguments"], json!([URI, "base"]));
    assert_eq!(about("diagnostic", TEXT, "")["items"], json!([]));
    assert_ne!(about("diagnostic", "target {", "")["items"], json!([]));
}

#[test]
fn what_can_be_written() {
    assert_eq!(labels(&about("completion", TEXT, "}\n")), ["function", "group", "target", "variable"]);
    assert_eq!(labels(&about("completion", TEXT, "inherits = [\"")), ["app", "base", "default"]);
    assert_eq!(labels(&about("completion", TEXT, "A = ")), ["TAG", "name"]);
    assert!(labels(&about("completion", TEXT, "target \"base\" {\n  ")).contains(&"cache-from"));
    assert_eq!(labels(&about("completion", "variable \"A\" {}\ntarget \"x\" {\n  tags = [\"a:${", "${")), ["A"]);
    assert_eq!(about("completion", "# tar", "tar"), json!([]));
}

#[test]
fn files_are_formatted() {
    let edits = about("formatting", "a=1\nbc  =  2\n", "a");
    let edits: Vec<&str> = edits.as_array().unwrap().iter().map(|edit| edit["newText"].as_str().unwrap()).collect();
    assert_eq!(edits, ["  ", " ", " ", " "]);
    assert_eq!(about("rangeFormatting", "a = 1\n", "a"), json!([]));
}

#[test]
fn no_text_breaks_it() {
    // Every beginning of the text, and every text with a part cut out.
    let methods =
        ["completion", "documentSymbol", "foldingRange", "inlayHint", "codeLens", "documentLink", "diagnostic"];
    for (index, at) in (0..TEXT.len()).enumerate() {
        let method = methods[index % methods.len()];
        assert_ne!(about(method, &TEXT[..at], ""), Value::Null);
        let cut = format!("{}{}", &TEXT[..at], &TEXT[(at + 7).min(TEXT.len())..]);
        for method in [method, "references", "hover", "rename"] {
            about(method, &cut, &TEXT[..at]);
        }
    }
}
