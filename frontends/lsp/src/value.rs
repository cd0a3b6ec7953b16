//! Names and values of ARG and ENV, also of half a line.

use std::ops::Range;

/// A name with its value.
pub(crate) struct Pair {
    /// Where the name is, in the joined line.
    pub name: Range<usize>,
    /// The value, quotes and escapes resolved.
    pub value: Option<String>,
}

/// The pairs from `at` of a joined line on. With `legacy`, a first word without `=` is a name whose value is the rest.
pub(crate) fn pairs(line: &str, at: usize, escape: char, legacy: bool) -> Vec<Pair> {
    let words = words(line, at, escape);
    let Some(first) = words.first() else { return Vec::new() };
    if legacy && !line[first.clone()].contains('=') {
        let rest = line[first.end..].trim();
        let value = (!rest.is_empty()).then(|| unquote(rest, escape, true));
        return vec![Pair { name: first.clone(), value }];
    }
    let pairs = words.into_iter().map(|word| match line[word.clone()].find('=') {
        Some(equals) => Pair {
            name: word.start..word.start + equals,
            value: Some(unquote(&line[word.start + equals + 1..word.end], escape, false)),
        },
        None => Pair { name: word, value: None },
    });
    pairs.filter(|pair| !pair.name.is_empty()).collect()
}

/// Words that white space outside quotes separates.
pub(crate) fn words(line: &str, at: usize, escape: char) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut chars = line[at.min(line.len())..].char_indices();
    while let Some((index, c)) = chars.next() {
        let index = at + index;
        if quote.is_none() && c.is_whitespace() {
            words.extend(start.take().map(|start| start..index));
            continue;
        }
        start.get_or_insert(index);
        if c == escape && quote != Some('\'') {
            chars.next();
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        }
    }
    words.extend(start.map(|start| start..line.len()));
    words
}

/// A value without quotes and escapes. In the legacy form, quotes count only around the whole.
fn unquote(text: &str, escape: char, _legacy: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            _ if c == escape && quote != Some('\'') => match chars.peek() {
                Some(next) if quote.is_none() || matches!(next, '"' | '$') || *next == escape => {
                    out.extend(chars.next())
                }
                _ => out.push(c),
            },
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            _ => out.push(c),
        }
    }
    out
}
