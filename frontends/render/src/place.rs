//! Places as people and other programs count them.

use std::cell::RefCell;
use std::collections::HashMap;

use rbc_source::{FileId, SourceFile, Sources, Span};

/// A position in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Offset in bytes, from 0.
    pub byte: usize,
    /// Line, from 1.
    pub line: usize,
    /// Characters before it in its line, plus 1.
    pub column: usize,
    /// UTF-16 code units before it in its line, plus 1.
    pub utf16: usize,
}

/// A range of a file that lies within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region<'a> {
    pub file: &'a SourceFile,
    pub start: Point,
    /// Behind the last character.
    pub end: Point,
}

/// Looks up places. Columns cost the same wherever they are: characters are counted ahead, once a file.
pub(crate) struct Places<'a> {
    sources: &'a Sources,
    counts: RefCell<HashMap<FileId, Vec<Count>>>,
}

/// Characters and UTF-16 code units before an offset.
#[derive(Clone, Copy, Default)]
struct Count {
    chars: usize,
    utf16: usize,
}

/// Bytes between two counts.
const STRIDE: usize = 256;

impl Count {
    fn add(&mut self, bytes: &[u8]) {
        let starts = bytes.iter().filter(|b| **b & 0xc0 != 0x80).count();
        self.chars += starts;
        self.utf16 += starts + bytes.iter().filter(|b| **b >= 0xf0).count();
    }
}

impl<'a> Places<'a> {
    pub fn new(sources: &'a Sources) -> Self {
        Places { sources, counts: RefCell::default() }
    }

    /// The range of a span, brought within its file and onto characters. None if the file is not known.
    pub fn region(&self, span: Span) -> Option<Region<'a>> {
        let file: &'a SourceFile = self.sources.find(span.file)?;
        let text = file.text();
        let start = text.floor_char_boundary(span.start as usize);
        let end = text.ceil_char_boundary(span.end as usize).max(start);
        Some(Region { file, start: self.point(file, start), end: self.point(file, end) })
    }

    fn point(&self, file: &SourceFile, byte: usize) -> Point {
        let line = file.line_of(byte);
        let (here, start) = (self.count(file, byte), self.count(file, file.line_range(line).start));
        Point { byte, line: line + 1, column: here.chars - start.chars + 1, utf16: here.utf16 - start.utf16 + 1 }
    }

    fn count(&self, file: &SourceFile, byte: usize) -> Count {
        let text = file.text().as_bytes();
        let mut counts = self.counts.borrow_mut();
        let marks = counts.entry(file.id()).or_insert_with(|| {
            let mut count = Count::default();
            let mut marks = vec![count];
            for bytes in text.chunks(STRIDE) {
                count.add(bytes);
                marks.push(count);
            }
            marks
        });
        let mark = byte / STRIDE;
        let mut count = marks.get(mark).copied().unwrap_or_default();
        count.add(text.get(mark * STRIDE..byte).unwrap_or_default());
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        let mut sources = Sources::new();
        let id = sources.add("x", format!("aé\u{1f600}b\r\n{}\u{1f600}z", "é".repeat(5000)));
        let places = Places::new(&sources);
        let at = |start, end| {
            let found = places.region(Span::new(id, start, end)).unwrap();
            (found.start, found.end)
        };
        let point = |byte, line, column, utf16| Point { byte, line, column, utf16 };
        assert_eq!(at(3, 7), (point(3, 1, 3, 3), point(7, 1, 4, 5)));
        assert_eq!(at(2, 4), (point(1, 1, 2, 2), point(7, 1, 4, 5)), "onto characters");
        assert_eq!(at(10_014, 99_999).0, point(10_014, 2, 5002, 5003));
        assert_eq!(at(99_999, 99_999).1, point(10_015, 2, 5003, 5004), "within the file");
        assert!(places.region(Span::new(FileId(7), 0, 0)).is_none());
    }
}
