//! The JSON syntax: objects as bodies, their properties as arguments or, where the schema says so, blocks; strings as
//! templates.
//!
//! See HCL's JSON syntax specification. Numbers keep all their digits, keys of bodies named `//` are comments, and a block
//! may be written as an object or as an array of objects, at every level of its labels.

use crate::ast::{Attribute, Block, Body, Expr, ExprKind, Item, Label, is_identifier};
use crate::native::Place;
use crate::value::normalized;
use crate::{Number, Value, syntax};
use rbc_source::{Diagnostic, Parsed, SourceFile, Span, hcl as codes};
use std::sync::Arc;

/// Which properties of a body are blocks.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Block kinds.
    pub blocks: &'static [BlockSchema],
}

/// A kind of block.
#[derive(Clone, Copy, Debug)]
pub struct BlockSchema {
    /// Its kind.
    pub kind: &'static str,
    /// How many labels it has.
    pub labels: usize,
    /// What is in it.
    pub body: Schema,
}

/// Deeper nesting than this is refused: trees are walked recursively.
const DEEPEST: usize = 64;

/// A JSON value with its place.
struct Node {
    span: Span,
    kind: NodeKind,
}

enum NodeKind {
    Null,
    Bool(bool),
    Number(Number),
    String(Text),
    Array(Vec<Node>),
    Object(Vec<Property>),
}

struct Property {
    name: Text,
    value: Node,
}

/// A string: its text, and where the parts of the text are written.
struct Text {
    text: String,
    span: Span,
    runs: Vec<(usize, usize)>,
}

/// Parses a file of the JSON syntax.
pub fn parse(file: &SourceFile, schema: &Schema) -> Parsed<Body> {
    let mut reader = Reader { file, text: file.text(), at: 0 };
    let mut diagnostics = Vec::new();
    let body = match reader.document() {
        Ok(root) => {
            let mut shape = Shape { diagnostics: &mut diagnostics };
            shape.body(root, schema)
        }
        Err(problem) => {
            diagnostics.push(*problem);
            Body::default()
        }
    };
    Parsed { value: body, diagnostics }
}

type Read<T> = Result<T, Box<Diagnostic>>;

struct Reader<'f> {
    file: &'f SourceFile,
    text: &'f str,
    at: usize,
}

