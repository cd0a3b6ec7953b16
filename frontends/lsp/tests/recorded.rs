//! How far the server agrees with the answers recorded of the widely used server for Dockerfiles.
//!
//! Compared is what is said, not in which words: explanations are our own. Of completions those items count whose labels
//! occur among the recorded ones at all, since we know more flags.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rbc_lsp::{Message, Options, Server};
use serde_json::{Value, json};

const URI: &str = "uri://host/Dockerfile.sample";

fn recorded(name: &str) -> Vec<Value> {
    let root = std::env::var_os("RBC_CONFORMANCE").map(PathBuf::from).or_else(|| {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().map(|a| a.join("shared/conformance")).find(|p| p.is_dir())
    });
    let text = root.and_then(|root| std::fs::read_to_string(root.join("lint").join(name)).ok());
    if text.is_none() {
        println!("the recorded cases are not there: {name}");
    }
    text.unwrap_or_default().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The capabilities of a client that the case's server was set up for.
fn capabilities(caps: &Value) -> Value {
    let text_document = json!({
        "completion": {"completionItem": {"snippetSupport": caps["snippets"] == json!(true)}},
        "hover": caps["hover"],
        "foldingRange": caps["foldingRange"],
    });
    json!({"textDocument": text_document})
}

fn ask(server: &mut Server, method: &str, params: Value) -> Value {
    let answers = server.handle(Message::Request { id: json!(1), method: method.to_owned(), params });
    match answers.into_iter().next() {
        Some(Message::Response { result, .. }) => result.unwrap_or_else(|failure| json!({"failure": failure.message})),
        other => panic!("no answer but {other:?}"),
    }
}

fn tell(server: &mut Server, method: &str, params: Value) -> Vec<Message> {
    server.handle(Message::Notification { method: method.to_owned(), params })
}

fn open(text: &str, caps: &Value) -> Server {
    let mut server = Server::new(Options::default());
    ask(&mut server, "initialize", json!({"capabilities": capabilities(caps)}));
    let document = json!({"uri": URI, "languageId": "dockerfile", "version": 1, "text": text});
    tell(&mut server, "textDocument/didOpen", json!({"textDocument": document}));
    server
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// An answer without what is said in words of its own.
fn essence(method: &str, answer: &Value, labels: &BTreeSet<String>) -> Value {
    match method {
        "textDocument/completion" => {
            let items = list(answer).into_iter().filter(|item| labels.contains(item["label"].as_str().unwrap()));
            let mut items: Vec<Value> = items
                .map(|item| {
                    let edit = if item["textEdit"].is_null() { &item } else { &item["textEdit"] };
                    json!([item["label"], edit["newText"], edit["range"], item["insertTextFormat"], item["kind"]])
                })
                .collect();
            items.sort_by_key(Value::to_string);
            items.into()
        }
        "textDocument/hover" => {
            let text = answer["text"].as_str().or(answer["contents"]["value"].as_str());
            let explains = |text: &str| !answer["range"].is_null() || text.contains("\n\n");
            match text {
                Some(text) if explains(text) || text.ends_with('.') => json!("an explanation"),
                text => json!(text),
            }
        }
        "textDocument/signatureHelp" => {
            let signatures = list(&answer["signatures"]).into_iter().map(|signature| {
                let parameters: Vec<Value> =
                    list(&signature["parameters"]).iter().map(|p| p["label"].clone()).collect();
                json!([signature["label"], parameters])
            });
            json!([signatures.collect::<Vec<_>>(), answer["activeSignature"], answer["activeParameter"]])
        }
        "textDocument/definition" => answer["range"].clone(),
        "textDocument/rename" => match &answer["changes"][URI] {
            Value::Null => json!(list(answer)),
            edits => edits.clone(),
        },
        "textDocument/documentLink" => {
            let links = list(answer).into_iter().map(|link| {
                let target = match link["data"].as_str() {
                    Some(data) => format!("https://hub.docker.com/{data}"),
                    None => link["target"].as_str().unwrap_or_default().to_owned(),
                };
                json!([link["range"], target])
            });
            links.collect()
        }
        "textDocument/documentSymbol" => {
            let mut names = Vec::new();
            let mut symbols = list(answer);
            while !symbols.is_empty() {
                let symbol = symbols.remove(0);
                let children = list(&symbol["children"]);
                symbols.splice(0..0, children);
                let range =
                    [&symbol["selectionRange"], &symbol["location"]["range"]].into_iter().find(|r| !r.is_null());
                names.push(json!([symbol["name"], range]));
            }
            names.into()
        }
        _ => answer.clone(),
    }
}

#[test]
fn answers() {
    let cases = recorded("lsp_dockerfile.jsonl");
    let labels = cases.iter().filter(|case| case["method"] == "textDocument/completion");
    let labels: BTreeSet<String> =
        labels.flat_map(|case| list(&case["expect"])).map(|item| item["label"].as_str().unwrap().to_owned()).collect();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let shown = std::env::var("RBC_SHOW").unwrap_or_default();
    for case in &cases {
        let method = case["method"].as_str().unwrap();
        let mut server = open(case["text"].as_str().unwrap(), &case["caps"]);
        let mut params = case["params"].clone();
        params["textDocument"] = json!({"uri": URI});
        let answer = essence(method, &ask(&mut server, method, params), &labels);
        let want = essence(method, &case["expect"], &labels);
        let count = counts.entry(method).or_default();
        count.0 += usize::from(answer == want);
        count.1 += 1;
        if answer != want && !shown.is_empty() && method.ends_with(&shown) {
            println!("{} {:?} {}\n  want {want}\n  got  {answer}", case["test"], case["text"], case["params"]);
        }
    }
    let (mut agreed, mut all) = (0, 0);
    for (method, (same, of)) in &counts {
        println!("{method}: {same} of {of}");
        agreed += same;
        all += of;
    }
    println!("all: {agreed} of {all}");
    assert!(agreed * 100 >= all * FLOOR, "only {agreed} of {all} agree");
}

/// What must agree at the least, in percent.
const FLOOR: usize = 99;

/// What the validator of that server finds: each finding should be met by a diagnostic of ours that touches its lines, and
/// a file in which it finds nothing should have no error. (Ports, signals and names of images are checked in lowering, which
/// the editor does not run.)
#[test]
fn findings() {
    let lines = |range: &Value| (range["start"]["line"].as_u64().unwrap(), range["end"]["line"].as_u64().unwrap());
    let (mut met, mut all, mut clean, mut quiet) = (0, 0, 0, 0);
    let mut missed: BTreeMap<String, usize> = BTreeMap::new();
    for case in recorded("validator_dockerfile.jsonl") {
        let mut server = Server::new(Options::default());
        ask(&mut server, "initialize", json!({"capabilities": {"textDocument": {"diagnostic": {}}}}));
        let document = json!({"uri": URI, "languageId": "dockerfile", "version": 1, "text": case["text"]});
        tell(&mut server, "textDocument/didOpen", json!({"textDocument": document}));
        let ours = list(&ask(&mut server, "textDocument/diagnostic", json!({"textDocument": {"uri": URI}}))["items"]);
        let expected = list(&case["expect"]);
        if expected.is_empty() {
            clean += 1;
            quiet += usize::from(!ours.iter().any(|d| d["severity"] == 1));
        }
        for finding in expected {
            let (first, last) = lines(&finding["range"]);
            let touches = |d: &Value| {
                let (from, to) = lines(&d["range"]);
                from <= last && first <= to
            };
            all += 1;
            if ours.iter().any(touches) {
                met += 1;
            } else {
                *missed.entry(finding["code"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
    }
    println!("findings met: {met} of {all}; files without findings that have no error here: {quiet} of {clean}");
    println!("not met: {missed:?}");
    assert!(met * 100 >= all * 84 && quiet * 100 >= clean * 95, "fewer than were met before");
}
