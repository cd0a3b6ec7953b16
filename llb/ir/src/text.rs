//! The text form of a graph.
//!
//! ```text
//! # Dockerfile:2: RUN make
//! %build.2 = exec ["make"] {
//!   cwd: "/src"
//!   mounts: [{dest: "/", input: %build.1, output: 0}]
//! }
//! root %build.2
//! ```
//!
//! Items are nodes (`%name = kind`, in the order of the graph), then texts and results. Behind the kind stands what matters
//! most of it, then everything else that does not have its default. A number sign begins a comment; commas are blanks;
//! `0o755` is octal.
//! Reading what was printed gives an equal graph.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use rbc_source::{Diagnostic, SourceFile, ir as codes};

use crate::tree::{Fault, Item, Said, Scope, Tree, Value, fault, node_item, read_item, root_item, text_item};
use crate::{Graph, Node, NodeId, Op};

/// A line is broken where it would be longer than this.
const WIDTH: usize = 100;

/// Lists and records may be nested this deep in a text; a graph needs four.
const MAX_DEPTH: usize = 32;

/// Names for the nodes of a graph, by their ids: stage and step where it is known who asked for a node, else something of
/// its op. They are distinct, and the same whenever the same graph is named.
pub fn names(graph: &Graph) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::with_capacity(graph.len());
    let mut next: HashMap<String, u32> = HashMap::new();
    let mut names = Vec::with_capacity(graph.len());
    for (_, node) in graph.iter() {
        let wanted = wanted_name(node);
        let mut name = wanted.clone();
        while !taken.insert(name.clone()) {
            let n = next.entry(wanted.clone()).or_insert(1);
            *n += 1;
            name = format!("{wanted}_{n}");
        }
        names.push(name);
    }
    names
}

