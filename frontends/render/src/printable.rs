//! Text of others, made safe to print.

use std::borrow::Cow;

/// Longest message that is shown whole, in bytes.
const LONGEST: usize = 2000;

/// How a character is shown if it cannot be shown as it is: one that steers a terminal, changes the direction of what
/// follows, or cannot be told from nothing or from a plain space. Joiners and variation selectors stay: scripts and emoji
/// are made with them.
pub(crate) fn stand_in(c: char) -> Option<String> {
    let hidden = c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'
            | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    hidden.then(|| format!("<U+{:04X}>", u32::from(c)))
}

/// A text in one line; of a very long one the middle is left out.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::new();
    for c in shortened(text).chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => push(&mut out, c),
        }
    }
    out
}

/// A text that may have several lines; of a very long one the middle is left out.
pub(crate) fn lines(text: &str) -> String {
    let mut out = String::new();
    for c in shortened(text).replace("\r\n", "\n").chars() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c => push(&mut out, c),
        }
    }
    out
}

fn push(out: &mut String, c: char) {
    match stand_in(c) {
        Some(text) => out.push_str(&text),
        None => out.push(c),
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return text.into();
    }
    let head = &text[..text.floor_char_boundary(LONGEST * 3 / 4)];
    let tail = &text[text.ceil_char_boundary(text.len() - LONGEST / 4)..];
    format!("{head} [{} bytes left out] {tail}", text.len() - head.len() - tail.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_or_hides() {
        assert_eq!(line("a\u{1b}[31m\tb\nc\u{202e}d\u{7}"), "a<U+001B>[31m\\tb\\nc<U+202E>d<U+0007>");
        assert_eq!(lines("a\r\n\tb\r\u{9b}c"), "a\n    b<U+000D><U+009B>c");
        assert_eq!(line("RUN\u{a0}x \u{1f469}\u{200d}\u{1f4bb} é"), "RUN<U+00A0>x \u{1f469}\u{200d}\u{1f4bb} é");
    }

    #[test]
    fn long_texts_lose_their_middle() {
        let text = line(&"äb".repeat(1_000_000));
        assert!(text.len() < LONGEST + 50 && text.starts_with("äb") && text.ends_with("äb"), "{text}");
        assert!(text.contains(" bytes left out] "));
    }
}
