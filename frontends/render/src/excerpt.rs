//! The lines of a file that labels touch, cut to the width of the terminal.
//!
//! What is rendered is an excerpt and never the file itself, so the cost depends on what is shown only, and nothing is shown
//! that could steer the terminal.

use std::collections::BTreeMap;
use std::ops::Range;

use rbc_source::{SourceFile, Span};
use unicode_width::UnicodeWidthChar;

use crate::printable::stand_in;

/// Lines shown behind the first one of a label with several lines.
pub(crate) const LINES_AFTER_START: usize = 2;
/// Lines shown before the last one of such a label.
pub(crate) const LINES_BEFORE_END: usize = 1;
/// Columns from one tab stop to the next.
pub(crate) const TAB: usize = 4;
/// Lines that stand for any number of lines left out: from two on a break is drawn.
const GAP: usize = 2;

/// Some lines of a file.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    text: String,
    lines: Vec<Line>,
}

/// A line of an excerpt.
#[derive(Debug)]
struct Line {
    /// Its number in the file, from 1.
    number: usize,
    /// Where it starts in the text of the excerpt.
    start: usize,
    /// For each piece that is shown where it begins, in the file and in the excerpt; the last is the line's end.
    marks: Vec<(usize, usize)>,
}

impl Excerpt {
    /// The lines that the spans touch, each at most `width` columns wide. Of a longer line the part is shown in which the
    /// first of the spans that touch it begins (or ends); `dots` stand for what is left out.
    pub fn new(file: &SourceFile, spans: &[Span], width: usize, dots: &str) -> Excerpt {
        let mut excerpt = Excerpt::default();
        let mut last = None;
        for (line, focus) in shown_lines(file, spans) {
            if last.is_some_and(|last| line > last + 1) {
                for _ in 0..GAP {
                    excerpt.lines.push(Line { number: line, start: excerpt.text.len(), marks: Vec::new() });
                }
            }
            excerpt.push(file, line, focus, width, dots);
            last = Some(line);
        }
        excerpt
    }

    fn push(&mut self, file: &SourceFile, line: usize, focus: Range<usize>, width: usize, dots: &str) {
        let first = file.line_range(line).start;
        let content = file.line_text(line);
        let (start, text) = (self.text.len(), &mut self.text);
        let shown = window(content, focus.start.saturating_sub(first)..focus.end.saturating_sub(first), width, dots);
        let mut marks = Vec::with_capacity(shown.len() + 3);
        if shown.start > 0 {
            marks.push((first, text.len()));
            text.push_str(dots);
        }
        for (i, c) in content[shown.clone()].char_indices() {
            marks.push((first + shown.start + i, text.len()));
            match stand_in(c) {
                Some(stand_in) if c != '\t' => text.push_str(&stand_in),
                _ => text.push(c),
            }
        }
        if shown.end < content.len() {
            marks.push((first + shown.end, text.len()));
            text.push_str(dots);
        }
        marks.push((first + content.len(), text.len()));
        text.push('\n');
        self.lines.push(Line { number: line + 1, start, marks });
    }

    /// The text of all lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of the excerpt that holds an offset of the excerpt.
    pub fn line_at(&self, offset: usize) -> usize {
        self.lines.partition_point(|line| line.start <= offset).saturating_sub(1)
    }

    /// Where a line of the excerpt lies in its text, and its number in the file. None behind the last.
    pub fn line(&self, index: usize) -> Option<(Range<usize>, usize)> {
        let line = self.lines.get(index)?;
        let end = self.lines.get(index + 1).map_or(self.text.len(), |next| next.start);
        Some((line.start..end, line.number))
    }

    /// The number in the file of the last line, which is the highest.
    pub fn highest_number(&self) -> usize {
        self.lines.last().map_or(1, |line| line.number)
    }

    /// Where a span that was given to [`Excerpt::new`] lies in the excerpt. What was cut away is taken for its dots.
    pub fn range(&self, file: &SourceFile, span: Span) -> Range<usize> {
        let span = trimmed(file, span);
        let start = self.find(file, span.start, |line, mark| line.marks.get(mark));
        if span.is_empty() {
            return start..start;
        }
        let end = self.find(file, span.end - 1, |line, mark| line.marks.get(mark + 1).or(line.marks.last()));
        start..end.max(start)
    }

    /// Finds the piece that holds an offset of the file, and has `pick` choose a mark by its index.
    fn find(&self, file: &SourceFile, offset: usize, pick: impl Fn(&Line, usize) -> Option<&(usize, usize)>) -> usize {
        let number = file.line_of(offset) + 1;
        let line = self.lines.partition_point(|line| line.number < number);
        let found = self.lines[line.min(self.lines.len())..].iter().find(|l| l.number == number && !l.marks.is_empty());
        let Some(line) = found else { return self.text.len() };
        let mark = line.marks.partition_point(|(at, _)| *at <= offset).saturating_sub(1);
        pick(line, mark).map_or(line.start, |(_, at)| *at)
    }
}

/// A span within its file as offsets, without line ends behind its last line.
#[derive(Clone, Copy, Debug)]
struct Trimmed {
    start: usize,
    end: usize,
}

