//! The tokens of HCL's native syntax, as far as a formatter must tell them apart.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The end of a line.
    Newline,
    /// A comment that ends with its line.
    LineComment,
    /// A comment between `/*` and `*/`.
    BlockComment,
    /// A name.
    Ident,
    /// A number.
    Number,
    /// A text in quotes without expressions in it.
    Quoted,
    /// Of a text in quotes with expressions: what stands before the first one, with the quote.
    Head,
    /// What stands between two expressions.
    Middle,
    /// What stands behind the last one, with the quote.
    Tail,
    /// `${` or `%{`, with `~` if it is there.
    OpenTemplate,
    /// The `}` or `~}` that belongs to it.
    CloseTemplate,
    /// A heredoc, from its `<<` to its last line.
    Heredoc,
    /// `(`, `[` or `{`.
    Open(u8),
    /// `)`, `]` or `}`.
    Close(u8),
    /// `,`
    Comma,
    /// `...`
    Ellipsis,
    /// `.`
    Dot,
    /// `::`
    DoubleColon,
    /// `=`
    Equal,
    /// `!`
    Bang,
    /// `-`
    Minus,
    /// Another operator or separator, which has an operand behind it.
    Operator,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// How deep strings may be in strings.
const DEPTH_MAX: usize = 200;

/// What may stand before everything else.
pub const MARK: &str = "\u{feff}";

/// Splits a text; `None` if there is something that is no token.
pub fn lex(text: &str) -> Option<Vec<Token>> {
    let start = if text.starts_with(MARK) { MARK.len() } else { 0 };
    let mut lexer = Lexer { text, at: start, tokens: Vec::new() };
    lexer.expressions(0)?;
    (lexer.at == text.len()).then_some(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn push(&mut self, kind: Kind, len: usize) {
        self.tokens.push(Token { kind, range: self.at..self.at + len });
        self.at += len;
    }

    /// Reads tokens up to the end of the text, or to a `}` or `~}` that nothing here opened.
    fn expressions(&mut self, depth: usize) -> Option<()> {
        let mut open = 0_usize;
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with([' ', '\t']) {
                self.at += 1;
                continue;
            }
            if rest.starts_with('"') {
                self.quoted(depth + 1)?;
                continue;
            }
            if depth > 0 && (rest.starts_with("~}") || rest.starts_with('}') && open == 0) {
                return Some(());
            }
            let (kind, len) = next(rest)?;
            match kind {
                Kind::Open(b'{') => open += 1,
                Kind::Close(b'}') => open = open.saturating_sub(1),
                _ => {}
            }
            self.push(kind, len);
        }
        Some(())
    }

    /// Reads a text in quotes, which may have expressions with such texts in it.
    fn quoted(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut begun = false;
        let mut len = 1;
        loop {
            let bytes = self.text.as_bytes().get(self.at..)?;
            match bytes.get(len)? {
                b'"' => {
                    self.push(if begun { Kind::Tail } else { Kind::Quoted }, len + 1);
                    return Some(());
                }
                b'\n' => return None,
                b'\\' => len += 2,
                b'$' | b'%' if bytes[len..].starts_with(b"$${") || bytes[len..].starts_with(b"%%{") => len += 3,
                b'$' | b'%' if bytes.get(len + 1) == Some(&b'{') => {
                    match (begun, len) {
                        (false, _) => self.push(Kind::Head, len),
                        (true, 0) => {}
                        (true, _) => self.push(Kind::Middle, len),
                    }
                    begun = true;
                    let trims = self.text[self.at + 2..].starts_with('~');
                    self.push(Kind::OpenTemplate, 2 + usize::from(trims));
                    self.expressions(depth)?;
                    let trims = self.text[self.at..].starts_with('~');
                    self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
                    self.push(Kind::CloseTemplate, 1 + usize::from(trims));
                    len = 0;
                }
                _ => len += 1,
            }
        }
    }
}

fn next(rest: &str) -> Option<(Kind, usize)> {
    let first = rest.chars().next()?;
    let line = || rest.find('\n').map_or(rest.len(), |end| if rest[..end].ends_with('\r') { end - 1 } else { end });
    Some(match first {
        '\n' => (Kind::Newline, 1),
        '\r' if rest.starts_with("\r\n") => (Kind::Newline, 2),
        '#' => (Kind::LineComment, line()),
        '/' if rest.starts_with("//") => (Kind::LineComment, line()),
        '/' if rest.starts_with("/*") => (Kind::BlockComment, rest.find("*/")? + 2),
        '<' if rest.starts_with("<<") => (Kind::Heredoc, heredoc(rest)?),
        '0'..='9' => (Kind::Number, number(rest)),
        c if is_name(c) => (Kind::Ident, rest.find(|c| !is_name(c) && c != '-').unwrap_or(rest.len())),
        _ => {
            const SIGNS: [(&str, Kind); 26] = [
                ("...", Kind::Ellipsis),
                ("::", Kind::DoubleColon),
                ("=>", Kind::Operator),
                ("==", Kind::Operator),
                ("!=", Kind::Operator),
                ("<=", Kind::Operator),
                (">=", Kind::Operator),
                ("&&", Kind::Operator),
                ("||", Kind::Operator),
                ("(", Kind::Open(b'(')),
                ("[", Kind::Open(b'[')),
                ("{", Kind::Open(b'{')),
                (")", Kind::Close(b')')),
                ("]", Kind::Close(b']')),
                ("}", Kind::Close(b'}')),
                (",", Kind::Comma),
                (".", Kind::Dot),
                ("=", Kind::Equal),
                ("!", Kind::Bang),
                ("-", Kind::Minus),
                ("+", Kind::Operator),
                ("*", Kind::Operator),
                ("/", Kind::Operator),
                ("%", Kind::Operator),
                ("?", Kind::Operator),
                (":", Kind::Operator),
            ];
            let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
            match sign {
                Some((sign, kind)) => (*kind, sign.len()),
                None if matches!(first, '<' | '>') => (Kind::Operator, 1),
                None => return None,
            }
        }
    })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn number(rest: &str) -> usize {
    let digits = |from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())
    };
    let mut len = digits(0);
    if rest[len..].starts_with('.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
    }
    if rest[len..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
        if digits(len + 1 + sign) > 0 {
            len += 1 + sign + digits(len + 1 + sign);
        }
    }
    len
}

/// The length of a heredoc without the end of its last line.
fn heredoc(rest: &str) -> Option<usize> {
    let first = rest.find('\n')?;
    let name = rest[2..first].trim_start_matches('-').trim();
    if name.is_empty() || !name.chars().all(|c| is_name(c) || c == '-') {
        return None;
    }
    let mut at = first + 1;
    for line in rest[first + 1..].split_inclusive('\n') {
        if line.trim() == name {
            return Some(at + line.trim_end().len());
        }
        at += line.len();
    }
    None
}
