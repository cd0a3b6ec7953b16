//! The server's state and the methods it knows.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use rbc_grammar::Document;
use rbc_source::{Diagnostic, FileId, SourceFile};
use serde_json::{Value, json};

use crate::bake;
use crate::check::{Check, TextCheck};
use crate::features::{
    commands, completion, diagnostics, folding, format, hints, hover, lenses, links, rename, selection, signature,
    symbols, tokens, typing,
};
use crate::message::{Failure, Message, object};
use crate::names;
use crate::syntax::Syntax;
use crate::text::{Encoding, Position, Text};

/// How a server is to be.
pub struct Options {
    /// Who finds what is wrong.
    pub check: Box<dyn Check>,
}

impl Default for Options {
    fn default() -> Self {
        Options { check: Box::new(TextCheck::default()) }
    }
}

/// A language server for one client.
pub struct Server {
    check: RefCell<Box<dyn Check>>,
    client: Client,
    stage: Stage,
    documents: BTreeMap<String, Opened>,
}

/// How far the session is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    ShutDown,
    /// Done; whether in order.
    Done(bool),
}

/// What the client can do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub encoding: Encoding,
    pub snippets: bool,
    /// It asks for diagnostics.
    pub pulls: bool,
    /// It can be told to ask for them again.
    pub refreshes: bool,
    /// It can be asked to watch files.
    pub watches: bool,
    pub whole_lines: bool,
    pub folding_limit: Option<usize>,
    pub markdown: bool,
}

struct Opened {
    text: Text,
    version: Value,
    is_bake: bool,
    /// What is wrong in this text, once somebody asked.
    found: OnceCell<Vec<Diagnostic>>,
}

/// The files around a document on which diagnostics depend.
const WATCHED: &str = "**/{rbc.toml,.hadolint.yaml,.hadolint.yml,.dockerignore,*.dockerignore}";

type Answer = Result<Value, Failure>;

impl Server {
    /// A server that was not spoken to yet.
    pub fn new(options: Options) -> Self {
        let check = RefCell::new(options.check);
        Server { check, client: Client::default(), stage: Stage::New, documents: BTreeMap::new() }
    }

    /// Whether the client said `exit`.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    /// Whether the client said `shutdown`, and so ended the session in order.
    pub fn is_shut_down(&self) -> bool {
        matches!(self.stage, Stage::ShutDown | Stage::Done(true))
    }

    /// Takes a message and gives what is to be sent.
    pub fn handle(&mut self, message: Message) -> Vec<Message> {
        match message {
            Message::Request { id, method, params } => {
                vec![Message::Response { id, result: self.request(&method, &params) }]
            }
            Message::Notification { method, params } => self.notification(&method, &params),
            Message::Response { .. } => Vec::new(),
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> Answer {
        let refuse = |code, message: &str| Err(Failure { code, message: message.to_owned() });
        match (method, self.stage) {
            ("initialize", Stage::New) => Ok(self.initialize(params)),
            ("initialize", _) => refuse(Failure::INVALID_REQUEST, "the session is initialized already"),
            (_, Stage::New) => refuse(Failure::NOT_INITIALIZED, "the session is not initialized yet"),
            (_, Stage::ShutDown | Stage::Done(_)) => refuse(Failure::INVALID_REQUEST, "the session is shut down"),
            ("shutdown", Stage::Running) => {
                self.stage = Stage::ShutDown;
                Ok(Value::Null)
            }
            _ => self.query(method, params),
        }
    }

    fn notification(&mut self, method: &str, params: &Value) -> Vec<Message> {
        if method == "exit" {
            self.stage = Stage::Done(self.stage == Stage::ShutDown);
            return Vec::new();
        }
        if self.stage != Stage::Running {
            return Vec::new();
        }
        match method {
            "initialized" if self.client.watches => vec![request(
                "rbc-watch",
                "client/registerCapability",
                json!({"registrations": [{
                    "id": "watch",
                    "method": "workspace/didChangeWatchedFiles",
                    "registerOptions": {"watchers": [{"globPattern": WATCHED}]},
                }]}),
            )],
            "workspace/didChangeWatchedFiles" | "workspace/didChangeConfiguration" | "textDocument/didSave" => {
                self.reload()
            }
            _ => self.synchronize(method, params).into_iter().collect(),
        }
    }

    /// Files have changed: everything is looked at again.
    fn reload(&mut self) -> Vec<Message> {
        self.check.get_mut().reload();
        for opened in self.documents.values_mut() {
            opened.found.take();
        }
        match (self.client.pulls, self.client.refreshes) {
            (true, true) => vec![request("rbc-refresh", "workspace/diagnostic/refresh", Value::Null)],
            (true, false) => Vec::new(),
            (false, _) => self.documents.keys().filter_map(|uri| self.publish(uri)).collect(),
        }
    }

    fn synchronize(&mut self, method: &str, params: &Value) -> Option<Message> {
        let document = params.get("textDocument")?;
        let uri = document.get("uri")?.as_str()?;
        let version = document.get("version").cloned().unwrap_or_default();
        match method {
            "textDocument/didOpen" => {
                let text = document.get("text")?.as_str()?.to_owned();
                let text = Text::new(text, self.client.encoding);
                let is_bake = bake::is_bake(uri);
                self.documents.insert(uri.to_owned(), Opened { text, version, is_bake, found: OnceCell::new() });
                self.publish(uri)
            }
            "textDocument/didChange" => {
                let opened = self.documents.get_mut(uri)?;
                opened.version = version;
                for change in params.get("contentChanges")?.as_array()? {
                    opened.text.change(change);
                }
                opened.found.take();
                self.publish(uri)
            }
            "textDocument/didClose" => {
                self.documents.remove(uri)?;
                self.check.get_mut().forget(uri);
                (!self.client.pulls).then(|| published(uri, Value::Null, json!([])))
            }
            _ => None,
        }
    }

    /// What is wrong in a document.
    fn found<'o>(&self, uri: &str, opened: &'o Opened) -> &'o [Diagnostic] {
        opened.found.get_or_init(|| {
            let file = SourceFile::new(FileId(0), "", opened.text.as_str());
            self.check.borrow_mut().check(uri, &file)
        })
    }