fn wanted_name(node: &Node) -> String {
    let clean = |text: &str| text.replace(|c: char| !is_name(c), "_");
    if let Some(origin) = node.meta.origins.first()
        && let Some(stage) = &origin.stage
    {
        let target = origin.target.as_ref().map_or(String::new(), |t| clean(&t.name) + "/");
        return format!("{target}{}.{}", clean(&stage.name), origin.step);
    }
    match &node.op {
        // Of `docker-image://docker.io/library/alpine:3.20@sha256:...` the name is `alpine`.
        Op::Source(source) => {
            let path = source.identifier.split(['@', '#', '?']).next().unwrap_or_default();
            let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
            let name = clean(last.split(':').next().unwrap_or_default());
            if name.is_empty() { "source".to_owned() } else { name }
        }
        op => op.kind().to_owned(),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

/// Prints a graph. Above each node stand the lines of source that it comes from, as comments.
pub fn print(graph: &Graph) -> String {
    print_with(graph, &|_| None)
}

/// Like [`print()`], with a further comment of one line above each node for which `note` has one.
pub fn print_with(graph: &Graph, note: &dyn Fn(NodeId) -> Option<String>) -> String {
    let names = names(graph);
    let lines: Vec<Vec<&[u8]>> = graph.sources.iter().map(|t| t.data.split(|b| *b == b'\n').collect()).collect();
    let mut out = String::new();
    for (id, node) in graph.iter() {
        if id.0 > 0 {
            out.push('\n');
        }
        if let Some(note) = note(id) {
            let _ = writeln!(out, "# {}", one_line(&note));
        }
        for location in &node.meta.locations {
            let Some((text, lines)) =
                graph.sources.get(location.source as usize).zip(lines.get(location.source as usize))
            else {
                continue;
            };
            for line in location.ranges.iter().map(|r| r.start.line) {
                let at = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
                if let Some(shown) = at.and_then(|at| lines.get(at)) {
                    print_line(&text.filename, line, shown, &mut out);
                }
            }
        }
        let _ = write!(out, "%{} = ", names[id.index()]);
        print_item(&node_item(node, &names), &mut out);
    }
    let texts = graph.sources.iter().map(|text| text_item(text, &names));
    for item in texts.chain(graph.roots.iter().map(|root| root_item(root, &names))) {
        out.push('\n');
        print_item(&item, &mut out);
    }
    out
}

/// A line of a source text as a comment.
fn print_line(filename: &str, line: i32, shown: &[u8], out: &mut String) {
    let shown = String::from_utf8_lossy(shown);
    let _ = writeln!(out, "# {}:{line}: {}", one_line(filename), one_line(shown.trim_end()));
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}")
}

fn print_item(item: &Item, out: &mut String) {
    out.push_str(&item.kind);
    if let Some(main) = &item.main {
        out.push(' ');
        print_value(&main.value, 0, out);
    }
    if !item.fields.is_empty() {
        out.push(' ');
        let start = out.len();
        let used = start - out.rfind('\n').map_or(0, |at| at + 1);
        if !print_record(&item.fields, WIDTH.saturating_sub(used), out) {
            out.truncate(start);
            print_block("", &item.fields, 0, out);
        }
    }
    out.push('\n');
}

fn print_fields(fields: &[(String, Tree)], depth: usize, out: &mut String) {
    for (name, tree) in fields {
        indent(depth, out);
        print_key(name, out);
        match octal(name, &tree.value) {
            Some(mode) => out.push_str(&mode),
            None => print_value(&tree.value, depth, out),
        }
        out.push('\n');
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Prints a value on one line if it fits behind what the line has already, else its parts on lines of their own.
fn print_value(value: &Value, depth: usize, out: &mut String) {
    let start = out.len();
    let used = start - out.rfind('\n').map_or(0, |at| at + 1);
    let simple = !matches!(value, Value::List(_) | Value::Record(_) | Value::Tagged(..) | Value::Bytes(_));
    if print_short(value, if simple { usize::MAX } else { WIDTH.saturating_sub(used) }, out) {
        return;
    }
    out.truncate(start);
    match value {
        Value::List(values) => {
            out.push_str("[\n");
            for value in values {
                indent(depth + 1, out);
                print_value(&value.value, depth + 1, out);
                out.push('\n');
            }
            indent(depth, out);
            out.push(']');
        }
        Value::Record(fields) => print_block("", fields, depth, out),
        Value::Tagged(tag, fields) => print_block(tag, fields, depth, out),
        // A file is shown line by line.
        Value::Bytes(bytes) => {
            out.push_str("[\n");
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                indent(depth + 1, out);
                print_string(line, out);
                out.push('\n');
            }
            indent(depth, out);
            out.push(']');
        }
        Value::Nothing | Value::Word(_) | Value::Int(_) | Value::Str(_) | Value::Ref(..) => {}
    }
}

fn print_block(tag: &str, fields: &[(String, Tree)], depth: usize, out: &mut String) {
    out.push_str(tag);
    out.push_str(if tag.is_empty() { "{\n" } else { " {\n" });
    print_fields(fields, depth + 1, out);
    indent(depth, out);
    out.push('}');
}

/// Prints a value on one line; false, with the line begun, as soon as it takes more than `room` bytes.
fn print_short(value: &Value, room: usize, out: &mut String) -> bool {
    let start = out.len();
    let left = |out: &String| room.saturating_sub(out.len() - start);
    match value {
        Value::Nothing => out.push_str("none"),
        Value::Word(word) => out.push_str(word),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Str(text) => print_string(text.as_bytes(), out),
        Value::Bytes(bytes) => {
            if bytes.iter().position(|b| *b == b'\n').is_some_and(|at| at + 1 < bytes.len()) {
                return false;
            }
            print_string(bytes, out);
            return true;
        }
        Value::Ref(name, output) => {
            let _ = write!(out, "%{name}");
            if *output > 0 {
                let _ = write!(out, ":{output}");
            }
        }
        Value::List(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                if !print_short(&value.value, left(out), out) {
                    return false;
                }
            }
            out.push(']');
        }
        Value::Record(fields) | Value::Tagged(_, fields) => {
            if let Value::Tagged(tag, _) = value {
                out.push_str(tag);
                out.push(' ');
            }
            if !print_record(fields, left(out), out) {
                return false;
            }
        }
    }
    out.len() - start <= room
}

/// Like [`print_short`], for the fields of a record.
fn print_record(fields: &[(String, Tree)], room: usize, out: &mut String) -> bool {
    let start = out.len();
    out.push('{');
    for (at, (name, tree)) in fields.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        print_key(name, out);
        if let Some(mode) = octal(name, &tree.value) {
            out.push_str(&mode);
        } else if !print_short(&tree.value, room.saturating_sub(out.len() - start), out) {
            return false;
        }
    }
    out.push('}');
    out.len() - start <= room
}

