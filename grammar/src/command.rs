//! One instruction: keyword, flags, arguments.
//!
//! Written by hand: flags end where a word does not begin with `--`, quoting and escaping differ from argument to argument, and
//! the reference reads flags byte by byte. What stands inside flags and arguments has grammars ([`crate::values`]).

use std::borrow::Cow;
use std::ops::Range;

use rbc_word::unicode::to_lower;

use crate::json::{self, NotStrings};

/// The instructions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
}

impl Keyword {
    /// All, by name.
    pub const ALL: [(&'static str, Keyword); 18] = [
        ("add", Keyword::Add),
        ("arg", Keyword::Arg),
        ("cmd", Keyword::Cmd),
        ("copy", Keyword::Copy),
        ("entrypoint", Keyword::Entrypoint),
        ("env", Keyword::Env),
        ("expose", Keyword::Expose),
        ("from", Keyword::From),
        ("healthcheck", Keyword::Healthcheck),
        ("label", Keyword::Label),
        ("maintainer", Keyword::Maintainer),
        ("onbuild", Keyword::Onbuild),
        ("run", Keyword::Run),
        ("shell", Keyword::Shell),
        ("stopsignal", Keyword::StopSignal),
        ("user", Keyword::User),
        ("volume", Keyword::Volume),
        ("workdir", Keyword::Workdir),
    ];

    /// The instruction of a name, in any case.
    pub fn find(word: &str) -> Option<Keyword> {
        let exact = Self::ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        let found = exact.or_else(|| {
            let lower = (!word.is_ascii()).then(|| to_lower(word))?;
            Self::ALL.into_iter().find(|(name, _)| *name == lower)
        });
        found.map(|(_, keyword)| keyword)
    }

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, k)| *k == self).map_or("", |(name, _)| name)
    }
}

/// A text within an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'l> {
    /// The text, which may differ from what is written.
    pub text: Cow<'l, str>,
    /// Where it is written, in the joined line.
    pub range: Range<usize>,
}

impl Text<'_> {
    /// Where a part of the text is written: if the text is not as written, all of it is.
    pub fn part(&self, part: Range<usize>) -> Range<usize> {
        match self.text {
            Cow::Borrowed(_) if self.range.len() == self.text.len() => {
                self.range.start + part.start..self.range.start + part.end
            }
            _ => self.range.clone(),
        }
    }
}

/// Keyword and flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'l> {
    /// The keyword as written; empty if the line is.
    pub keyword: Text<'l>,
    /// The instruction that it names, if there is such.
    pub instruction: Option<Keyword>,
    /// The flags, from `--` on, without quotes and escapes. A text is as written if it borrows.
    pub flags: Vec<Text<'l>>,
}

/// A key and its value in ENV or LABEL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairText<'l> {
    /// The key; may be empty.
    pub key: Text<'l>,
    /// The value.
    pub value: Text<'l>,
    /// White space and no `=` is between them.
    pub legacy: bool,
}

/// Arguments as the instruction's own rules split them. Quotes and escapes are still in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Args<'l> {
    /// Words, or one text.
    Words {
        /// The words; of an instruction that takes its line as a whole, none or one.
        words: Vec<Text<'l>>,
        /// They were a JSON array (behind the first word, for HEALTHCHECK).
        json: bool,
    },
    /// Keys and values.
    Pairs(Vec<PairText<'l>>),
}

/// Why arguments cannot be split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgsError {
    /// The reason.
    pub kind: ArgsErrorKind,
    /// The place, in the joined line.
    pub range: Range<usize>,
}

/// Reasons for an [`ArgsError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgsErrorKind {
    /// An element of a JSON array is not a string.
    NotStrings,
    /// A key without a value.
    KeyOnly(String),
    /// A word among pairs has no `=`.
    NotAPair(String),
}