    /// Diagnostics for a client that does not ask for them.
    fn publish(&self, uri: &str) -> Option<Message> {
        let opened = self.documents.get(uri).filter(|_| !self.client.pulls)?;
        let found = diagnostics::all(self.found(uri, opened), &opened.text, uri);
        Some(published(uri, opened.version.clone(), found))
    }

    fn initialize(&mut self, params: &Value) -> Value {
        let has = |path: &str| params.pointer(&format!("/capabilities/{path}"));
        let flag = |path: &str| has(path).and_then(Value::as_bool).unwrap_or(false);
        let offers = |path: &str, value: &str| {
            has(path).and_then(Value::as_array).is_some_and(|list| list.iter().any(|v| v == value))
        };
        self.client = Client {
            encoding: match offers("general/positionEncodings", "utf-8") {
                true => Encoding::Utf8,
                false => Encoding::Utf16,
            },
            snippets: flag("textDocument/completion/completionItem/snippetSupport"),
            pulls: has("textDocument/diagnostic").is_some(),
            refreshes: flag("workspace/diagnostics/refreshSupport"),
            watches: flag("workspace/didChangeWatchedFiles/dynamicRegistration"),
            whole_lines: flag("textDocument/foldingRange/lineFoldingOnly"),
            folding_limit: has("textDocument/foldingRange/rangeLimit")
                .and_then(Value::as_f64)
                .map(|limit| limit.clamp(0.0, 1e6) as usize),
            markdown: offers("textDocument/hover/contentFormat", "markdown"),
        };
        self.stage = Stage::Running;
        let mut capabilities = json!({
            "positionEncoding": match self.client.encoding { Encoding::Utf8 => "utf-8", Encoding::Utf16 => "utf-16" },
            "textDocumentSync": {"openClose": true, "change": 2, "save": true},
            "completionProvider": {"triggerCharacters": ["$", "{", "-", "=", ",", " "]},
            "hoverProvider": true,
            "signatureHelpProvider": {"triggerCharacters": [" ", "=", ",", "["]},
            "definitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "codeActionProvider": {"codeActionKinds": ["quickfix"]},
            "documentLinkProvider": {"resolveProvider": false},
            "documentFormattingProvider": true,
            "documentRangeFormattingProvider": true,
            "documentOnTypeFormattingProvider": {"firstTriggerCharacter": "\\", "moreTriggerCharacter": ["`"]},
            "selectionRangeProvider": true,
            "workspace": {"workspaceFolders": {"supported": true, "changeNotifications": false}},
            "inlayHintProvider": true,
            "codeLensProvider": {"resolveProvider": false},
            "executeCommandProvider": {"commands": commands::names()},
            "renameProvider": {"prepareProvider": true},
            "foldingRangeProvider": true,
            "semanticTokensProvider": {
                "legend": {"tokenTypes": tokens::TYPES, "tokenModifiers": tokens::MODIFIERS},
                "full": true,
            },
        });
        if self.client.pulls {
            capabilities["diagnosticProvider"] = json!({"interFileDependencies": false, "workspaceDiagnostics": false});
        }
        json!({
            "capabilities": capabilities,
            "serverInfo": {"name": "rbc", "version": env!("CARGO_PKG_VERSION")},
        })
    }

