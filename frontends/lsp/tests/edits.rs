//! Whatever is typed, nothing breaks, and what is said after an edit is what a fresh start says.

use rbc_lsp::{Message, Options, Server};
use serde_json::{Value, json};

const URI: &str = "file:///Dockerfile";

const TEXTS: [&str; 4] = [
    "# syntax=docker/dockerfile:1\n# escape=\\\n\nARG V=1.2\nFROM --platform=$BUILDPLATFORM golang:${V:-1} AS build\nWORKDIR /src\nRUN --mount=type=cache,target=/x,from=build \\\n  # note\n\n  go build \"$V\" '${V}'\nFROM scratch\nCOPY --from=build --chown=a:b /a /b\nCMD [\"/a\", \"b\"]\n",
    "FROM alpine\nENV a=b c=\"d e\" \\\n f='g'\nENV legacy some value\nCOPY <<\"x\" <<-y /d/\nh\u{e9}llo $a\nx\n\ty\nHEALTHCHECK --interval=5s CMD [ \"x\" ]\nONBUILD RUN echo $c\nMAINTAINER me\n",
    "# escape=`\r\nfrom a\r\nrun x `\r\n  y\r\nlabel k=v w=\"z\r\n",
    "\u{FEFF}FROM \u{1F600}:\u{e9}\nARG \u{e9}=${\u{e9}}\nEXPOSE 80 443/tcp\nVOLUME [\"/a\"]\nUSER a:b\nSHELL [\"sh\"]\nSTOPSIGNAL 9\n",
];

const PIECES: [&str; 24] = [
    "",
    "\n",
    "\\\n",
    "\\",
    "`",
    "$",
    "${",
    "}",
    "\"",
    "'",
    "#",
    " ",
    "=",
    "<<x",
    "--",
    "FROM ",
    "ONBUILD ",
    "[",
    ",",
    "\u{1F600}",
    "\r",
    "\t",
    "RUN --mount=",
    "AS",
];

const METHODS: [&str; 18] = [
    "completion",
    "hover",
    "signatureHelp",
    "definition",
    "references",
    "documentHighlight",
    "prepareRename",
    "rename",
    "documentSymbol",
    "foldingRange",
    "semanticTokens/full",
    "documentLink",
    "formatting",
    "codeAction",
    "onTypeFormatting",
    "selectionRange",
    "inlayHint",
    "codeLens",
];

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

fn ask(server: &mut Server, method: &str, params: Value) -> Value {
    let answers = server.handle(Message::Request { id: json!(1), method: method.to_owned(), params });
    answers.into_iter().next().map_or(Value::Null, Message::into_json)
}

fn start(text: &str, encoding: &str) -> Server {
    let mut server = Server::new(Options::default());
    let capabilities = json!({"general": {"positionEncodings": [encoding]}, "textDocument": {"diagnostic": {}}});
    ask(&mut server, "initialize", json!({"capabilities": capabilities}));
    let document = json!({"uri": URI, "version": 1, "languageId": "dockerfile", "text": text});
    let params = json!({"textDocument": document});
    server.handle(Message::Notification { method: "textDocument/didOpen".to_owned(), params });
    server
}

/// A range of the protocol for offsets, counted in UTF-16.
fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let (mut line, mut column) = (0, 0);
    let mut chars = before.chars().peekable();
    while let Some(c) = chars.next() {
        column += c.len_utf16();
        let next = chars.peek().copied().or_else(|| text[offset..].chars().next());
        if c == '\n' || (c == '\r' && next != Some('\n')) {
            (line, column) = (line + 1, 0);
        }
    }
    json!({"line": line, "character": column})
}

fn boundary(text: &str, at: usize) -> usize {
    let at = text.floor_char_boundary(at);
    // No position stands between the two characters of a line's end.
    if text[..at].ends_with('\r') && text[at..].starts_with('\n') { at + 1 } else { at }
}

#[test]
fn an_edit_is_a_fresh_start() {
    let mut dice = Dice(1);
    for text in TEXTS {
        let mut text = text.to_owned();
        let mut server = start(&text, "utf-16");
        for round in 0..150 {
            let from = boundary(&text, dice.roll(text.len() + 1));
            let to = boundary(&text, (from + dice.roll(4) * dice.roll(4)).min(text.len())).max(from);
            let new = PIECES[dice.roll(PIECES.len())];
            let range = json!({"start": position(&text, from), "end": position(&text, to)});
            let change = json!({"range": range, "text": new});
            let document = json!({"uri": URI, "version": round});
            let params = json!({"textDocument": document, "contentChanges": [change]});
            server.handle(Message::Notification { method: "textDocument/didChange".to_owned(), params });
            text.replace_range(from..to, new);
            let mut fresh = start(&text, "utf-16");
            let at = boundary(&text, dice.roll(text.len() + 1));
            let at = position(&text, at);
            let method = METHODS[dice.roll(METHODS.len())];
            for method in ["diagnostic", method] {
                let params = json!({
                    "textDocument": {"uri": URI},
                    "position": at,
                    "range": {"start": at, "end": at},
                    "newName": "other",
                    "positions": [at],
                    "ch": "\\",
                });
                let method = format!("textDocument/{method}");
                let answer = ask(&mut server, &method, params.clone());
                assert_eq!(answer, ask(&mut fresh, &method, params), "{method} at {at} of {text:?}");
            }
        }
    }
}