/// An instruction, split.
#[derive(Clone, Debug)]
pub struct Command<'l> {
    /// Its keyword and flags, and behind ONBUILD those of the trigger, and so on.
    pub heads: Vec<Head<'l>>,
    /// The arguments of the last keyword.
    pub args: Result<Args<'l>, ArgsError>,
    /// Where the arguments begin in the joined line.
    pub args_start: usize,
}

impl<'l> Command<'l> {
    /// Splits an instruction's joined line.
    pub fn parse(line: &'l str, escape: char) -> Self {
        let mut heads = Vec::new();
        let mut rest = Rest { text: Cow::Borrowed(line), start: 0 };
        loop {
            let (head, args) = split_head(rest, escape);
            let keyword = head.instruction;
            heads.push(head);
            if keyword == Some(Keyword::Onbuild) && !args.text.is_empty() {
                rest = args;
                continue;
            }
            let args_start = args.start;
            return Command { heads, args: split_args(keyword, args, escape), args_start };
        }
    }

    /// The outermost keyword and flags.
    pub fn head(&self) -> &Head<'l> {
        &self.heads[0]
    }

    /// The instruction it is.
    pub fn keyword(&self) -> Option<Keyword> {
        self.head().instruction
    }

    /// Whether `<<` in it opens heredocs.
    pub fn opens_heredocs(&self) -> bool {
        let trigger = self.keyword() == Some(Keyword::Onbuild);
        let Some(head) = self.heads.get(usize::from(trigger)) else { return false };
        matches!(head.instruction, Some(Keyword::Add | Keyword::Copy | Keyword::Run))
            && matches!(self.args, Ok(Args::Words { json: false, .. }))
    }
}

/// The rest of a line.
#[derive(Clone, Debug)]
struct Rest<'l> {
    /// Owned only where the reference splits a character: then it begins with replacement characters.
    text: Cow<'l, str>,
    /// Where it begins in the line.
    start: usize,
}

impl<'l> Rest<'l> {
    fn cut(&self, range: Range<usize>) -> Text<'l> {
        let at = self.start + range.start..self.start + range.end;
        let text = match &self.text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
            Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
        };
        Text { text, range: at }
    }

    fn whole(&self) -> Text<'l> {
        self.cut(0..self.text.len())
    }

    /// What follows a byte offset, without white space around it.
    fn behind(&self, at: usize) -> Rest<'l> {
        if !self.text.is_char_boundary(at) {
            let text = String::from_utf8_lossy(&self.text.as_bytes()[at..]).trim().to_owned();
            return Rest { text: Cow::Owned(text), start: self.start + at };
        }
        let rest = &self.text[at..];
        let from = at + (rest.len() - rest.trim_start().len());
        let to = from + rest.trim().len();
        Rest { text: self.cut(from..to).text, start: self.start + from }
    }
}

/// White space between words: ASCII's without the line feed.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{B}' | '\u{C}' | '\r' | ' ')
}

/// White space among the first 256 characters. The reference takes single bytes for characters in places.
fn is_byte_space(b: u8) -> bool {
    matches!(b, b'\t'..=b'\r' | b' ' | 0x85 | 0xA0)
}

fn split_head<'l>(line: Rest<'l>, escape: char) -> (Head<'l>, Rest<'l>) {
    let line = line.behind(0);
    let end = line.text.find(is_blank).unwrap_or(line.text.len());
    let keyword = line.cut(0..end);
    let behind = line.text[end..].trim_start_matches(is_blank);
    let (flags, args) = split_flags(&line, line.text.len() - behind.len(), escape);
    (Head { instruction: Keyword::find(&keyword.text), keyword, flags }, line.behind(args))
}

