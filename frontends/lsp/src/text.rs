//! A text with positions as editors count them.

use std::ops::Range;

use serde_json::Value;

use crate::message::object;

/// In what units a column is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16, which is the protocol's own way.
    #[default]
    Utf16,
}

/// Line and column, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub line: usize,
    pub character: usize,
}

impl Position {
    pub fn read(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64().map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        Some(Position { line: number("line")?, character: number("character")? })
    }

    fn json(self) -> Value {
        object([("line", self.line.into()), ("character", self.character.into())])
    }
}

/// A text and where its lines begin.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    text: String,
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Text {
    pub fn new(text: String, encoding: Encoding) -> Self {
        let mut starts = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            // A carriage return of its own ends a line too.
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
                starts.push(at + 1);
            }
        }
        Text { text, starts, encoding }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Offsets of a line without its end; empty behind the last.
    pub fn line(&self, line: usize) -> Range<usize> {
        let start = self.starts.get(line).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        start..start + self.text[start..end].trim_end_matches(['\r', '\n']).len()
    }

    pub fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The offset of a position; behind a line's end, that end.
    pub fn offset(&self, position: Position) -> usize {
        let line = self.line(position.line);
        let text = &self.text[line.clone()];
        let within = match self.encoding {
            Encoding::Utf8 => text.floor_char_boundary(position.character.min(text.len())),
            Encoding::Utf16 => {
                let mut units = 0;
                let behind = text.char_indices().find(|(_, c)| {
                    units += c.len_utf16();
                    units > position.character
                });
                behind.map_or(text.len(), |(at, _)| at)
            }
        };
        line.start + within
    }

    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.line_of(offset);
        Position { line, character: self.width(self.starts[line]..offset) }
    }

    /// How many units a range of one line has.
    pub fn width(&self, range: Range<usize>) -> usize {
        match self.encoding {
            Encoding::Utf8 => range.len(),
            Encoding::Utf16 => self.text[range].chars().map(char::len_utf16).sum(),
        }
    }

    pub fn range(&self, range: Range<usize>) -> Value {
        object([("start", self.position(range.start).json()), ("end", self.position(range.end).json())])
    }

    /// The offsets of a range of the protocol.
    pub fn read_range(&self, value: &Value) -> Option<Range<usize>> {
        let start = self.offset(Position::read(value.get("start")?)?);
        let end = self.offset(Position::read(value.get("end")?)?);
        Some(start..end.max(start))
    }

    pub fn edit(&self, range: Range<usize>, text: &str) -> Value {
        object([("range", self.range(range)), ("newText", text.into())])
    }

    /// Takes a change of the protocol: with a range, a replacement; without, the whole text.
    pub fn change(&mut self, change: &Value) {
        let new = change.get("text").and_then(Value::as_str).unwrap_or_default();
        let text = match change.get("range").and_then(|range| self.read_range(range)) {
            Some(range) => {
                let mut text = std::mem::take(&mut self.text);
                text.replace_range(range, new);
                text
            }
            None => new.to_owned(),
        };
        *self = Text::new(text, self.encoding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn positions_in_both_encodings() {
        let text = "a\u{1F600}é\r\nb\rc";
        for (encoding, character) in [(Encoding::Utf8, 5), (Encoding::Utf16, 3)] {
            let text = Text::new(text.to_owned(), encoding);
            assert_eq!(text.position(5), Position { line: 0, character });
            assert_eq!(text.offset(Position { line: 0, character }), 5);
            assert_eq!(text.offset(Position { line: 0, character: 99 }), 7);
            assert_eq!(text.offset(Position { line: 2, character: 0 }), 11);
            assert_eq!(text.offset(Position { line: 9, character: 0 }), 12);
        }
        // Inside a character, its beginning.
        let utf16 = Text::new(text.to_owned(), Encoding::Utf16);
        assert_eq!(utf16.offset(Position { line: 0, character: 2 }), 1);
    }

    #[test]
    fn changes() {
        let mut text = Text::new("a\nbc\n".to_owned(), Encoding::Utf16);
        text.change(
            &json!({"range": {"start": {"line": 1, "character": 1}, "end": {"line": 2, "character": 0}}, "text": "é"}),
        );
        assert_eq!(text.as_str(), "a\nbé");
        text.change(&json!({"text": "x"}));
        assert_eq!(text.as_str(), "x");
    }
}
