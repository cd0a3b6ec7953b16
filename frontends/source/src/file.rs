//! Source texts, and places in them.

use std::sync::Arc;

/// A file of [`Sources`]. Ids are dense and start at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte; never below `start`.
    pub end: u32,
}

impl Span {
    /// The span of `start..end` in `file`. An `end` below `start` is taken as `start`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let start = start.min(u32::MAX as usize) as u32;
        Span { file, start, end: (end.min(u32::MAX as usize) as u32).max(start) }
    }

    /// An empty span at `at`.
    pub fn point(file: FileId, at: usize) -> Self {
        Span::new(file, at, at)
    }

    /// The smallest span that holds both. `other` must be of the same file; if not, `self` is returned.
    pub fn join(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it covers no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `offset` lies within, its end included (as an editor's cursor does).
    pub fn touches(self, offset: usize) -> bool {
        self.start as usize <= offset && offset <= self.end as usize
    }

    /// The range, for slicing a text.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}..{}", self.file.0, self.start, self.end)
    }
}

/// A place as people count it, but from 0: line, and byte within the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineCol {
    /// Line, from 0.
    pub line: u32,
    /// Byte within the line, from 0.
    pub col: u32,
}

/// One source text with its name and line index.
#[derive(Debug)]
pub struct SourceFile {
    id: FileId,
    name: Box<str>,
    text: Box<str>,
    /// The bytes, where they are not those of `text`.
    bytes: Option<Box<[u8]>>,
    line_starts: Vec<u32>,
}

impl SourceFile {
    /// A file on its own, for callers that handle just one.
    pub fn new(id: FileId, name: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Self {
        let text: Box<str> = text.into();
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        SourceFile { id, name: name.into(), text, bytes: None, line_starts }
    }

    /// A file from bytes. Each byte that is not part of UTF-8 becomes U+FFFD in the text.
    pub fn from_bytes(id: FileId, name: impl Into<Box<str>>, bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => SourceFile::new(id, name, text),
            Err(error) => {
                let bytes = error.into_bytes();
                let mut text = String::with_capacity(bytes.len() + 16);
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
                }
                SourceFile { bytes: Some(bytes.into()), ..SourceFile::new(id, name, text) }
            }
        }
    }

    /// The bytes as they were read.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// Whether the bytes were UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.bytes.is_none()
    }

    /// Its id in [`Sources`].
    pub fn id(&self) -> FileId {
        self.id
    }

    /// The name to show: as the user gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text. Its offsets are those of the file: nothing (a byte order mark, say) is stripped.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A span of this file.
    pub fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.id, start, end)
    }

    /// The span of the whole text.
    pub fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }

    /// The text under `span`; empty if the span does not fit this text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// How many lines there are. A text that ends in a newline has an empty last one.
    pub fn line_count(&self) -> usize {
        self.line_starts.len()
    }

    /// Line (from 0) that holds `offset`.
    pub fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|s| *s as usize <= offset).saturating_sub(1)
    }

    /// Line and column (bytes) of `offset`.
    pub fn line_col(&self, offset: usize) -> LineCol {
        let line = self.line_of(offset);
        LineCol { line: line as u32, col: (offset.saturating_sub(self.line_starts[line] as usize)) as u32 }
    }

    /// Offsets of a line (from 0), its newline included; empty behind the last line.
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.line_starts.get(line).map_or(self.text.len(), |s| *s as usize);
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |s| *s as usize);
        start..end
    }

    /// A line's text (from 0) without its line end.
    pub fn line_text(&self, line: usize) -> &str {
        self.text[self.line_range(line)].trim_end_matches(['\n', '\r'])
    }

    /// First and last line (from 0) that `span` touches. A span that ends behind a newline does not touch the next line.
    pub fn lines_of(&self, span: Span) -> (usize, usize) {
        let first = self.line_of(span.start as usize);
        let last = self.line_of((span.end as usize).saturating_sub(1).max(span.start as usize));
        (first, last)
    }
}

/// All files of one run, by [`FileId`].
#[derive(Debug, Default, Clone)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
}

impl Sources {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a text in under a name and gives its id.
    pub fn add(&mut self, name: impl Into<Box<str>>, text: impl Into<Box<str>>) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(Arc::new(SourceFile::new(id, name, text)));
        id
    }

    /// Takes bytes in under a name and gives the file's id.
    pub fn add_bytes(&mut self, name: impl Into<Box<str>>, bytes: Vec<u8>) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(Arc::new(SourceFile::from_bytes(id, name, bytes)));
        id
    }

    /// Puts a new version of a file in the place of the one with its id, if there is one.
    pub fn replace(&mut self, file: SourceFile) {
        if let Some(slot) = self.files.get_mut(file.id().0 as usize) {
            *slot = Arc::new(file);
        }
    }

    /// The file of an id.
    ///
    /// # Panics
    /// If the id is not from this set, which is a fault of the caller.
    pub fn get(&self, id: FileId) -> &Arc<SourceFile> {
        &self.files[id.0 as usize]
    }

    /// The file of an id, if it is from this set.
    pub fn find(&self, id: FileId) -> Option<&Arc<SourceFile>> {
        self.files.get(id.0 as usize)
    }

    /// All of them, in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<SourceFile>> {
        self.files.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let f = SourceFile::new(FileId(0), "x", "ab\ncd\r\n\nz");
        assert_eq!(f.line_count(), 4);
        assert_eq!(f.line_col(4), LineCol { line: 1, col: 1 });
        assert_eq!(f.line_text(1), "cd");
        assert_eq!(f.lines_of(f.span(0, 3)), (0, 0));
        assert_eq!(f.lines_of(f.span(0, 4)), (0, 1));
        assert_eq!(f.line_of(9), 3);
        assert_eq!(f.line_range(9), 9..9);
    }

    #[test]
    fn bytes_that_are_no_text() {
        let f = SourceFile::from_bytes(FileId(0), "x", b"a\xe2\x82b".to_vec());
        assert_eq!((f.text(), f.bytes(), f.is_utf8()), ("a\u{fffd}\u{fffd}b", &b"a\xe2\x82b"[..], false));
    }
}