impl Reader<'_> {
    fn problem(&self, message: impl Into<String>, start: usize, end: usize) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(codes::JSON_SYNTAX, message).at(self.file.span(start, end)))
    }

    fn here(&self, message: impl Into<String>) -> Box<Diagnostic> {
        let end = self.text[self.at..].chars().next().map_or(self.at, |c| self.at + c.len_utf8());
        self.problem(message, self.at, end)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn document(&mut self) -> Read<Node> {
        if self.text.starts_with('\u{feff}') {
            self.at = 3;
        }
        let root = self.value(0)?;
        self.space();
        if self.at < self.text.len() {
            return Err(Box::new((*self.here("nothing may follow the value")).note("a JSON file holds one object")));
        }
        Ok(root)
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        self.space();
        let start = self.at;
        if depth > DEEPEST {
            let end = (start + 1).min(self.text.len());
            let limit = Diagnostic::new(codes::LIMIT, format!("more than {DEEPEST} levels of nesting"));
            return Err(Box::new(limit.at(self.file.span(start, end))));
        }
        let kind = match self.byte() {
            None => return Err(self.here("a value is expected, but the file ends")),
            Some(b'{') => NodeKind::Object(self.object(depth)?),
            Some(b'[') => NodeKind::Array(self.array(depth)?),
            Some(b'"') => NodeKind::String(self.string()?),
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => NodeKind::Number(self.number()?),
            Some(b'a'..=b'z' | b'A'..=b'Z') => {
                let length =
                    self.text[start..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.text.len() - start);
                self.at += length;
                match &self.text[start..self.at] {
                    "null" => NodeKind::Null,
                    "true" => NodeKind::Bool(true),
                    "false" => NodeKind::Bool(false),
                    other => {
                        let problem = self.problem(format!("`{other}` is no JSON value"), start, self.at);
                        return Err(Box::new(
                            (*problem)
                                .note("JSON knows the words `true`, `false` and `null`; write a text in double quotes")
                                .suggest(other, ["true", "false", "null"]),
                        ));
                    }
                }
            }
            Some(b'}' | b']' | b',') => {
                let problem = self.here("a value is expected here");
                return Err(Box::new((*problem).note("JSON allows no comma behind the last element")));
            }
            Some(_) => {
                let problem = self.here("a value is expected here");
                return Err(Box::new(
                    (*problem).note("a value begins with `{`, `[`, `\"`, a digit, `true`, `false` or `null`"),
                ));
            }
        };
        Ok(Node { span: self.file.span(start, self.at), kind })
    }

    fn object(&mut self, depth: usize) -> Read<Vec<Property>> {
        let open = self.at;
        self.at += 1;
        let mut properties = Vec::new();
        self.space();
        if self.byte() == Some(b'}') {
            self.at += 1;
            return Ok(properties);
        }
        loop {
            self.space();
            match self.byte() {
                Some(b'"') => {}
                None => return Err(self.unclosed(open, '}')),
                Some(b'}') => {
                    return Err(Box::new(
                        (*self.here("a property is expected here"))
                            .note("JSON allows no comma behind the last property"),
                    ));
                }
                Some(_) => {
                    return Err(Box::new(
                        (*self.here("a property name is expected here")).note("write property names in double quotes"),
                    ));
                }
            }
            let name = self.string()?;
            self.space();
            match self.byte() {
                Some(b':') => self.at += 1,
                Some(b'=') => {
                    return Err(Box::new(
                        (*self.here("a property is set with `:`")).note("`=` belongs to HCL's native syntax"),
                    ));
                }
                _ => return Err(self.here("`:` is expected behind a property name")),
            }
            let value = self.value(depth + 1)?;
            properties.push(Property { name, value });
            self.space();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(properties);
                }
                None => return Err(self.unclosed(open, '}')),
                Some(_) => return Err(self.here("`,` or `}` is expected behind a property")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Read<Vec<Node>> {
        let open = self.at;
        self.at += 1;
        let mut elements = Vec::new();
        self.space();
        if self.byte() == Some(b']') {
            self.at += 1;
            return Ok(elements);
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.space();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(elements);
                }
                None => return Err(self.unclosed(open, ']')),
                Some(_) => return Err(self.here("`,` or `]` is expected behind an element")),
            }
        }
    }

    fn unclosed(&self, open: usize, close: char) -> Box<Diagnostic> {
        let opened = &self.text[open..open + 1];
        let problem = Diagnostic::new(codes::JSON_SYNTAX, format!("this `{opened}` is not closed"));
        Box::new(problem.labelled(self.file.span(open, open + 1), format!("no `{close}` matches it")))
    }

    fn number(&mut self) -> Read<Number> {
        let start = self.at;
        let part = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
        while self.byte().is_some_and(part) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit());
        let open_end = digits.ends_with('.') || digits.contains(".e") || digits.contains(".E");
        let well_formed = digits.starts_with(|c: char| c.is_ascii_digit()) && !leading_zero && !open_end;
        match Number::parse(text).filter(|_| well_formed) {
            Some(number) => Ok(number),
            None => Err(self.problem(format!("`{text}` is no number"), start, self.at)),
        }
    }

    fn string(&mut self) -> Read<Text> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        let mut runs = vec![(0, self.at)];
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['"', '\\', '\n']).unwrap_or(rest.len());
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text { text, span: self.file.span(start, self.at), runs });
                }
                Some(b'\\') => {
                    self.escape(&mut text)?;
                    runs.push((text.len(), self.at));
                }
                _ => {
                    let problem = Diagnostic::new(codes::JSON_SYNTAX, "this text is not closed");
                    return Err(Box::new(
                        problem.labelled(self.file.span(start, self.at), "it begins here and the line ends within it"),
                    ));
                }
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Read<()> {
        let start = self.at;
        let plain = match self.text.as_bytes().get(start + 1) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'u') => {
                let unit = |at: usize| self.text.get(at..at + 4).and_then(|h| u16::from_str_radix(h, 16).ok());
                let Some(first) = unit(start + 2) else {
                    return Err(self.problem("`\\u` is followed by four hexadecimal digits", start, start + 2));
                };
                let second = self.text.get(start + 6..start + 8).filter(|s| *s == "\\u").and_then(|_| unit(start + 8));
                let (c, length) = match char::decode_utf16([Some(first), second].into_iter().flatten()).next() {
                    Some(Ok(c)) => (c, if c.len_utf16() == 2 { 12 } else { 6 }),
                    _ => (char::REPLACEMENT_CHARACTER, 6),
                };
                text.push(c);
                self.at = start + length;
                return Ok(());
            }
            _ => {
                let end = self.text[start + 1..].chars().next().map_or(start + 1, |c| start + 1 + c.len_utf8());
                return Err(self.problem("this is no escape sequence of JSON", start, end));
            }
        };
        text.push(plain);
        self.at = start + 2;
        Ok(())
    }
}

