//! Texts from elsewhere, made fit to be shown.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A line without characters that steer a terminal; colors stay out as well. Tabs become spaces.
pub fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    // Of a line that was written over and over, the last state is shown.
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.rsplit('\r').next().unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // What a sequence consists of after its introduction, up to its final letter.
                if chars.next_if_eq(&'[').is_some() {
                    while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
                }
            }
            '\t' => out.push_str("    "),
            '\n' => out.push(' '),
            c if c.is_control() || is_steering(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Characters that change the direction of text.
fn is_steering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// A text cut to a number of columns, with an ellipsis if something is missing.
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Seconds with one digit behind the point.
pub fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

/// A number of bytes in the usual units.
pub fn bytes(n: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n}B") } else { format!("{value:.2}{}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable(b"a\x1b[31mred\x1b[0m\tb\x07"), "ared    b\u{fffd}");
        assert_eq!(printable(b"10%\r50%\r100%\r\n"), "100%");
        assert_eq!(printable("x\u{202e}y".as_bytes()), "x\u{fffd}y");
    }

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello", 4), "hel…");
        assert_eq!(cut("漢字", 3), "漢…");
        assert_eq!(cut("hello", 0), "");
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!([bytes(999), bytes(1_000), bytes(2_340_000)], ["999B", "1.00kB", "2.34MB"]);
    }
}