impl Trimmed {
    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

fn trimmed(file: &SourceFile, span: Span) -> Trimmed {
    let text = file.text();
    let start = (span.start as usize).min(text.len());
    let end = (span.end as usize).clamp(start, text.len());
    let covered = &text.as_bytes()[start..end];
    let end = covered.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(start, |last| start + last + 1);
    Trimmed { start, end }
}

/// Lines (from 0) to show, each with the offsets that matter most in it.
fn shown_lines(file: &SourceFile, spans: &[Span]) -> BTreeMap<usize, Range<usize>> {
    let mut lines: BTreeMap<usize, Range<usize>> = BTreeMap::new();
    for span in spans {
        let Trimmed { start, end } = trimmed(file, *span);
        let (first, last) = (file.line_of(start), file.line_of(end));
        lines.entry(first).or_insert(start..if first == last { end } else { start });
        if last > first {
            lines.entry(last).or_insert(end..end);
            let context = (first + 1..last.min(first + 1 + LINES_AFTER_START))
                .chain(last.saturating_sub(LINES_BEFORE_END).max(first + 1)..last);
            for line in context {
                let start = file.line_range(line).start;
                lines.entry(line).or_insert(start..start);
            }
        }
    }
    // A single line between two is no longer than the break that would stand for it.
    let single: Vec<usize> =
        lines.keys().zip(lines.keys().skip(1)).filter(|(a, b)| **b == **a + 2).map(|(a, _)| a + 1).collect();
    for line in single {
        let start = file.line_range(line).start;
        lines.insert(line, start..start);
    }
    lines
}

/// The part of a line to show. `focus` need not lie on characters.
fn window(line: &str, focus: Range<usize>, width: usize, dots: &str) -> Range<usize> {
    let mut all = 0;
    if line.chars().all(|c| {
        all += columns(c);
        all <= width
    }) {
        return 0..line.len();
    }
    let room = width.saturating_sub(2 * dots.chars().count()).max(1);
    let at = line.floor_char_boundary(focus.start);
    // A third of the width goes to what stands before, the rest to what follows, and what that does not need back again.
    let mut used = 0;
    let start = back(line, at, room / 3, &mut used);
    let mut end = at;
    for c in line[at..].chars() {
        if used + columns(c) > room {
            break;
        }
        used += columns(c);
        end += c.len_utf8();
    }
    back(line, start, room, &mut used)..end
}

/// Goes back from `from` while no more than `room` columns are used.
fn back(line: &str, from: usize, room: usize, used: &mut usize) -> usize {
    let mut start = from;
    for c in line[..from].chars().rev() {
        if *used + columns(c) > room {
            break;
        }
        *used += columns(c);
        start -= c.len_utf8();
    }
    start
}

/// Columns that a character takes at most. None takes less than one here, or a line could hold any number of accents.
fn columns(c: char) -> usize {
    match c {
        '\t' => TAB,
        c => stand_in(c).map_or_else(|| c.width().unwrap_or(0).max(1), |text| text.len()),
    }
}

/// A line for a preview: safe to print, of at most `width` columns, its end cut off.
pub(crate) fn cut(line: &str, width: usize, dots: &str) -> String {
    let file = SourceFile::new(rbc_source::FileId(0), "", line);
    let excerpt = Excerpt::new(&file, &[file.span(0, 0)], width, dots);
    excerpt.text.trim_end_matches('\n').replace('\t', &" ".repeat(TAB))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::FileId;

    fn shown(text: &str, span: Range<usize>, width: usize) -> (String, String) {
        let file = SourceFile::new(FileId(0), "", text);
        let span = file.span(span.start, span.end);
        let excerpt = Excerpt::new(&file, &[span], width, "…");
        (excerpt.text.clone(), excerpt.text[excerpt.range(&file, span)].to_owned())
    }

    #[test]
    fn long_lines_are_cut_around_the_label() {
        let line = format!("{}HERE{}", "a".repeat(1000), "b".repeat(1000));
        let (text, label) = shown(&line, 1000..1004, 30);
        assert_eq!(text, "…aaaaaaaaaHEREbbbbbbbbbbbbbbb…\n");
        assert_eq!(label, "HERE");
        let (text, label) = shown(&line, 3..2004, 20);
        assert_eq!((text.as_str(), label.as_str()), ("aaaaaaaaaaaaaaaaaa…\n", "aaaaaaaaaaaaaaa…"));
        let (text, label) = shown(&line, 2004..2004, 20);
        assert_eq!((text.as_str(), label.as_str()), ("…bbbbbbbbbbbbbbbbbb\n", ""));
    }

    #[test]
    fn spans_that_fit_nowhere() {
        for (text, span, label) in [
            ("", 0..0, ""),
            ("", 5..9, ""),
            ("ab", 1..99, "b"),
            ("ab\r\n", 1..4, "b"),
            ("ab\n", 3..3, ""),
            ("aé\n", 2..3, "é"),
            ("aé\n", 1..2, "é"),
            ("\n\n\n", 1..3, ""),
        ] {
            assert_eq!(shown(text, span.clone(), 40).1, label, "{text:?} {span:?}");
        }
    }

    #[test]
    fn hidden_characters_are_shown_and_covered() {
        let (text, label) = shown("a\u{1b}[1mb\u{202e}", 1..2, 80);
        assert_eq!((text.as_str(), label.as_str()), ("a<U+001B>[1mb<U+202E>\n", "<U+001B>"));
    }

    #[test]
    fn of_many_lines_the_first_and_the_last_are_shown() {
        let all: String = (1..=50).map(|n| format!("{n}\n")).collect();
        let file = SourceFile::new(FileId(0), "", &*all);
        let excerpt = Excerpt::new(&file, &[file.whole()], 40, "…");
        assert_eq!(excerpt.text, "1\n2\n3\n49\n50\n");
        assert_eq!(excerpt.range(&file, file.whole()), 0..excerpt.text.len() - 1);
        let numbers: Vec<usize> = (0..).map_while(|i| excerpt.line(i)).map(|(_, number)| number).collect();
        assert_eq!(numbers, [1, 2, 3, 48, 48, 49, 50]);
    }
}
