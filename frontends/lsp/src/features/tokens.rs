//! `textDocument/semanticTokens/full`.

use std::ops::Range;

use rbc_grammar::{Item, Keyword, PieceKind};
use rbc_word::unicode::is_name;
use serde_json::{Value, json};

use crate::syntax::{Step, Syntax};
use crate::text::Text;

/// The legend: kinds of tokens by number.
pub(crate) const TYPES: [&str; 11] = [
    "keyword",
    "comment",
    "parameter",
    "property",
    "namespace",
    "class",
    "macro",
    "string",
    "variable",
    "operator",
    "modifier",
];

/// The legend: modifiers by bit.
pub(crate) const MODIFIERS: [&str; 1] = ["declaration"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keyword = 0,
    Comment = 1,
    Parameter = 2,
    Property = 3,
    Namespace = 4,
    Class = 5,
    Macro = 6,
    String = 7,
    Variable = 8,
    Operator = 9,
    Modifier = 10,
    /// A variable where it is declared.
    Declaration,
}

impl Kind {
    /// The number of the type, and the bits of the modifiers.
    fn numbers(self) -> [usize; 2] {
        match self {
            Kind::Declaration => [Kind::Variable as usize, 1],
            kind => [kind as usize, 0],
        }
    }
}

/// All tokens, each with its place relative to the one before.
pub(crate) fn all(syntax: &Syntax<'_>, text: &Text) -> Value {
    let mut tokens: Vec<(Range<usize>, Kind)> = Vec::new();
    let source = text.as_str();
    let trimmed = |range: &Range<usize>| {
        let line = &source[range.clone()];
        let start = range.start + (line.len() - line.trim_start().len());
        start..start + line.trim().len()
    };
    for directive in &syntax.directives {
        let (name, value) = (&directive.name_range, &directive.value);
        let equals = name.end + source[name.end..value.start].find('=').unwrap_or(0);
        tokens.push((directive.range.start..name.start, Kind::Comment));
        tokens.push((name.clone(), Kind::Property));
        tokens.push((equals..equals + 1, Kind::Operator));
        tokens.push((value.clone(), Kind::Parameter));
    }
    let last_directive = syntax.directives.last().map_or(0, |directive| directive.range.end);
    for item in &syntax.document.items {
        if let Item::Comment(range) = item
            && range.start >= last_directive
        {
            tokens.push((trimmed(range), Kind::Comment));
        }
    }
    for step in &syntax.steps {
        instruction(step, &mut tokens, &trimmed);
    }
    tokens.retain(|(range, _)| !range.is_empty());
    tokens.sort_by_key(|(range, _)| range.start);
    let (mut line, mut character) = (0, 0);
    let mut data: Vec<usize> = Vec::with_capacity(tokens.len() * 5);
    for (range, kind) in tokens {
        let at = text.position(range.start);
        let column = if at.line == line { at.character - character } else { at.character };
        data.extend([at.line - line, column, text.width(range)]);
        data.extend(kind.numbers());
        (line, character) = (at.line, at.character);
    }
    json!({"data": data})
}

fn instruction(
    step: &Step<'_>,
    tokens: &mut Vec<(Range<usize>, Kind)>,
    trimmed: &dyn Fn(&Range<usize>) -> Range<usize>,
) {
    let marks = Marks::of(step);
    let mut joined = 0;
    for piece in &step.instruction.pieces {
        match piece.kind {
            PieceKind::Comment => tokens.push((trimmed(&piece.range), Kind::Comment)),
            PieceKind::Continuation => tokens.push((piece.range.start..piece.range.start + 1, Kind::Macro)),
            PieceKind::Text => {
                let end = joined + piece.range.len();
                let from = marks.partition_point(|(range, _)| range.end <= joined);
                for (range, kind) in marks[from..].iter().take_while(|(range, _)| range.start < end) {
                    let place = |at: usize| piece.range.start + (at.clamp(joined, end) - joined);
                    tokens.push((place(range.start)..place(range.end), *kind));
                }
                joined = end;
            }
            _ => {}
        }
    }
    for heredoc in &step.instruction.heredocs {
        tokens.push((trimmed(&heredoc.end), Kind::Macro));
    }
}

/// Where the name of an image ends, and its tag or digest begins.
fn image_name(reference: &str) -> usize {
    let name = reference.find('@').unwrap_or(reference.len());
    let slash = reference[..name].rfind('/').unwrap_or(0);
    reference[slash..name].find(':').map_or(name, |colon| slash + colon)
}

/// Tokens of a joined line.
struct Marks<'l> {
    line: &'l str,
    list: Vec<(Range<usize>, Kind)>,
}

impl<'l> Marks<'l> {
    fn of(step: &'l Step<'_>) -> Vec<(Range<usize>, Kind)> {
        let mut marks = Marks { line: step.instruction.line.text(), list: Vec::new() };
        let mut at = 0;
        for _ in &step.heads {
            let start = marks.skip_blanks(at);
            at = marks.word_end(start);
            marks.push(start..at, Kind::Keyword);
            at = marks.skip_blanks(at);
            while marks.line[at..].starts_with("--") && at < step.args_start {
                let end = marks.word_end(at);
                marks.flag(at..end);
                at = marks.skip_blanks(end);
            }
        }
        marks.arguments(step, at);
        marks.list
    }

    fn push(&mut self, range: Range<usize>, kind: Kind) {
        if !range.is_empty() {
            self.list.push((range, kind));
        }
    }

