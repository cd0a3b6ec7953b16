//! Text of others in languages of ours, in which it must stay text.

use std::borrow::Cow;

/// What has no place in shown text: controls, which XML forbids, separators of lines, which end a line where nobody sees
/// it, and marks that turn the direction of what stands around
/// them, with which a text can look like another.
fn is_hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// Replaces some characters.
fn replace(text: &str, f: impl Fn(char) -> Option<Cow<'static, str>>) -> Cow<'_, str> {
    if text.chars().all(|c| f(c).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match f(c) {
            Some(instead) => out.push_str(&instead),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// As the content of an element or of an attribute in double quotes.
pub(crate) fn xml(text: &str) -> Cow<'_, str> {
    replace(text, |c| {
        Some(Cow::Borrowed(match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            c if is_hidden(c) => "\u{fffd}",
            _ => return None,
        }))
    })
}

/// As a JSON string, with its quotes, that may stand in a script element: no character of it can end one or a line.
pub(crate) fn json(text: &str) -> String {
    let inner = replace(text, |c| match c {
        '"' => Some("\\\"".into()),
        '\\' => Some("\\\\".into()),
        '\n' => Some("\\n".into()),
        '\t' => Some("\\t".into()),
        '<' | '>' | '&' | '\'' | '\u{2028}' | '\u{2029}' => Some(format!("\\u{:04x}", u32::from(c)).into()),
        c if is_hidden(c) => Some("\\ufffd".into()),
        _ => None,
    });
    format!("\"{inner}\"")
}

/// As a quoted string of the language of Graphviz, with its quotes.
pub(crate) fn dot(text: &str) -> String {
    let inner = replace(text, |c| {
        Some(Cow::Borrowed(match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            // Graphviz reads entities of HTML in every text.
            '&' => "&amp;",
            c if is_hidden(c) => "\u{fffd}",
            _ => return None,
        }))
    });
    format!("\"{inner}\"")
}

/// As a quoted string of the language of Mermaid, with its quotes. Everything that Mermaid, or the Markdown and HTML that
/// it makes of texts, could read is written by its number.
pub(crate) fn mermaid(text: &str) -> String {
    let inner = replace(text, |c| match c {
        '\n' => Some("<br/>".into()),
        '\t' => Some(" ".into()),
        c if is_hidden(c) => Some("\u{fffd}".into()),
        // Two would begin a formula, also by their numbers; a blank without width keeps them apart.
        '$' => Some("#36;#8203;".into()),
        c if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '/' | '-' | '=' | '_' | '(' | ')' | '+' | '@') => {
            Some(format!("#{};", u32::from(c)).into())
        }
        _ => None,
    });
    format!("\"{inner}\"")
}