/// Takes flags from `at` on and gives the byte offset behind them. Each byte counts as a character: what is beyond ASCII in a
/// flag comes out as the reference has it, in Latin-1.
fn split_flags<'l>(line: &Rest<'l>, mut at: usize, escape: char) -> (Vec<Text<'l>>, usize) {
    let bytes = line.text.as_bytes();
    let is_escape = |b: u8| char::from(b) == escape;
    let mut flags = Vec::new();
    loop {
        while bytes.get(at).copied().is_some_and(is_byte_space) {
            at += 1;
        }
        if !bytes[at..].starts_with(b"--") {
            return (flags, at);
        }
        let start = at;
        // A flag without quotes, escapes and what is beyond ASCII is as it is written.
        let is_plain = |b: &&u8| b.is_ascii() && !matches!(b, b'\'' | b'"') && !is_escape(**b);
        let plain = bytes[at..].iter().take_while(|b| is_plain(b) && !is_byte_space(**b)).count();
        if bytes.get(at + plain).is_none_or(|b| is_plain(&b)) {
            at += plain;
            if plain == 2 {
                return (flags, at);
            }
            flags.push(line.cut(start..at));
            continue;
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(&byte) = bytes.get(at) {
            if quote.is_none() && is_byte_space(byte) {
                break;
            }
            at += 1;
            if quote == Some(byte) {
                quote = None;
            } else if quote.is_none() && matches!(byte, b'\'' | b'"') {
                quote = Some(byte);
            } else if !is_escape(byte) {
                word.push(char::from(byte));
            } else if let Some(&escaped) = bytes.get(at) {
                word.push(char::from(escaped));
                at += 1;
            }
        }
        if word == "--" {
            return (flags, at);
        }
        let range = line.start + start..line.start + at;
        match line.text.get(start..at) {
            Some(written) if written == word => flags.push(line.cut(start..at)),
            _ => flags.push(Text { text: Cow::Owned(word), range }),
        }
    }
}

fn split_args<'l>(keyword: Option<Keyword>, args: Rest<'l>, escape: char) -> Result<Args<'l>, ArgsError> {
    use Keyword::*;
    let words = |words| Ok(Args::Words { words, json: false });
    let whole = |args: &Rest<'l>| if args.text.is_empty() { Vec::new() } else { vec![args.whole()] };
    match keyword {
        Some(Add | Copy | Volume) => match json_words(&args)? {
            Some(words) => Ok(Args::Words { words, json: true }),
            None => words(blank_separated(&args)),
        },
        Some(Cmd | Entrypoint | Run | Shell) => match json_words(&args)? {
            Some(words) => Ok(Args::Words { words, json: true }),
            None => words(whole(&args)),
        },
        Some(Expose | From) => words(blank_separated(&args)),
        Some(Maintainer | StopSignal | User | Workdir | Onbuild) => words(whole(&args)),
        Some(Arg) => words(quoted_words(&args.text, escape).into_iter().map(|r| args.cut(r)).collect()),
        Some(Env | Label) => pairs(&args, escape).map(Args::Pairs),
        Some(Healthcheck) => {
            let bytes = args.text.as_bytes();
            let end = bytes.iter().position(|b| is_byte_space(*b)).unwrap_or(bytes.len());
            if end == 0 {
                return words(Vec::new());
            }
            let kind = match args.text.is_char_boundary(end) {
                true => args.cut(0..end),
                false => Text {
                    text: Cow::Owned(String::from_utf8_lossy(&bytes[..end]).into_owned()),
                    range: args.start..args.start + end,
                },
            };
            let blanks = bytes[end..].iter().take_while(|b| is_byte_space(**b)).count();
            let command = args.behind(end + blanks);
            let (mut command, json) = match json_words(&command)? {
                Some(words) => (words, true),
                None => (whole(&command), false),
            };
            command.insert(0, kind);
            Ok(Args::Words { words: command, json })
        }
        None => words(Vec::new()),
    }
}

/// The elements of a JSON array, if the arguments are one.
fn json_words<'l>(args: &Rest<'l>) -> Result<Option<Vec<Text<'l>>>, ArgsError> {
    let place = |range: Range<usize>| args.start + range.start..args.start + range.end;
    match json::string_array(&args.text) {
        Ok(elements) => {
            let text = |e: json::Element| Text { text: Cow::Owned(e.text), range: place(e.range) };
            Ok(Some(elements.into_iter().map(text).collect()))
        }
        Err(NotStrings::NotAnArray) => Ok(None),
        Err(NotStrings::Element(range)) => Err(ArgsError { kind: ArgsErrorKind::NotStrings, range: place(range) }),
    }
}

