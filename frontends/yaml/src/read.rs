//! YAML to values: documents, anchors, merge keys and tags, with plain scalars as compose's reader resolves them.

use crate::node::{Data, Entries, Entry, Mark, Node, Text};
use rbc_source::{Code, Diagnostic, SourceFile, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::HashMap;

/// Lists and mappings within one another at most.
const DEEPEST: usize = 100;
/// Values of one file at most, with all that aliases repeat.
const MOST_VALUES: usize = 1_000_000;

/// Where the values of a file are.
#[derive(Clone, Copy)]
pub enum Place<'f> {
    /// Where they are written.
    File(&'f SourceFile),
    /// The driver does not know the file: where it is named, and its path.
    Named(Span, &'f str),
}

impl Place<'_> {
    fn fault(&self, code: &'static Code, span: Span, line: usize, message: String) -> Box<Diagnostic> {
        let problem = Diagnostic::new(code, message).at(span);
        Box::new(match self {
            Place::File(_) => problem,
            Place::Named(_, path) => problem.note(format!("in line {line} of `{path}`")),
        })
    }
}

/// Characters to bytes.
struct Offsets(Option<Vec<u32>>);

impl Offsets {
    fn new(text: &str) -> Self {
        Offsets((!text.is_ascii()).then(|| text.char_indices().map(|(i, _)| i as u32).collect()))
    }

    fn byte(&self, index: usize, text: &str) -> usize {
        match &self.0 {
            None => index.min(text.len()),
            Some(offsets) => offsets.get(index).map_or(text.len(), |b| *b as usize),
        }
    }
}

/// A list or mapping that is being read.
struct Open {
    start: usize,
    anchor: usize,
    mark: Mark,
    size: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Entries, merges: Vec<Node>, key: Option<Key> },
}

/// A key whose value is still to come.
enum Key {
    Name(Text, Span),
    Merge,
}

struct Reader<'f> {
    text: &'f str,
    place: Place<'f>,
    code: &'static Code,
    offsets: Offsets,
    open: Vec<Open>,
    /// Values with anchors, and how many values they hold.
    anchors: HashMap<usize, (Node, usize)>,
    values: usize,
    documents: Vec<Node>,
}

/// Reads all documents of a file. Faults have the code that is given.
///
/// # Errors
/// It is no YAML, or passes a limit.
pub fn read(text: &str, place: Place<'_>, code: &'static Code) -> Result<Vec<Node>, Box<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        text,
        place,
        code,
        offsets: Offsets::new(text),
        open: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        documents: Vec::new(),
    };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => reader.take(event, span)?,
            Err(error) => {
                let marker = error.marker();
                let start = reader.offsets.byte(marker.index(), text);
                let end = text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
                let span = reader.span(start, end);
                return Err(place.fault(code, span, marker.line(), format!("this is no YAML: {}", error.info())));
            }
        }
    }
    Ok(reader.documents)
}

impl<'f> Reader<'f> {
    /// The places of a file that starts with a byte order mark are counted from behind that.
    fn span(&self, start: usize, end: usize) -> Span {
        match self.place {
            Place::File(file) => {
                let skipped = file.text().len() - self.text.len();
                file.span(start + skipped, end + skipped)
            }
            Place::Named(span, _) => span,
        }
    }

    fn fault(&self, start: usize, end: usize, message: impl Into<String>) -> Box<Diagnostic> {
        let line = self.text[..start].bytes().filter(|b| *b == b'\n').count() + 1;
        self.place.fault(self.code, self.span(start, end), line, message.into())
    }

