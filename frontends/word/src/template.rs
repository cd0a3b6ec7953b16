//! Reading a word into pieces.

use std::ops::Range;

use crate::unicode::{is_digit, is_name};
use crate::{WordError, WordErrorKind};

/// A byte order mark: skipped where it begins a word.
pub(crate) const BOM: char = '\u{FEFF}';

/// What stays of quotes and escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Quotes stay in the result; they still quote.
    pub raw_quotes: bool,
    /// Escape characters stay in the result; they still escape.
    pub raw_escapes: bool,
    /// Quotes are ordinary characters.
    pub skip_quotes: bool,
}

/// A word, read. It borrows the text it was read from.
#[derive(Clone, Debug)]
pub struct Template<'t> {
    pub(crate) text: &'t str,
    pub(crate) ops: Vec<Op>,
    pub(crate) uses: Vec<Use>,
}

/// A piece of a word. Nesting is by bracketing, so that neither reading nor expanding nor dropping recurses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Text as it is. When a word is split, unquoted text splits at spaces.
    Text { range: Range<usize>, quoted: bool },
    /// A double quote opens outside all `${}`.
    QuoteOpen,
    /// It closes.
    QuoteClose,
    /// The value of a variable without modifier. The index is of [`Template::uses`], as in what follows.
    Value(usize),
    /// `${name` with a modifier: its operand begins.
    Open(usize),
    /// Between the pattern and the replacement.
    Middle(usize),
    /// The operand ends.
    Close(usize),
}

/// One use of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// From the `$` on.
    pub range: Range<usize>,
    pub name: Range<usize>,
    pub modifier: Modifier,
}

/// What stands between a name and the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modifier {
    /// `$name`
    Bare,
    /// `${name}`
    Braced,
    /// `-` or `:-`
    Default { colon: bool },
    /// `+` or `:+`
    Alternative { colon: bool },
    /// `?` or `:?`
    Required { colon: bool },
    /// `#`
    TrimPrefix,
    /// `%`
    TrimSuffix,
    /// `/` or `//`
    Replace { all: bool },
    /// A colon and some other character: an error, but only once the variable's value counts.
    Unknown(char),
}

/// A variable that a word uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable<'t> {
    /// Its name.
    pub name: &'t str,
    /// Where the name stands in the word's text.
    pub name_range: Range<usize>,
    /// Where the whole use stands, from `$` to the name's end or the closing brace.
    pub range: Range<usize>,
}

impl<'t> Template<'t> {
    /// Reads a word whose escape character is `escape` (`\` or a backtick).
    ///
    /// # Errors
    /// If a quote or brace is not closed, or a modifier is not known.
    pub fn parse(text: &'t str, escape: char, mode: Mode) -> Result<Self, WordError> {
        let (template, fault) = Self::parse_as_far(text, escape, mode);
        fault.map_or(Ok(template), Err)
    }

    /// Reads a word as far as it is well formed.
    pub(crate) fn parse_as_far(text: &'t str, escape: char, mode: Mode) -> (Self, Option<WordError>) {
        let mut parser = Parser { text, pos: 0, escape, mode, ops: Vec::new(), uses: Vec::new(), frames: Vec::new() };
        let fault = parser.run().err();
        (Template { text, ops: parser.ops, uses: parser.uses }, fault)
    }

    /// The variables that it uses, nested ones too, in order of their `$`.
    pub fn variables(&self) -> impl Iterator<Item = Variable<'t>> + '_ {
        self.uses.iter().map(|u| Variable {
            name: &self.text[u.name.clone()],
            name_range: u.name.clone(),
            range: u.range.clone(),
        })
    }
}

/// What the parser is inside of.
#[derive(Clone, Copy)]
struct Frame {
    kind: FrameKind,
    /// Escape characters stay.
    raw_escapes: bool,
}

#[derive(Clone, Copy)]
enum FrameKind {
    /// Double quotes, opened at this offset.
    Quote(usize),
    /// What follows a modifier, up to `}`.
    Operand(usize),
    /// A pattern to replace, up to `/`.
    Pattern(usize),
    /// What to put there, up to `}`.
    Replacement(usize),
}

struct Parser<'t> {
    text: &'t str,
    pos: usize,
    escape: char,
    mode: Mode,
    ops: Vec<Op>,
    uses: Vec<Use>,
    frames: Vec<Frame>,
}