    fn skip_blanks(&self, at: usize) -> usize {
        self.line.len() - self.line[at..].trim_start().len()
    }

    fn word_end(&self, at: usize) -> usize {
        at + self.line[at..].find(char::is_whitespace).unwrap_or(self.line.len() - at)
    }

    /// `--name=value`, or a list of `name=value` as value.
    fn flag(&mut self, range: Range<usize>) {
        let line = self.line;
        let mut at = range.start;
        for field in line[range.clone()].split(',') {
            let mut parts = field.split('=').peekable();
            while let Some(part) = parts.next() {
                let is_value = at > range.start && parts.peek().is_none() && field.contains('=');
                self.expression(at..at + part.len(), if is_value { Kind::Property } else { Kind::Parameter });
                at += part.len();
                if parts.peek().is_some() {
                    self.push(at..at + 1, Kind::Operator);
                    at += 1;
                }
            }
            at += 1;
        }
    }

    fn arguments(&mut self, step: &Step<'_>, mut at: usize) {
        let mut quote = None;
        let mut index = 0;
        at = self.skip_blanks(at);
        while at < self.line.len() {
            let end = self.word_end(at);
            let word = &self.line[at..end];
            let kind = match (step.keyword, index) {
                (Some(Keyword::From), 0) => Kind::Class,
                (Some(Keyword::From), 1) if word.eq_ignore_ascii_case("as") => Kind::Keyword,
                (Some(Keyword::From), 2) => Kind::Namespace,
                (Some(Keyword::Healthcheck), 0)
                    if word.eq_ignore_ascii_case("cmd") || word.eq_ignore_ascii_case("none") =>
                {
                    Kind::Keyword
                }
                _ => Kind::Parameter,
            };
            let (head, glue) = match step.keyword {
                Some(Keyword::From) if index == 0 => (image_name(word), 1),
                Some(Keyword::Arg) => (word.find('=').unwrap_or(word.len()), 0),
                Some(Keyword::Env) if index == 0 || word.contains('=') => (word.find('=').unwrap_or(word.len()), 0),
                _ => (0, 0),
            };
            let (first, rest) = match step.keyword {
                Some(Keyword::From) => (Kind::Class, Kind::Property),
                _ => (Kind::Declaration, Kind::Parameter),
            };
            if head == 0 || quote.is_some() {
                self.text(at..end, kind, &mut quote);
            } else {
                self.text(at..at + head, first, &mut quote);
                let equals = usize::from(glue == 0 && head < word.len());
                self.push(at + head..at + head + equals, Kind::Operator);
                self.text((at + head + equals.max(glue)).min(end)..end, rest, &mut quote);
            }
            index += 1;
            at = self.skip_blanks(end);
        }
    }

    fn expression(&mut self, range: Range<usize>, kind: Kind) {
        self.text(range, kind, &mut None);
    }

    /// Text with strings and variables in it. A string may have begun before, and go on behind.
    fn text(&mut self, range: Range<usize>, kind: Kind, quote: &mut Option<char>) {
        let line = self.line;
        let text = &line[..range.end];
        let mut start = range.start;
        let mut at = range.start;
        while let Some(c) = text[at..].chars().next() {
            let next = at + c.len_utf8();
            let current = if quote.is_some() { Kind::String } else { kind };
            match c {
                '$' => {
                    let brace = text[next..].starts_with('{');
                    let name = next + usize::from(brace);
                    let end = name + text[name..].find(|c| !is_name(c)).unwrap_or(text.len() - name);
                    if end == name {
                        at = next;
                        continue;
                    }
                    self.push(start..at, current);
                    at = if brace { self.braced(at, end, text.len()) } else { end };
                    if !brace {
                        self.push(next - 1..end, Kind::Variable);
                    }
                    start = at;
                }
                '\'' | '"' if *quote == Some(c) => {
                    self.push(start..next, Kind::String);
                    *quote = None;
                    (start, at) = (next, next);
                }
                '\'' | '"' if quote.is_none() => {
                    self.push(start..at, kind);
                    *quote = Some(c);
                    (start, at) = (at, next);
                }
                _ => at = next,
            }
        }
        self.push(start..range.end, if quote.is_some() { Kind::String } else { kind });
    }

    /// `${name:-word}`, of which `${name` is read; gives its end.
    fn braced(&mut self, start: usize, name_end: usize, limit: usize) -> usize {
        let text = &self.line[..limit];
        let Some(rest) = text[name_end..].strip_prefix(':') else {
            let end = name_end + usize::from(text[name_end..].starts_with('}'));
            self.push(start..end, Kind::Variable);
            return end;
        };
        self.push(start..name_end, Kind::Variable);
        self.push(name_end..name_end + 1, Kind::Operator);
        let end = text[name_end..].find('}').map_or(limit, |at| name_end + at + 1);
        let mut at = name_end + 1;
        if let Some(modifier) = rest.chars().next().filter(|c| *c != '}') {
            self.push(at..at + modifier.len_utf8(), Kind::Modifier);
            at += modifier.len_utf8();
        }
        if text[at..end].starts_with(['\'', '"']) {
            let closed = usize::from(
                text[..end].ends_with('}') && text[at..end - 1].len() > 1 && text[..end - 1].ends_with(['\'', '"']),
            );
            self.push(at..end - closed, Kind::String);
            at = end - closed;
        }
        self.push(at..end, Kind::Variable);
        end
    }
}