    fn take(&mut self, event: Event<'f>, span: saphyr_parser::Span) -> Result<(), Box<Diagnostic>> {
        let start = self.offsets.byte(span.start.index(), self.text);
        let end = self.offsets.byte(span.end.index(), self.text).max(start);
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id) else {
                    return Err(self.fault(start, end, "this alias stands within what it repeats"));
                };
                let (node, size) = (node.clone(), *size);
                self.put(node, size, start, end)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let mark = mark(tag.as_deref());
                let plain = style == ScalarStyle::Plain;
                if plain && tag.is_none() && text == "<<" && self.expects_key() {
                    return self.merge_key(start, end);
                }
                let data = match scalar(&text, plain, tag.as_deref()) {
                    Ok(data) => data,
                    Err(message) => return Err(self.fault(start, end, message)),
                };
                let node = Node { span: self.span(start, end), data, mark };
                if anchor > 0 {
                    self.anchors.insert(anchor, (node.clone(), 1));
                }
                self.put(node, 1, start, end)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(start, end, anchor, tag.as_deref(), Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Entries::new(), merges: Vec::new(), key: None };
                self.open(start, end, anchor, tag.as_deref(), content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn merge_key(&mut self, start: usize, end: usize) -> Result<(), Box<Diagnostic>> {
        if let Some(Open { content: Content::Map { merges, key, .. }, .. }) = self.open.last_mut() {
            if !merges.is_empty() {
                return Err(self.fault(start, end, "the key `<<` comes twice; write `<<: [*a, *b]`"));
            }
            *key = Some(Key::Merge);
        }
        Ok(())
    }

    fn open(
        &mut self,
        start: usize,
        end: usize,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Box<Diagnostic>> {
        if self.open.len() >= DEEPEST {
            return Err(self.fault(start, end, format!("more than {DEEPEST} levels of nesting")));
        }
        if self.expects_key() {
            return Err(self.fault(start, end, "a key must be a text"));
        }
        self.open.push(Open { start, anchor, mark: mark(tag), size: 1, content });
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), Box<Diagnostic>> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        // The end of a block is found where the next thing begins.
        let end = self.text[..end].trim_end().len().max(open.start);
        let data = match open.content {
            Content::List(list) => Data::List(list),
            Content::Map { mut entries, merges, .. } => {
                for merge in merges {
                    let Data::Map(more) = merge.data else { continue };
                    for (name, entry) in more {
                        entries.entry(name).or_insert(entry);
                    }
                }
                Data::Map(entries)
            }
        };
        let node = Node { span: self.span(open.start, end), data, mark: open.mark };
        if open.anchor > 0 {
            self.count(open.size, open.start, end)?;
            self.anchors.insert(open.anchor, (node.clone(), open.size));
        }
        self.put(node, open.size, open.start, end)
    }

    fn count(&mut self, more: usize, start: usize, end: usize) -> Result<(), Box<Diagnostic>> {
        self.values += more;
        if self.values > MOST_VALUES {
            return Err(self.fault(
                start,
                end,
                format!("more than {MOST_VALUES} values, with all that aliases repeat"),
            ));
        }
        Ok(())
    }

    /// Puts a value where it belongs.
    fn put(&mut self, node: Node, size: usize, start: usize, end: usize) -> Result<(), Box<Diagnostic>> {
        self.count(size, start, end)?;
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.size += size;
        let (entries, merges, key) = match &mut open.content {
            Content::List(list) => {
                list.push(node);
                return Ok(());
            }
            Content::Map { entries, merges, key } => (entries, merges, key),
        };
        match key.take() {
            None => {
                let Data::Text(name) = &node.data else {
                    return Err(self.fault(
                        start,
                        end,
                        format!("a key must be a text, not {}; write it in quotes", node.describe()),
                    ));
                };
                if let Some(first) = entries.get(name) {
                    let first = first.key;
                    let message = format!("the key `{name}` comes twice");
                    let mut problem = self.fault(start, end, message);
                    if matches!(self.place, Place::File(_)) {
                        *problem = problem.also(first, "it is already here");
                    }
                    return Err(problem);
                }
                *key = Some(Key::Name(name.clone(), node.span));
            }
            Some(Key::Name(name, span)) => {
                entries.insert(name, Entry { key: span, value: node });
            }
            Some(Key::Merge) => match node.data {
                Data::Map(_) => merges.push(node),
                Data::List(all) if all.iter().all(|n| n.as_map().is_some()) => merges.extend(all),
                _ => return Err(self.fault(start, end, "`<<` takes a mapping or a list of mappings")),
            },
        }
        Ok(())
    }
}

fn mark(tag: Option<&Tag>) -> Mark {
    match tag {
        Some(tag) if tag.handle == "!" && tag.suffix == "reset" => Mark::Reset,
        Some(tag) if tag.handle == "!" && tag.suffix == "override" => Mark::Override,
        _ => Mark::None,
    }
}

/// A scalar, of the type that its tag or else its form says.
fn scalar(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Data, String> {
    let core = tag.filter(|t| t.is_yaml_core_schema()).map(|t| t.suffix.as_str());
    let as_text = || Data::Text(text.into());
    let data = match (core, plain) {
        (Some("str"), _) => as_text(),
        (Some("int" | "float" | "bool" | "null" | "timestamp"), _) => resolve(text),
        (Some("binary"), _) => return Err("binary values are not possible here".into()),
        (None, true) if tag.is_none() || mark(tag) != Mark::None => resolve(text),
        _ => as_text(),
    };
    match (core, data) {
        (Some("float"), Data::Int(value)) => Ok(Data::Float(value as f64)),
        (Some(name @ ("int" | "float" | "bool" | "null" | "timestamp")), data) => {
            let fits = match data {
                Data::Int(_) => name == "int",
                Data::Float(_) => name == "float",
                Data::Bool(_) => name == "bool",
                Data::Null => name == "null",
                Data::Time(_) => name == "timestamp",
                _ => false,
            };
            if fits { Ok(data) } else { Err(format!("`{text}` is no `!!{name}`")) }
        }
        (_, data) => Ok(data),
    }
}

/// A plain scalar. `yes`, `no`, `on` and `off` are texts.
fn resolve(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Data::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Data::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Data::Float(f64::NEG_INFINITY),
        "-0" | "-0.0" => return Data::Float(-0.0),
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => float(text),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            if let Some(time) = timestamp(text) {
                return Data::Time(time.into());
            }
            let plain = text.replace('_', "");
            integer(&plain).map(Data::Int).or_else(|| float(&plain))
        }
        _ => None,
    };
    number.unwrap_or_else(|| Data::Text(text.into()))
}

