//! JSON as Go's encoding/json reads it: arrays of strings in instructions, and an object's member for syntax detection.
//!
//! A hand-written scanner and not pest: whether a text is JSON decides between exec and shell form, down to a nesting depth
//! of 10,000 (pest recurses per level) and the range of a number; and the decoding of escapes is a computation anyway.

use std::ops::Range;

/// The deepest nesting that counts as JSON.
const MAX_DEPTH: usize = 10_000;

/// Why a text is no array of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStrings {
    /// It is not a JSON array at all.
    NotAnArray,
    /// It is an array, but this element is not a string.
    Element(Range<usize>),
}

/// An element of an array of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The string.
    pub text: String,
    /// Where it stands, its quotes included.
    pub range: Range<usize>,
}

/// Reads an array of strings, which must be the whole text, white space around it aside.
///
/// # Errors
/// If it is none; a text that is not an array is to be told from an array with other elements.
pub fn string_array(text: &str) -> Result<Vec<Element>, NotStrings> {
    if !text.trim_start_matches(is_space).starts_with('[') {
        return Err(NotStrings::NotAnArray);
    }
    let mut elements = Vec::new();
    let mut other = None;
    scan(text, |event, depth, range| {
        if depth != 1 {
            return;
        }
        match event {
            Event::String => elements.push(Element { text: decode(&text[range.clone()]), range }),
            Event::Other | Event::Open => other = other.take().or(Some(range)),
            Event::Key => {}
        }
    })
    .ok_or(NotStrings::NotAnArray)?;
    match other {
        None => Ok(elements),
        Some(range) => Err(NotStrings::Element(range)),
    }
}

/// The string that is the value of `key` in an object, which must be the whole text.
pub fn string_member(text: &str, key: &str) -> Option<String> {
    if !text.trim_start_matches(is_space).starts_with('{') {
        return None;
    }
    let mut wanted = false;
    let mut found = None;
    scan(text, |event, depth, range| {
        if depth != 1 {
            return;
        }
        if event == Event::Key {
            wanted = decode(&text[range]) == key;
        } else if wanted {
            // Of equal keys the last counts.
            found = (event == Event::String).then(|| decode(&text[range]));
        }
    })?;
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    /// An array or object begins; its range is that of its bracket.
    Open,
    Key,
    String,
    /// A number, boolean or null.
    Other,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// Checks a text and tells of its parts; the depth is that of the containers around. None if it is not JSON.
fn scan(text: &str, mut tell: impl FnMut(Event, usize, Range<usize>)) -> Option<()> {
    let bytes = text.as_bytes();
    let mut containers: Vec<u8> = Vec::new();
    let mut expect = Expect::Value;
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(|b| is_space(char::from(*b))) {
            at += 1;
        }
        let Some(&byte) = bytes.get(at) else {
            return (containers.is_empty() && expect == Expect::CommaOrEnd).then_some(());
        };
        let start = at;
        at += 1;
        match (expect, byte) {
            (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') if containers.last() == Some(&b'[') => {
                containers.pop();
                expect = Expect::CommaOrEnd;
            }
            (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') if containers.last() == Some(&b'{') => {
                containers.pop();
                expect = Expect::CommaOrEnd;
            }
            (Expect::CommaOrEnd, b',') => match containers.last()? {
                b'[' => expect = Expect::Value,
                _ => expect = Expect::Key,
            },
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                at = string_end(bytes, at)?;
                tell(Event::Key, containers.len(), start..at);
                expect = Expect::Colon;
            }
            (Expect::Colon, b':') => expect = Expect::Value,
            (Expect::Value | Expect::ValueOrEnd, _) => {
                let event = match byte {
                    b'[' | b'{' => Event::Open,
                    b'"' => {
                        at = string_end(bytes, at)?;
                        Event::String
                    }
                    b'-' | b'0'..=b'9' => {
                        at = number_end(text, start)?;
                        Event::Other
                    }
                    _ => {
                        let word = ["true", "false", "null"].into_iter().find(|w| text[start..].starts_with(w))?;
                        at = start + word.len();
                        Event::Other
                    }
                };
                tell(event, containers.len(), start..at);
                expect = Expect::CommaOrEnd;
                if event == Event::Open {
                    if containers.len() == MAX_DEPTH {
                        return None;
                    }
                    containers.push(byte);
                    expect = if byte == b'[' { Expect::ValueOrEnd } else { Expect::KeyOrEnd };
                }
            }
            _ => return None,
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The offset behind the string whose first character behind the quote is at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match *bytes.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
                _ => return None,
            },
            0..=0x1F => return None,
            _ => at += 1,
        }
    }
}