/// Gives JSON values the shape of bodies, blocks and expressions.
struct Shape<'d> {
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Shape<'_> {
    fn wrong(&mut self, span: Span, message: String) {
        self.diagnostics.push(Diagnostic::new(codes::JSON_SYNTAX, message).at(span));
    }

    /// The properties of an object, or of all objects of an array.
    fn properties(&mut self, node: Node, what: &str) -> Vec<Property> {
        match node.kind {
            NodeKind::Null => Vec::new(),
            NodeKind::Object(properties) => properties,
            NodeKind::Array(elements) => {
                let mut all = Vec::new();
                for element in elements {
                    match element.kind {
                        NodeKind::Object(properties) => all.extend(properties),
                        _ => self.wrong(element.span, format!("an object is expected here, {what}")),
                    }
                }
                all
            }
            _ => {
                self.wrong(node.span, format!("an object or an array of objects is expected here, {what}"));
                Vec::new()
            }
        }
    }

    fn body(&mut self, node: Node, schema: &Schema) -> Body {
        let mut body = Body::default();
        for Property { name, value } in self.properties(node, "with arguments and blocks") {
            if name.text == "//" {
                continue;
            }
            match schema.blocks.iter().find(|b| b.kind == name.text) {
                Some(block) => self.block(block, &name, value, &mut Vec::new(), &mut body.blocks),
                None => {
                    if let Some(first) = body.attributes.iter().find(|a| *a.name == *name.text) {
                        let problem = Diagnostic::new(codes::JSON_SYNTAX, format!("`{}` is already set", name.text));
                        self.diagnostics.push(problem.at(name.span).also(first.name_span, "first set here"));
                        continue;
                    }
                    body.attributes.push(Attribute {
                        name: normalized(&name.text).as_ref().into(),
                        name_span: name.span,
                        value: expression(value),
                    });
                }
            }
        }
        body
    }

    fn block(&mut self, schema: &BlockSchema, kind: &Text, node: Node, labels: &mut Vec<Label>, out: &mut Vec<Block>) {
        if labels.len() < schema.labels {
            let span = node.span;
            let properties = self.properties(node, &format!("whose names are labels of `{}`", schema.kind));
            if properties.is_empty() {
                self.wrong(
                    span,
                    format!("a `{}` needs a name: {{\"{}\": {{\"name\": ...}}}}", schema.kind, schema.kind),
                );
            }
            for Property { name, value } in properties {
                labels.push(Label { text: normalized(&name.text).as_ref().into(), span: name.span });
                self.block(schema, kind, value, labels, out);
                labels.pop();
            }
            return;
        }
        let mut add = |shape: &mut Self, node: Node| {
            let span = node.span;
            let body = shape.body(node, &schema.body);
            out.push(Block {
                kind: schema.kind.into(),
                kind_span: kind.span,
                labels: labels.clone(),
                body,
                span: labels.last().map_or(span, |l| l.span.join(span)),
            });
        };
        match node.kind {
            NodeKind::Null => {}
            NodeKind::Object(_) => add(self, node),
            NodeKind::Array(elements) => {
                for element in elements {
                    add(self, element);
                }
            }
            _ => self.wrong(node.span, format!("an object is expected here, the content of a `{}`", schema.kind)),
        }
    }
}