/// A whole number of 64 bits, signed or not, in the base that its prefix says.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, base).ok()?);
    let value = if negative { -value } else { value };
    (value >= i128::from(i64::MIN)).then_some(value)
}

fn float(text: &str) -> Option<Data> {
    let digits = text.trim_start_matches(['+', '-']);
    let form = digits.len() + 1 >= text.len()
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let value = text.parse::<f64>().ok().filter(|v| form && v.is_finite())?;
    Some(Data::Float(value))
}

/// A date, with or without a time, in the form in which it counts as a text: `2026-11-23 00:00:00 +0000 UTC`.
fn timestamp(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 6 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((text.as_bytes()[at], &text[at + 1..]))),
        None => (text, None),
    };
    let number = |text: &str, low: u32, high: u32| -> Option<u32> {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|n| digits && (low..=high).contains(n))
    };
    let mut parts = date.split('-');
    let year: u32 = parts.next()?.parse().ok()?;
    let month = number(parts.next()?, 1, 12)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = number(parts.next()?, 1, days)?;
    if parts.next().is_some() {
        return None;
    }
    let Some((separator, time)) = time else {
        return Some(format!("{year:04}-{month:02}-{day:02} 00:00:00 +0000 UTC"));
    };
    let (clock, zone) = if separator == b' ' {
        (time, "+0000 UTC".to_owned())
    } else if let Some(clock) = time.strip_suffix('Z') {
        (clock, "+0000 UTC".to_owned())
    } else {
        let at = time.rfind(['+', '-'])?;
        let (clock, zone) = time.split_at(at);
        let (hours, minutes) = zone[1..].split_once(':')?;
        if hours.len() != 2 || minutes.len() != 2 {
            return None;
        }
        let (hours, minutes) = (number(hours, 0, 24)?, number(minutes, 0, 60)?);
        let offset = format!("{}{hours:02}{minutes:02}", &zone[..1]);
        (clock, if hours + minutes == 0 { "+0000 UTC".to_owned() } else { format!("{offset} {offset}") })
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?, 0, 23)?, number(parts.next()?, 0, 59)?);
    let seconds = parts.next()?;
    let (second, fraction) = seconds.split_once('.').map_or((seconds, ""), |(s, f)| (s, f));
    let second = number(second, 0, 59)?;
    if parts.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) || fraction.len() > 9 {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{dot}{fraction} {zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::FileId;

    fn first(text: &str) -> Result<Node, String> {
        let file = SourceFile::new(FileId(0), "compose.yaml", text);
        let mut documents = read(text, Place::File(&file), rbc_source::bake::COMPOSE).map_err(|d| d.message.clone())?;
        Ok(documents.remove(0))
    }

    #[test]
    fn plain_scalars() {
        let cases = [
            ("010", "8"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("08", "8"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("yes", "yes"),
            ("True", "true"),
            ("2026-11-23", "2026-11-23 00:00:00 +0000 UTC"),
            ("2026-1-2T3:4:5.60+02:00", "2026-01-02 03:04:05.6 +0200 +0200"),
            ("1.2.3", "1.2.3"),
            ("0b", "0b"),
            ("18446744073709551615", "18446744073709551615"),
            ("!!str 1", "1"),
            ("'1'", "1"),
        ];
        for (text, value) in cases {
            assert_eq!(first(text).map(|n| n.scalar().map(|s| s.to_string())), Ok(Some(value.into())), "{text}");
        }
        assert!(first("!!int x").is_err());
    }

    #[test]
    fn anchors_and_merge_keys() {
        let node = first("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 5}\n").expect("YAML");
        let c = node.as_map().and_then(|m| m["c"].value.as_map().cloned()).expect("a mapping");
        let of = |name: &str| c[name].value.scalar().map(|s| s.to_string());
        assert_eq!([of("x"), of("y"), of("z")], [Some("5".into()), Some("2".into()), Some("4".into())]);
        assert!(first("a: &a [*a]").is_err());
        assert!(first("a: 1\na: 2").is_err_and(|e| e.contains("twice")));
        assert!(first("1: 2").is_err_and(|e| e.contains("key")));
    }

    #[test]
    fn limits() {
        assert!(first(&"[".repeat(200)).is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..9 {
            let inner = vec![format!("*a{}", i - 1); 10].join(",");
            bomb += &format!("a{i}: &a{i} [{inner}]\n");
        }
        assert!(first(&bomb).is_err_and(|e| e.contains("aliases")));
    }
}