    fn query(&self, method: &str, params: &Value) -> Answer {
        if method == "workspace/executeCommand" {
            let message = "there is no such command, or it takes other arguments".to_owned();
            return commands::run(params).ok_or(Failure { code: Failure::INVALID_PARAMS, message });
        }
        let Some(name) = method.strip_prefix("textDocument/") else { return unknown(method) };
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str).unwrap_or_default();
        let Some(opened) = self.documents.get(uri) else {
            let message = format!("the document {uri} is not open");
            return Err(Failure { code: Failure::INVALID_PARAMS, message });
        };
        let text = &opened.text;
        // These need no more than what was found already.
        match name {
            "diagnostic" => {
                let items = diagnostics::all(self.found(uri, opened), text, uri);
                return Ok(object([("kind", "full".into()), ("items", items)]));
            }
            "codeAction" => return Ok(diagnostics::actions(self.found(uri, opened), text, uri, params)),
            _ if opened.is_bake => return bake::query(name, text, uri, params).unwrap_or_else(|| unknown(method)),
            _ => {}
        }
        let document = Document::parse(text.as_str());
        let syntax = Syntax::new(&document);
        let position = params.get("position").and_then(Position::read);
        let offset = position.map_or(0, |position| text.offset(position));
        let location = |range| json!({"uri": uri, "range": text.range(range)});
        Ok(match name {
            "completion" => completion::items(&syntax, text, offset, self.client.snippets),
            "hover" => hover::at(&syntax, text, offset, self.client.markdown),
            "signatureHelp" => signature::at(&syntax, offset),
            "definition" => {
                let name = names::find(&syntax, offset);
                name.and_then(|name| name.declared.first().cloned()).map_or(Value::Null, location)
            }
            "references" => {
                let declaration = params.pointer("/context/includeDeclaration").and_then(Value::as_bool) != Some(false);
                let name = names::find(&syntax, offset);
                let places = name.map(|name| match declaration {
                    true => [name.declared, name.used].concat(),
                    false => name.used,
                });
                places.unwrap_or_default().into_iter().map(location).collect()
            }
            "documentHighlight" => names::highlights(&syntax, text, offset),
            "prepareRename" => names::find(&syntax, offset).map_or(Value::Null, |name| text.range(name.at)),
            "rename" => rename::edits(&syntax, text, uri, offset, params)?,
            "documentSymbol" => symbols::all(&syntax, text),
            "foldingRange" => folding::ranges(&document, text, &self.client),
            "semanticTokens/full" => tokens::all(&syntax, text),
            "documentLink" => links::all(&syntax, text),
            "formatting" => format::all(text, params),
            "rangeFormatting" => format::range(text, params),
            "onTypeFormatting" => typing::edits(&syntax, text, offset, params),
            "selectionRange" => selection::ranges(&syntax, text, params),
            "inlayHint" => hints::all(&syntax, text, params),
            "codeLens" => lenses::all(&syntax, text, uri),
            _ => return unknown(method),
        })
    }
}

fn unknown(method: &str) -> Answer {
    Err(Failure { code: Failure::METHOD_NOT_FOUND, message: format!("there is no method {method}") })
}

fn request(id: &str, method: &str, params: Value) -> Message {
    Message::Request { id: id.into(), method: method.to_owned(), params }
}

fn published(uri: &str, version: Value, diagnostics: Value) -> Message {
    let mut params = object([("uri", uri.into()), ("diagnostics", diagnostics)]);
    if version.is_number() {
        params["version"] = version;
    }
    Message::Notification { method: "textDocument/publishDiagnostics".to_owned(), params }
}