impl<'t> Parser<'t> {
    fn run(&mut self) -> Result<(), WordError> {
        if self.text.starts_with(BOM) {
            self.pos = BOM.len_utf8();
        }
        while self.pos < self.text.len() {
            match self.frames.last() {
                Some(&Frame { kind: FrameKind::Quote(_), raw_escapes }) => self.quoted(raw_escapes)?,
                Some(&Frame { kind: FrameKind::Pattern(_), raw_escapes }) => self.unquoted(Some(b'/'), raw_escapes)?,
                Some(&Frame { raw_escapes, .. }) => self.unquoted(Some(b'}'), raw_escapes)?,
                None => self.unquoted(None, self.mode.raw_escapes)?,
            }
        }
        match self.frames.last() {
            None => Ok(()),
            Some(frame) => Err(self.unclosed(frame.kind)),
        }
    }

    fn unclosed(&self, kind: FrameKind) -> WordError {
        let (kind, start) = match kind {
            FrameKind::Quote(at) => (WordErrorKind::UnclosedQuote('"'), at),
            FrameKind::Pattern(i) => (WordErrorKind::MissingSlash, self.uses[i].range.start),
            FrameKind::Operand(i) | FrameKind::Replacement(i) => {
                (WordErrorKind::UnclosedBrace, self.uses[i].range.start)
            }
        };
        WordError { kind, at: start..self.text.len() }
    }

    fn error<T>(&self, kind: WordErrorKind, start: usize) -> Result<T, WordError> {
        Err(WordError { kind, at: start..self.pos })
    }