#[test]
fn every_place_can_be_asked_about() {
    for text in TEXTS {
        let mut server = start(text, "utf-16");
        for offset in (0..=text.len()).filter(|offset| text.is_char_boundary(*offset)) {
            for method in METHODS {
                let at = position(text, offset);
                let range = json!({"start": at, "end": at});
                let params = json!({
                    "textDocument": {"uri": URI}, "position": at, "range": range, "newName": "other",
                    "positions": [at], "ch": "`",
                });
                let answer = ask(&mut server, &format!("textDocument/{method}"), params);
                assert!(answer.get("result").is_some() || method == "rename", "{method}: {answer}");
            }
        }
    }
}

#[test]
fn the_order_of_a_session() {
    let mut server = Server::new(Options::default());
    let hover = json!({"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}});
    assert_eq!(ask(&mut server, "textDocument/hover", hover.clone())["error"]["code"], -32002);
    let result = ask(&mut server, "initialize", json!({"capabilities": {"general": {"positionEncodings": ["utf-8"]}}}));
    assert_eq!(result["result"]["capabilities"]["positionEncoding"], "utf-8");
    assert_eq!(ask(&mut server, "textDocument/hover", hover)["error"]["code"], -32602);
    assert_eq!(ask(&mut server, "workspace/nothing", Value::Null)["error"]["code"], -32601);
    let document = json!({"uri": URI, "version": 3, "languageId": "dockerfile", "text": "FROM a as b\nrun x\n"});
    let params = json!({"textDocument": document});
    let pushed = server.handle(Message::Notification { method: "textDocument/didOpen".to_owned(), params });
    let [Message::Notification { method, params }] = pushed.as_slice() else { panic!("{pushed:?}") };
    assert_eq!((method.as_str(), &params["version"]), ("textDocument/publishDiagnostics", &json!(3)));
    let codes: Vec<&Value> = params["diagnostics"].as_array().unwrap().iter().map(|d| &d["message"]).collect();
    assert!(!codes.is_empty());
    let range = json!({"start": {"line": 0, "character": 7}, "end": {"line": 0, "character": 9}});
    let actions = ask(
        &mut server,
        "textDocument/codeAction",
        json!({"textDocument": {"uri": URI}, "range": range, "context": {"diagnostics": []}}),
    );
    let edits =
        actions["result"].as_array().unwrap().iter().flat_map(|a| a["edit"]["changes"][URI].as_array().unwrap());
    assert!(edits.clone().any(|edit| edit["newText"] == "AS"), "{actions}");
    assert_eq!(ask(&mut server, "shutdown", Value::Null)["result"], Value::Null);
    assert!(server.is_shut_down() && !server.is_done());
    server.handle(Message::Notification { method: "exit".to_owned(), params: Value::Null });
    assert!(server.is_done() && server.is_shut_down());
}

/// Asks about a document from its beginning to its end.
fn whole(text: &str, method: &str) -> Value {
    let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}});
    let params = json!({"textDocument": {"uri": URI}, "range": range, "positions": [{"line": 1, "character": 9}]});
    ask(&mut start(text, "utf-8"), &format!("textDocument/{method}"), params)["result"].take()
}

#[test]
fn hints_say_what_is_meant() {
    let text = "ARG V=1\nFROM a:${V} AS build\nFROM b:$V\nARG N\nENV W=\"x y\" E=$N\nCOPY --from=0 /${W:-z} $E ${W:+q}/$N\nRUN echo \\$V\n";
    let hints = whole(text, "inlayHint");
    let hint = |h: &Value| {
        (h["label"].as_str().unwrap().to_owned(), h["position"]["line"].clone(), h["position"]["character"].clone())
    };
    let hints: Vec<_> = hints.as_array().unwrap().iter().map(hint).collect();
    let expected = [("= 1", 1, 11), ("= 1", 2, 9), ("stage 1", 2, 9), ("= x y", 5, 22), ("= build", 5, 13)];
    assert_eq!(hints, expected.map(|(label, line, column)| (label.to_owned(), json!(line), json!(column))));
}

#[test]
fn stages_can_be_built_and_selections_grow() {
    let text = "FROM a AS b\nCOPY x /y/z /w\nFROM c\n";
    let lenses = whole(text, "codeLens");
    let commands: Vec<_> = lenses.as_array().unwrap().iter().map(|lens| lens["command"]["arguments"].clone()).collect();
    assert_eq!(commands, [json!([URI, "b"]), json!([URI])]);
    let mut grown = &whole(text, "selectionRange")[0];
    let mut ends = Vec::new();
    while grown.is_object() {
        ends.push((
            grown["range"]["start"]["character"].as_u64().unwrap(),
            grown["range"]["end"]["character"].as_u64().unwrap(),
        ));
        grown = &grown["parent"];
    }
    // Word, arguments, instruction, stage, file.
    assert_eq!(ends, [(7, 11), (5, 14), (0, 14), (0, 14), (0, 0)]);
}
