//! Logical lines: what an instruction's physical lines make together.

use std::borrow::Cow;
use std::ops::Range;

/// The text of an instruction with its continuations joined, which knows where each part stands in the file.
#[derive(Clone, Debug)]
pub struct Line<'t> {
    text: Cow<'t, str>,
    /// Offset in the file of the text's beginning.
    start: usize,
    /// Further parts: offset in `text`, offset in the file. Ascending.
    parts: Vec<(usize, usize)>,
}

impl<'t> Line<'t> {
    /// A line that stands at `start` of the file, so far as one part.
    pub(crate) fn new(text: &'t str, start: usize) -> Self {
        Line { text: Cow::Borrowed(text), start, parts: Vec::new() }
    }

    /// Adds a part.
    pub(crate) fn push(&mut self, text: &'t str, start: usize) {
        if text.is_empty() {
            return;
        }
        if self.text.is_empty() {
            (self.text, self.start) = (Cow::Borrowed(text), start);
            return;
        }
        self.parts.push((self.text.len(), start));
        self.text.to_mut().push_str(text);
    }

    /// The joined text. It may begin and end with white space.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The range of the file that a range of the text comes from, which is widened to whole characters. If the range of the
    /// text spans a continuation, so does that of the file.
    pub fn in_file(&self, range: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.ceil_char_boundary(range.end);
        let first = self.offset(start);
        if start >= end {
            return first..first;
        }
        first..self.offset(end - 1) + 1
    }

    fn offset(&self, at: usize) -> usize {
        match self.parts.partition_point(|(joined, _)| *joined <= at).checked_sub(1).and_then(|i| self.parts.get(i)) {
            Some((joined, file)) => file + (at - joined),
            None => self.start + at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let file = "RUN a \\\n  b\\\nc";
        let mut line = Line::new(&file[0..6], 0);
        line.push(&file[8..11], 8);
        line.push(&file[13..14], 13);
        assert_eq!(line.text(), "RUN a   bc");
        assert_eq!(&file[line.in_file(4..5)], "a");
        assert_eq!(&file[line.in_file(8..9)], "b");
        assert_eq!(&file[line.in_file(9..10)], "c");
        assert_eq!(&file[line.in_file(8..10)], "b\\\nc");
        assert_eq!(line.in_file(6..6), 8..8);
    }
}