    fn peek(&self) -> Option<char> {
        self.text[self.pos..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// Adds the text from `start` to the present place.
    fn push_text(&mut self, start: usize, quoted: bool) {
        if start == self.pos {
            return;
        }
        if let Some(Op::Text { range, quoted: q }) = self.ops.last_mut()
            && range.end == start
            && *q == quoted
        {
            range.end = self.pos;
            return;
        }
        self.ops.push(Op::Text { range: start..self.pos, quoted });
    }

    /// Goes on to the next byte that `stops`, which is ASCII, and adds what was passed.
    fn plain(&mut self, quoted: bool, stops: impl Fn(u8) -> bool) -> Option<u8> {
        let start = self.pos;
        let rest = &self.text.as_bytes()[start..];
        let n = rest.iter().position(|b| b.is_ascii() && stops(*b));
        self.pos += n.unwrap_or(rest.len());
        self.push_text(start, quoted);
        n.map(|n| rest[n])
    }

    fn unquoted(&mut self, stop: Option<u8>, raw_escapes: bool) -> Result<(), WordError> {
        let (escape, quotes) = (self.escape, !self.mode.skip_quotes);
        let special = |b: u8| {
            Some(b) == stop
                || matches!(b, b'$' | b'<')
                || (quotes && matches!(b, b'\'' | b'"'))
                || char::from(b) == escape
        };
        let Some(byte) = self.plain(false, special) else { return Ok(()) };
        let start = self.pos;
        if Some(byte) == stop {
            self.pos += 1;
            self.close();
            return Ok(());
        }
        match byte {
            b'$' => self.dollar(),
            b'<' => {
                self.heredoc_mark();
                Ok(())
            }
            b'\'' if quotes => self.single_quoted(),
            b'"' if quotes => {
                self.pos += 1;
                if self.frames.is_empty() {
                    self.ops.push(Op::QuoteOpen);
                }
                self.frames.push(Frame { kind: FrameKind::Quote(start), raw_escapes });
                if self.mode.raw_quotes {
                    self.push_text(start, true);
                }
                Ok(())
            }
            _ => {
                self.pos += 1;
                if raw_escapes {
                    self.push_text(start, true);
                }
                let escaped = self.pos;
                self.next();
                self.push_text(escaped, true);
                Ok(())
            }
        }
    }

    /// Ends the innermost operand, pattern or replacement; its last character has been passed.
    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        match frame.kind {
            FrameKind::Operand(i) | FrameKind::Replacement(i) => {
                self.uses[i].range.end = self.pos;
                self.ops.push(Op::Close(i));
            }
            FrameKind::Pattern(i) => {
                self.ops.push(Op::Middle(i));
                self.frames.push(Frame { kind: FrameKind::Replacement(i), ..frame });
            }
            FrameKind::Quote(_) => {}
        }
    }

    /// `<<` binds the white space behind it to the word, so that a heredoc's delimiter is found there.
    fn heredoc_mark(&mut self) {
        let start = self.pos;
        self.pos += 1;
        if self.peek() == Some('<') {
            self.pos += 1;
            while matches!(self.peek(), Some('\t' | '\r' | ' ')) {
                self.pos += 1;
            }
        }
        self.push_text(start, true);
    }

    fn single_quoted(&mut self) -> Result<(), WordError> {
        let open = self.pos;
        self.pos += 1;
        let body = self.pos;
        match self.text[body..].find('\'') {
            None => {
                self.pos = self.text.len();
                self.error(WordErrorKind::UnclosedQuote('\''), open)
            }
            Some(n) => {
                self.pos = body + n;
                if self.mode.raw_quotes {
                    self.pos += 1;
                    self.push_text(open, true);
                } else {
                    self.push_text(body, true);
                    self.pos += 1;
                }
                Ok(())
            }
        }
    }

    fn quoted(&mut self, raw_escapes: bool) -> Result<(), WordError> {
        let escape = self.escape;
        let Some(byte) = self.plain(true, |b| matches!(b, b'"' | b'$') || char::from(b) == escape) else {
            return Ok(());
        };
        let start = self.pos;
        match byte {
            b'"' => {
                self.pos += 1;
                if self.mode.raw_quotes {
                    self.push_text(start, true);
                }
                self.frames.pop();
                if self.frames.is_empty() {
                    self.ops.push(Op::QuoteClose);
                }
                Ok(())
            }
            b'$' => self.dollar(),
            _ => {
                self.pos += 1;
                if raw_escapes {
                    self.push_text(start, true);
                }
                match self.peek() {
                    None => {}
                    Some(c) if c == '"' || c == '$' || c == escape => {
                        let escaped = self.pos;
                        self.pos += 1;
                        self.push_text(escaped, true);
                    }
                    // Before anything else it is an ordinary character. Kept as an escape already, it is there twice, as
                    // in the reference.
                    Some(_) => self.ops.push(Op::Text { range: start..self.pos, quoted: true }),
                }
                Ok(())
            }
        }
    }

    fn dollar(&mut self) -> Result<(), WordError> {
        let start = self.pos;
        self.pos += 1;
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                self.push_text(start, false);
            } else {
                self.value(start, name, Modifier::Bare);
            }
            return Ok(());
        }
        self.pos += 1;
        match self.peek() {
            None => return self.error(WordErrorKind::UnclosedBrace, start),
            Some('{' | '}' | ':') => {
                self.pos += 1;
                return self.error(WordErrorKind::NoName, start);
            }
            Some(_) => {}
        }
        let name = self.name();
        let written = self.pos;
        let Some(mut c) = self.next() else { return self.error(WordErrorKind::UnclosedBrace, start) };
        let colon = c == ':';
        if colon {
            match self.next() {
                None => return self.error(WordErrorKind::UnclosedBrace, start),
                Some(next) => c = next,
            }
        }
        let modifier = match (c, colon) {
            ('}', false) => {
                self.value(start, name, Modifier::Braced);
                return Ok(());
            }
            ('-', _) => Modifier::Default { colon },
            ('+', _) => Modifier::Alternative { colon },
            ('?', _) => Modifier::Required { colon },
            ('#', false) => Modifier::TrimPrefix,
            ('%', false) => Modifier::TrimSuffix,
            ('/', false) => {
                let all = self.peek() == Some('/');
                self.pos += usize::from(all);
                Modifier::Replace { all }
            }
            (c, true) if !matches!(c, '#' | '%') => Modifier::Unknown(c),
            _ => {
                let modifier = self.text[written..self.pos].to_owned();
                return self.error(WordErrorKind::Modifier(modifier), start);
            }
        };
        let index = self.uses.len();
        self.uses.push(Use { range: start..self.pos, name, modifier });
        self.ops.push(Op::Open(index));
        self.frames.push(match modifier {
            Modifier::Replace { .. } => Frame { kind: FrameKind::Pattern(index), raw_escapes: true },
            Modifier::TrimPrefix | Modifier::TrimSuffix => Frame { kind: FrameKind::Operand(index), raw_escapes: true },
            _ => Frame { kind: FrameKind::Operand(index), raw_escapes: false },
        });
        Ok(())
    }

    fn value(&mut self, start: usize, name: Range<usize>, modifier: Modifier) {
        self.ops.push(Op::Value(self.uses.len()));
        self.uses.push(Use { range: start..self.pos, name, modifier });
    }

    /// A name: digits, one of the shell's special parameters, or letters, digits and `_`. It may be empty.
    fn name(&mut self) -> Range<usize> {
        let start = self.pos;
        let first = self.peek();
        match first {
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => self.pos += 1,
            _ => {
                let belongs = if first.is_some_and(is_digit) { is_digit } else { is_name };
                while self.peek().is_some_and(belongs) {
                    self.next();
                }
            }
        }
        start..self.pos
    }
}
