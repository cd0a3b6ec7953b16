//! How far the server agrees with the answers recorded of the widely used server for Dockerfiles.
//!
//! Compared is what is said, not in which words: explanations are our own.

use rbc_lsp::{Message, Options, Server};
use serde_json::{Value, json};

use super::{Difference, Labels};

const URI: &str = "uri://host/Dockerfile.sample";

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
        other => json!({"failure": format!("no answer but {other:?}")}),
    }
}

fn tell(server: &mut Server, method: &str, params: Value) -> Vec<Message> {
    server.handle(Message::Notification { method: method.to_owned(), params })
}

fn open(text: &str, caps: &Value) -> Server {
    let mut server = Server::new(Options { check: Box::new(rbc::cli::lsp::Checker::default()) });
    ask(&mut server, "initialize", json!({"capabilities": capabilities(caps)}));
    let document = json!({"uri": URI, "languageId": "dockerfile", "version": 1, "text": text});
    tell(&mut server, "textDocument/didOpen", json!({"textDocument": document}));
    server
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// An answer without what is said in words of its own.
fn essence(method: &str, answer: &Value, labels: &Labels) -> Value {
    match method {
        "textDocument/completion" => {
            let known = |item: &Value| item["label"].as_str().is_some_and(|label| labels.contains(label));
            let mut items: Vec<Value> = list(answer)
                .into_iter()
                .filter(known)
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

/// What the recorded completions are called.
pub fn labels(cases: &[Value]) -> Labels {
    let completions = cases.iter().filter(|case| case["method"] == "textDocument/completion");
    completions
        .flat_map(|case| list(&case["expect"]))
        .filter_map(|item| Some(item["label"].as_str()?.to_owned()))
        .collect()
}

/// A request about a document.
pub fn call(case: &Value, labels: &Labels) -> Option<Vec<Difference>> {
    let method = case["method"].as_str()?;
    let mut server = open(case["text"].as_str()?, &case["caps"]);
    let mut params = case["params"].clone();
    params["textDocument"] = json!({"uri": URI});
    let answer = essence(method, &ask(&mut server, method, params), labels);
    Some(differs("answer", &answer, &essence(method, &case["expect"], labels)))
}

/// A command that the server runs.
pub fn command(case: &Value, _: &Labels) -> Option<Vec<Difference>> {
    let mut server = open(case["text"].as_str()?, &Value::Null);
    let params = json!({"command": case["command"], "arguments": case["args"]});
    let answer = ask(&mut server, "workspace/executeCommand", params);
    Some(differs("answer", &answer, &case["expect"]))
}

/// What the validator finds: each finding should be met by a diagnostic of ours that touches its lines, and a file in which it
/// finds nothing should have no error.
pub fn validator(case: &Value, _: &Labels) -> Option<Vec<Difference>> {
    let lines = |range: &Value| (range["start"]["line"].as_u64(), range["end"]["line"].as_u64());
    let mut server = open(case["text"].as_str()?, &Value::Null);
    let ours = list(&ask(&mut server, "textDocument/diagnostic", json!({"textDocument": {"uri": URI}}))["items"]);
    let expected = list(&case["expect"]);
    if expected.is_empty() {
        let errors = ours.iter().filter(|d| d["severity"] == 1);
        return Some(errors.map(|d| Difference { aspect: "extra", what: d["message"].to_string() }).collect());
    }
    let missed = expected.iter().filter(|finding| {
        let (first, last) = lines(&finding["range"]);
        !ours.iter().map(|d| lines(&d["range"])).any(|(from, to)| from <= last && first <= to)
    });
    Some(missed.map(|f| Difference { aspect: "missed", what: format!("{} at {}", f["code"], f["range"]) }).collect())
}

fn differs(aspect: &'static str, answer: &Value, expected: &Value) -> Vec<Difference> {
    match answer == expected {
        true => Vec::new(),
        false => vec![Difference { aspect, what: format!("{answer}, not {expected}") }],
    }
}