fn expression(node: Node) -> Expr {
    let kind = match node.kind {
        NodeKind::Null => ExprKind::Literal(Value::null()),
        NodeKind::Bool(value) => ExprKind::Literal(Value::Bool(value)),
        NodeKind::Number(number) => ExprKind::Literal(Value::number(number)),
        NodeKind::String(text) => return text_expression(text),
        NodeKind::Array(elements) => ExprKind::Tuple(elements.into_iter().map(expression).collect()),
        NodeKind::Object(properties) => ExprKind::Object(
            properties
                .into_iter()
                .map(|p| Item { key: text_expression(p.name), unique: true, value: expression(p.value) })
                .collect(),
        ),
    };
    Expr::new(node.span, kind)
}

fn text_expression(text: Text) -> Expr {
    let plain = !text.text.contains("${") && !text.text.contains("%{");
    let template = if plain {
        Expr::new(text.span, ExprKind::Literal(Value::string(&text.text)))
    } else {
        syntax::parse_template(&text.text, Place::Runs(text.span.file, text.runs.into()))
    };
    if plain && !could_be_code(&text.text) {
        return template;
    }
    Expr::new(text.span, ExprKind::Quoted { text: text.text.into(), template: Box::new(template) })
}

/// Whether a string without interpolation may be meant as a keyword, a call or a reference somewhere.
fn could_be_code(text: &str) -> bool {
    is_identifier(text) || text.ends_with(')') || text.contains('.')
}

/// The text of a JSON string as an expression of the native syntax, for places that want a keyword, a call or a reference.
pub(crate) fn as_code(text: &Arc<str>, span: Span) -> Expr {
    syntax::parse_expression(text, Place::Shifted(span.file, span.start as usize + 1))
}

/// Plain data: JSON without places and templates.
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Data>),
    Object(Vec<(String, Data)>),
}

impl Data {
    /// For messages.
    pub fn name(&self) -> &'static str {
        match self {
            Data::Null => "null",
            Data::Bool(_) => "a bool",
            Data::Number(_) => "a number",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Object(_) => "an object",
        }
    }
}

/// Reads a text as JSON data.
pub(crate) fn read_data(text: &str) -> Result<Data, String> {
    fn data(node: Node) -> Data {
        match node.kind {
            NodeKind::Null => Data::Null,
            NodeKind::Bool(value) => Data::Bool(value),
            NodeKind::Number(number) => Data::Number(number),
            NodeKind::String(text) => Data::Text(text.text),
            NodeKind::Array(elements) => Data::List(elements.into_iter().map(data).collect()),
            NodeKind::Object(properties) => {
                Data::Object(properties.into_iter().map(|p| (p.name.text, data(p.value))).collect())
            }
        }
    }
    let file = SourceFile::new(rbc_source::FileId(0), "", text);
    let root = Reader { file: &file, text, at: 0 }.document().map_err(|problem| {
        let at = problem.primary.as_ref().map_or(0, |l| l.span.start);
        format!("it is not JSON: {} (at byte {at})", problem.message)
    })?;
    Ok(data(root))
}
