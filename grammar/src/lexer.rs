//! The lexers: lines of a file, and fragments of a line.

use std::ops::Range;

use logos::Logos;

/// What a physical line is, whatever stands around it. The kinds cover every text, so lexing cannot fail; each token is a
/// whole line with its line feed.
///
/// White space is Unicode's. Only spaces and tabs may follow a continuation character; carriage returns before the line
/// feed belong to the line's end.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// White space only.
    #[regex(
        r"[\t\x0B\x0C\r \u{85}\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}]+\n?",
        priority = 40
    )]
    #[token("\n", priority = 40)]
    Blank,
    /// `#` is the first character that is not white space.
    #[regex(
        r"[\t\x0B\x0C\r \u{85}\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}]*#[^\n]*\n?",
        priority = 30,
        allow_greedy = true
    )]
    Comment,
    /// Its last character is a backslash that no other backslash precedes.
    #[regex(r"([^\n]*[^\n\\])?\\[ \t]*\r*\n?", priority = 20, allow_greedy = true)]
    EndsInBackslash,
    /// The same with a backtick.
    #[regex(r"([^\n]*[^\n`])?`[ \t]*\r*\n?", priority = 20, allow_greedy = true)]
    EndsInBacktick,
    /// Anything else.
    #[regex(r"[^\n]+\n?", priority = 10, allow_greedy = true)]
    Other,
}

/// A physical line.
#[derive(Clone, Debug)]
pub(crate) struct PhysicalLine {
    pub kind: LineKind,
    /// With its line end.
    pub range: Range<usize>,
    /// Without carriage returns and line feed at its end.
    pub content: Range<usize>,
}

impl PhysicalLine {
    /// The end of a span that touches this line: an empty line is touched by its line end only.
    pub fn touched_end(&self) -> usize {
        if self.content.is_empty() { self.range.end } else { self.content.end }
    }

    /// Where the continuation character stands, if the line goes on.
    pub fn continuation(&self, text: &str, escape: char) -> Option<usize> {
        let continues = match self.kind {
            LineKind::EndsInBackslash => escape == '\\',
            LineKind::EndsInBacktick => escape == '`',
            _ => false,
        };
        continues.then(|| self.content.start + text[self.content.clone()].trim_end_matches([' ', '\t']).len() - 1)
    }
}

/// The longest line that the reference reads, its line feed included. (It is the size of a buffer there: a last line
/// without line feed must be shorter by one.)
pub(crate) const LONGEST_LINE: usize = 64 * 1024;

/// The lines of a text, up to one that is too long.
pub(crate) struct Lines<'t> {
    text: &'t str,
    lexer: logos::Lexer<'t, LineKind>,
    /// Length of a byte order mark in front.
    bom: usize,
    /// How many lines were given.
    pub count: usize,
    /// The line that is too long, where the lines end.
    pub too_long: Option<Range<usize>>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        let rest = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        Lines { text, lexer: LineKind::lexer(rest), bom: text.len() - rest.len(), count: 0, too_long: None }
    }
}

impl Iterator for Lines<'_> {
    type Item = PhysicalLine;

    fn next(&mut self) -> Option<PhysicalLine> {
        if self.too_long.is_some() {
            return None;
        }
        let kind = self.lexer.next()?.unwrap_or(LineKind::Other);
        let span = self.lexer.span();
        let range = span.start + self.bom..span.end + self.bom;
        let line = &self.text[range.clone()];
        let length = line.len() + usize::from(!line.ends_with('\n')) + if self.count == 0 { self.bom } else { 0 };
        if length > LONGEST_LINE {
            self.too_long = Some(range);
            return None;
        }
        self.count += 1;
        let content = range.start..range.start + line.trim_end_matches(['\r', '\n']).len();
        Some(PhysicalLine { kind, range, content })
    }
}

/// A fragment of a line, for tokens.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// White space.
    #[regex(r"[\t\n\x0B\x0C\r \u{85}\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}]+")]
    Space,
    /// Anything else.
    #[regex(r"[^\t\n\x0B\x0C\r \u{85}\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}]+")]
    Dark,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<LineKind> {
        Lines::new(text).map(|l| l.kind).collect()
    }

    #[test]
    fn every_line_has_one_kind() {
        use LineKind::*;
        assert_eq!(
            kinds("\u{FEFF}a\n\n \t\r\n# x \\\n \u{A0}#\na \\\n\\\nb\\\\\nc\\ \t\r\n`\nx`` \ny\\\u{C}\nend"),
            [
                Other,
                Blank,
                Blank,
                Comment,
                Comment,
                EndsInBackslash,
                EndsInBackslash,
                Other,
                EndsInBackslash,
                EndsInBacktick,
                Other,
                Other,
                Other
            ]
        );
        assert_eq!(kinds("a\\"), [EndsInBackslash]);
        assert_eq!(kinds("  "), [Blank]);
        assert_eq!(kinds("#"), [Comment]);
        assert_eq!(kinds(""), []);
    }

    #[test]
    fn lines_tile_the_text() {
        let text = "\u{FEFF}a \\ \r\n\r\n  b\n# c\nlast\r";
        let mut at = 3;
        for line in Lines::new(text) {
            assert_eq!(line.range.start, at);
            at = line.range.end;
        }
        assert_eq!(at, text.len());
        let first = Lines::new(text).next().unwrap();
        assert_eq!(&text[first.content.clone()], "a \\ ");
        assert_eq!(first.continuation(text, '\\'), Some(5));
        assert_eq!(first.continuation(text, '`'), None);
    }

    #[test]
    fn long_lines_end_the_text() {
        for (line, fits) in [
            ("x".repeat(65_535) + "\n", true),
            ("x".repeat(65_536) + "\n", false),
            ("x".repeat(65_535), true),
            ("x".repeat(65_536), false),
            ("\u{FEFF}".to_owned() + &"x".repeat(65_533), false),
        ] {
            let mut lines = Lines::new(&line);
            assert_eq!(lines.next().is_some(), fits, "{}", line.len());
            assert_eq!(lines.too_long.is_some(), !fits);
        }
    }
}