fn print_key(name: &str, out: &mut String) {
    if is_word(name) {
        out.push_str(name)
    } else {
        print_string(name.as_bytes(), out)
    }
    out.push_str(": ");
}

/// Permission bits, as people write them.
fn octal(field: &str, value: &Value) -> Option<String> {
    match value {
        Value::Int(mode) if field == "mode" && *mode >= 0 => Some(format!("0o{mode:o}")),
        _ => None,
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Prints text in quotes. What is no text (bytes that are not UTF-8, control characters) is escaped byte by byte.
fn print_string(bytes: &[u8], out: &mut String) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| print_byte(b, out)),
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| print_byte(*b, out));
    }
    out.push('"');
}

fn print_byte(byte: u8, out: &mut String) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Reads the text form. The graph is as the text says; it is not verified.
///
/// # Errors
/// E0404, at the first thing that cannot be read.
pub fn parse(file: &SourceFile) -> Result<Graph, Box<Diagnostic>> {
    let mut reader = Reader { text: file.text(), at: 0 };
    reader.graph().map_err(|fault| {
        Box::new(Diagnostic::new(codes::GRAPH_TEXT, fault.message).at(file.span(fault.at.0, fault.at.1)))
    })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn graph(&mut self) -> Result<Graph, Fault> {
        let mut graph = Graph::new();
        let mut scope = Scope::new();
        loop {
            self.skip_blank();
            let start = self.at;
            let Some(c) = self.peek() else { return Ok(graph) };
            let mut name = None;
            if c == '%' {
                name = Some(self.name()?);
                self.skip_blank();
                self.expect('=')?;
                self.skip_blank();
            }
            let item = self.item()?;
            let at = (start, self.at);
            match (read_item(&item, at, &scope)?, name) {
                (Said::Node(node), Some(name)) => {
                    let id = graph.push(*node);
                    if scope.insert(name.to_owned(), id).is_some() {
                        return fault(at, format!("`%{name}` is defined twice"));
                    }
                }
                (Said::Text(text), None) => {
                    graph.add_source(text);
                }
                (Said::Root(root), None) => graph.roots.push(root),
                (Said::Node(_), None) => return fault(at, "a node needs a name: `%name = ...`"),
                (Said::Text(_) | Said::Root(_), Some(_)) => return fault(at, "only nodes have names"),
            }
        }
    }

    fn item(&mut self) -> Result<Item, Fault> {
        let start = self.at;
        let kind = self.word();
        if kind.is_empty() {
            return fault((start, start), "a node (`%name = ...`), `text` or `root` is needed here");
        }
        self.skip_blank();
        let main = match self.peek() {
            None | Some('{') => None,
            Some('%') if self.begins_node() => None,
            // The only word that is the value of an item is `none`; others begin the next item.
            Some('n') => {
                let start = self.at;
                let word = self.word().to_owned();
                Some(Tree { value: Value::Word(word), at: (start, self.at) })
            }
            Some('a'..='z') => None,
            Some(_) => Some(self.value(0)?),
        };
        self.skip_blank();
        let fields = if self.peek() == Some('{') { self.fields(0)? } else { Vec::new() };
        Ok(Item { kind: kind.to_owned(), main, fields })
    }

    /// Whether what comes next is `%name =`, the next item, and not the value of this one.
    fn begins_node(&self) -> bool {
        let mut ahead = Reader { text: self.text, at: self.at };
        ahead.name().is_ok() && {
            ahead.skip_blank();
            ahead.peek() == Some('=')
        }
    }

    fn value(&mut self, depth: usize) -> Result<Tree, Fault> {
        let start = self.at;
        let value = match self.peek() {
            Some('"') => {
                let bytes = self.string()?;
                String::from_utf8(bytes).map_or_else(|e| Value::Bytes(e.into_bytes()), Value::Str)
            }
            Some('%') => {
                let name = self.name()?.to_owned();
                let mut output = 0;
                if self.peek() == Some(':') {
                    self.at += 1;
                    let digits = self.take(|c| c.is_ascii_digit());
                    let Ok(n) = digits.parse() else {
                        return fault((start, self.at), "the number of an output is needed");
                    };
                    output = n;
                }
                Value::Ref(name, output)
            }
            Some('[') => {
                self.nest(depth)?;
                let mut values = Vec::new();
                loop {
                    self.skip_blank();
                    if self.peek() == Some(']') {
                        self.at += 1;
                        break Value::List(values);
                    }
                    values.push(self.value(depth + 1)?);
                }
            }
            Some('{') => Value::Record(self.fields(depth)?),
            Some('-' | '0'..='9') => {
                let digits = self.take(|c| c == '-' || c == 'o' || c.is_ascii_digit());
                let number = match digits.strip_prefix("0o") {
                    Some(digits) => i128::from_str_radix(digits, 8),
                    None => digits.parse(),
                };
                match number {
                    Ok(n) => Value::Int(n),
                    Err(_) => return fault((start, self.at), "this is not a whole number"),
                }
            }
            Some(c) if c.is_ascii_lowercase() => {
                let word = self.word().to_owned();
                let end = self.at;
                self.skip_blank();
                if self.peek() == Some('{') {
                    Value::Tagged(word, self.fields(depth)?)
                } else {
                    self.at = end;
                    Value::Word(word)
                }
            }
            _ => return fault((start, start), "a value is needed here"),
        };
        Ok(Tree { value, at: (start, self.at) })
    }

    fn nest(&mut self, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        if depth >= MAX_DEPTH { fault((self.at - 1, self.at), "this is nested too deep") } else { Ok(()) }
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Tree)>, Fault> {
        self.nest(depth)?;
        let mut fields = Vec::new();
        loop {
            self.skip_blank();
            let start = self.at;
            let name = match self.peek() {
                Some('}') => {
                    self.at += 1;
                    return Ok(fields);
                }
                Some('"') => match String::from_utf8(self.string()?) {
                    Ok(name) => name,
                    Err(_) => return fault((start, self.at), "a name must be UTF-8"),
                },
                Some(c) if c.is_ascii_lowercase() => self.word().to_owned(),
                _ => return fault((start, start), "a field (`name: value`) or `}` is needed here"),
            };
            self.skip_blank();
            self.expect(':')?;
            self.skip_blank();
            fields.push((name, self.value(depth + 1)?));
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let start = self.at;
        let mut bytes = Vec::new();
        let mut chars = self.text[self.at + 1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + 1 + at + 1;
                    return Ok(bytes);
                }
                '\\' => {}
                c => {
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            }
            let byte = match chars.next().map(|(_, c)| c) {
                Some(c @ ('"' | '\\')) => Some(c as u8),
                Some('n') => Some(b'\n'),
                Some('t') => Some(b'\t'),
                Some('r') => Some(b'\r'),
                Some('x') => {
                    let mut digit = || chars.next().and_then(|(_, c)| c.to_digit(16));
                    digit().zip(digit()).map(|(high, low)| (high * 16 + low) as u8)
                }
                _ => None,
            };
            match byte {
                Some(byte) => bytes.push(byte),
                None => {
                    let at = (start + 1 + at, start + 1 + chars.offset());
                    return fault(
                        at,
                        "the escapes are `\\n`, `\\t`, `\\r`, `\\\"`, `\\\\` and `\\x` with two hexadecimal digits",
                    );
                }
            }
        }
        fault((start, self.text.len()), "the closing quote is missing")
    }

    /// A name with its percent sign, which is not part of what is returned.
    fn name(&mut self) -> Result<&'t str, Fault> {
        let start = self.at;
        self.at += 1;
        let name = self.take(is_name);
        if name.is_empty() { fault((start, self.at), "a name is needed behind `%`") } else { Ok(name) }
    }

    fn word(&mut self) -> &'t str {
        self.take(|c| c.is_ascii_lowercase() || c == '_')
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let taken = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    fn expect(&mut self, c: char) -> Result<(), Fault> {
        if self.peek() != Some(c) {
            return fault((self.at, self.at), format!("`{c}` is needed here"));
        }
        self.at += c.len_utf8();
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip_blank(&mut self) {
        loop {
            self.take(|c| c.is_whitespace() || c == ',');
            if self.peek() != Some('#') {
                return;
            }
            self.take(|c| c != '\n');
        }
    }
}