fn blank_separated<'l>(args: &Rest<'l>) -> Vec<Text<'l>> {
    let mut words = Vec::new();
    let mut at = 0;
    for word in args.text.split(is_blank) {
        if !word.is_empty() {
            words.push(args.cut(at..at + word.len()));
        }
        at += word.len() + 1;
    }
    words
}

/// The words of a text that are separated by white space outside quotes, quotes and escapes left in. An escape character at
/// the very end belongs to no word.
fn quoted_words(text: &str, escape: char) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut chars = text.char_indices();
    while let Some((start, first)) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut end = start;
        let mut quote = None;
        let mut next = Some((start, first));
        while let Some((at, c)) = next {
            if quote.is_none() && c.is_whitespace() {
                break;
            }
            end = at + c.len_utf8();
            if c == escape && quote != Some('\'') {
                match chars.next() {
                    Some((at, c)) => end = at + c.len_utf8(),
                    None => end = at,
                }
            } else if quote == Some(c) {
                quote = None;
            } else if quote.is_none() && matches!(c, '\'' | '"') {
                quote = Some(c);
            }
            next = chars.next();
        }
        if end > start {
            words.push(start..end);
        }
    }
    words
}

fn pairs<'l>(args: &Rest<'l>, escape: char) -> Result<Vec<PairText<'l>>, ArgsError> {
    let text = &*args.text;
    let words = quoted_words(text, escape);
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    let error =
        |kind, range: Range<usize>| Err(ArgsError { kind, range: args.start + range.start..args.start + range.end });
    if !text[first.clone()].contains('=') {
        let Some(end) = text.find(is_blank) else {
            return error(ArgsErrorKind::KeyOnly(text.to_owned()), 0..text.len());
        };
        let value = text.len() - text[end..].trim_start_matches(is_blank).len();
        return Ok(vec![PairText { key: args.cut(0..end), value: args.cut(value..text.len()), legacy: true }]);
    }
    let mut pairs = Vec::with_capacity(words.len());
    for word in words {
        let Some(equals) = text[word.clone()].find('=') else {
            return error(ArgsErrorKind::NotAPair(text[word.clone()].to_owned()), word);
        };
        let equals = word.start + equals;
        pairs.push(PairText {
            key: args.cut(word.start..equals),
            value: args.cut(equals + 1..word.end),
            legacy: false,
        });
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(line: &str) -> Vec<(String, Vec<String>)> {
        let flags = |h: &Head<'_>| h.flags.iter().map(|f| f.text.to_string()).collect();
        Command::parse(line, '\\').heads.iter().map(|h| (h.keyword.text.to_string(), flags(h))).collect()
    }

    fn words(line: &str) -> Vec<String> {
        match Command::parse(line, '\\').args {
            Ok(Args::Words { words, .. }) => words.into_iter().map(|w| w.text.into_owned()).collect(),
            Ok(Args::Pairs(pairs)) => pairs
                .into_iter()
                .map(|p| format!("{}{}{}", p.key.text, if p.legacy { " " } else { "=" }, p.value.text))
                .collect(),
            Err(error) => vec![format!("{error:?}")],
        }
    }

    fn json(line: &str) -> bool {
        matches!(Command::parse(line, '\\').args, Ok(Args::Words { json: true, .. }))
    }

    #[test]
    fn flags() {
        assert_eq!(
            heads(r#" COPY --from=a --chown='x y' --z="a\"b" --e\ f -- --not a"#),
            [("COPY".into(), ["--from=a", "--chown=x y", "--z=a\"b", "--e f"].map(String::from).to_vec())]
        );
        assert_eq!(words("COPY -- --not a"), ["--not", "a"]);
        assert_eq!(words("COPY --a=b c d"), ["c", "d"]);
        assert_eq!(words("RUN - x"), ["- x"]);
        assert_eq!(heads("RUN --x\\"), [("RUN".into(), vec!["--x".into()])]);
        // As in the reference: flags are read as Latin-1, where the last byte of à is a space.
        assert_eq!(heads("RUN --a=é x")[0].1, ["--a=\u{C3}\u{A9}"]);
        assert_eq!(
            (heads("RUN --a=à x")[0].1.clone(), words("RUN --a=à x")),
            (vec!["--a=\u{C3}".into()], vec!["x".into()])
        );
        assert_eq!(words("COPY --a=全 x y"), ["\u{FFFD}", "x", "y"]);
        let line = "COPY  --a=b  --'c'=d x";
        let command = Command::parse(line, '\\');
        let places: Vec<_> = command.head().flags.iter().map(|f| &line[f.range.clone()]).collect();
        assert_eq!(places, ["--a=b", "--'c'=d"]);
        assert_eq!(command.head().flags[0].part(4..5), 10..11);
        assert_eq!(command.head().flags[1].part(4..5), 13..20);
    }

    #[test]
    fn arguments() {
        assert_eq!(words("RUN  echo \"a\"  b "), ["echo \"a\"  b"]);
        assert_eq!(words("CMD [\"a\", \"b\"]"), ["a", "b"]);
        assert!(json("cmd []") && !json("CMD [a]") && !json("EXPOSE [\"1\"]"));
        assert_eq!(words("ENV a=1 b='x y' c=\"z\\\" w\" d=\\ e"), ["a=1", "b='x y'", "c=\"z\\\" w\"", "d=\\ e"]);
        assert_eq!(words("LABEL a b=c  d"), ["a b=c  d"]);
        assert_eq!(words("ARG a b=\"c d\" e\\"), ["a", "b=\"c d\"", "e"]);
        assert_eq!(words("HEALTHCHECK --x CMD  [\"a\"]"), ["CMD", "a"]);
        assert_eq!(words("HEALTHCHECK cmd a b"), ["cmd", "a b"]);
        assert_eq!(words("HEALTHCHECK NONEà"), ["NONE\u{FFFD}"]);
        assert_eq!(words("FROM \ta\u{B}as b"), ["a", "as", "b"]);
        assert_eq!(words("BOGUS a b"), [""; 0]);
        assert_eq!(words(""), [""; 0]);
        for (line, kind) in [
            ("CMD [1]", ArgsErrorKind::NotStrings),
            ("ENV a", ArgsErrorKind::KeyOnly("a".into())),
            ("ENV a=b c", ArgsErrorKind::NotAPair("c".into())),
        ] {
            let error = Command::parse(line, '\\').args.unwrap_err();
            assert_eq!((error.kind, error.range.end), (kind, line.len() - usize::from(line.ends_with(']'))));
        }
    }

    #[test]
    fn triggers() {
        let names = |line| heads(line).into_iter().map(|h| h.0).collect::<Vec<_>>();
        assert_eq!(names("ONBUILD RUN x"), ["ONBUILD", "RUN"]);
        assert_eq!(names("ONBUILD"), ["ONBUILD"]);
        let deep = "ONBUILD ".repeat(200_000);
        assert_eq!(names(&deep).len(), 200_000);
        let opens = |line| Command::parse(line, '\\').opens_heredocs();
        assert!(opens("RUN <<a") && opens("onbuild copy <<a /") && !opens("ONBUILD ONBUILD RUN <<a"));
        assert!(!opens("RUN [\"<<a\"]") && !opens("CMD <<a") && !opens("COPY [1]"));
    }

    #[test]
    fn names() {
        assert_eq!(Keyword::find("WoRKDIR"), Some(Keyword::Workdir));
        assert_eq!(Keyword::find("WOR\u{212A}D\u{130}R"), Some(Keyword::Workdir));
        assert_eq!(Keyword::find("RUNS"), None);
        assert_eq!(Keyword::StopSignal.name(), "stopsignal");
    }
}