/// The offset behind a number; None if there is none or it is too large for a float.
fn number_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        let first = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > first).then_some(at)
    };
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at = digits(at + usize::from(matches!(bytes.get(at), Some(b'+' | b'-'))))?;
    }
    text[start..at].parse::<f64>().is_ok_and(f64::is_finite).then_some(at)
}

/// The value of a string literal that has been checked.
fn decode(literal: &str) -> String {
    let body = literal.get(1..literal.len() - 1).unwrap_or_default();
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = escape.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{C}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let unit = |s: &str| u32::from_str_radix(s.get(..4)?, 16).ok();
                let first = unit(chars.as_str()).unwrap_or_default();
                rest = chars.as_str().get(4..).unwrap_or_default();
                let second = rest.strip_prefix("\\u").and_then(unit).filter(|u| (0xDC00..0xE000).contains(u));
                let c = match (first, second) {
                    (0xD800..0xDC00, Some(second)) => {
                        rest = rest.get(6..).unwrap_or_default();
                        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
                    }
                    _ => char::from_u32(first),
                };
                // Half of a surrogate pair stands for nothing.
                out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
                continue;
            }
            Some(c) => out.push(c),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Option<Vec<String>> {
        string_array(text).ok().map(|e| e.into_iter().map(|e| e.text).collect())
    }

    #[test]
    fn arrays() {
        assert_eq!(strings(r#"["a", "b\n\"\/"]"#), Some(vec!["a".into(), "b\n\"/".into()]));
        assert_eq!(strings(" [ ] "), Some(vec![]));
        assert_eq!(strings(r#"["\ud83d\ude00\ud83dx\ud83d\u0041\udc00"]"#).unwrap(), ["😀\u{FFFD}x\u{FFFD}A\u{FFFD}"]);
        assert_eq!(string_array(r#"["é", "x"]"#).unwrap()[1].range, 7..10);
        for none in [
            "",
            "x",
            "[",
            "['a']",
            r#"["a",]"#,
            r#"["a"] x"#,
            r#"["a" "b"]"#,
            r#"["\x"]"#,
            "[\"\t\"]",
            "[01]",
            "[1.]",
            "[1e999]",
            "[-]",
            "[tru]",
            r#"{"a":1}"#,
            "[}",
            "\u{A0}[]",
        ] {
            assert_eq!(string_array(none), Err(NotStrings::NotAnArray), "{none}");
        }
        for (text, range) in
            [(r#"["a", 1]"#, 6..7), ("[null]", 1..5), (r#"[{"a": [1, -2.5e+3]}]"#, 1..2), ("[[]]", 1..2)]
        {
            assert_eq!(string_array(text), Err(NotStrings::Element(range)));
        }
    }

    #[test]
    fn depth() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert_eq!(string_array(&nested(10_000)), Err(NotStrings::Element(1..2)));
        assert_eq!(string_array(&nested(10_001)), Err(NotStrings::NotAnArray));
        assert_eq!(string_array(&"[".repeat(5_000_000)), Err(NotStrings::NotAnArray));
    }

    #[test]
    fn members() {
        assert_eq!(string_member(r#"{"a": {"syntax": "no"}, "s\u0079ntax": "yes"}"#, "syntax").as_deref(), Some("yes"));
        assert_eq!(string_member(r#"{"syntax": "a", "syntax": 1}"#, "syntax"), None);
        assert_eq!(string_member(r#"{"syntax": "a""#, "syntax"), None);
        assert_eq!(string_member(r#"["syntax"]"#, "syntax"), None);
    }
}
