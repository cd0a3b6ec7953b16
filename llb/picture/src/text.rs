//! How wide text is, and what of it fits.
//!
//! The fonts asked for (Helvetica, Arial, Liberation Sans, Arimo) share their widths, which are public as Adobe's font
//! metrics of Helvetica; one of them is on nearly every machine.

/// The fonts, as CSS lists them.
pub(crate) const FONTS: &str = "Helvetica,Arial,'Liberation Sans',Arimo,sans-serif";

/// Widths of the characters from the blank to the tilde, in thousandths of the font's size.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];

/// The same of the bold font.
const BOLD_WIDTHS: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611,
    556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389,
    280, 389, 584,
];

/// A size and weight of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Font {
    /// Height of the letters, in pixels.
    pub size: f64,
    /// Whether it is bold.
    pub bold: bool,
}

impl Font {
    /// How wide a character is, in pixels.
    pub fn char_width(self, c: char) -> f64 {
        let width = match c {
            ' '..='~' if self.bold => BOLD_WIDTHS[c as usize - 32],
            ' '..='~' => WIDTHS[c as usize - 32],
            // Marks that combine, and what has no width.
            '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{fe00}'..='\u{fe0f}' => 0,
            '\u{ad}' | '\u{a0}' | '\u{b7}' => 333,
            '\u{a1}'..='\u{24f}' => 722,
            '\u{2018}'..='\u{2022}' | '\u{203a}' => 350,
            '\u{250}'..='\u{10ff}' | '\u{1e00}'..='\u{20cf}' => 800,
            _ => 1000,
        };
        f64::from(width) * self.size / 1000.0
    }

    /// How wide a text is, in pixels, rounded up.
    pub fn width(self, text: &str) -> i32 {
        text.chars().map(|c| self.char_width(c)).sum::<f64>().ceil() as i32
    }
}

/// Breaks a text into lines of at most `width` pixels, the first of which has only `first`. Lines break at blanks, else
/// behind punctuation as paths have it, or anywhere if there is none nearby. What does not fit into `lines` lines is cut, with an ellipsis.
pub(crate) fn wrap(text: &str, font: Font, first: i32, width: i32, lines: usize) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && done.len() < lines {
        let room = f64::from(if done.is_empty() { first } else { width });
        let last = done.len() + 1 == lines;
        match fit(rest, font, room) {
            None => {
                done.push(rest.to_owned());
                rest = "";
            }
            Some(_) if last => {
                let end = fit(rest, font, room - font.char_width('\u{2026}')).unwrap_or(0);
                done.push(format!("{}\u{2026}", rest[..end].trim_end()));
                rest = "";
            }
            Some(end) => {
                let line = &rest[..end];
                let punctuation = |c: char| matches!(c, '/' | ',' | ':' | ';' | '=' | '&' | '?' | '-');
                // In the second half of the line is near enough.
                let near = |at: &usize| *at * 2 >= end;
                let end = match rest[end..].starts_with(' ') {
                    true => end,
                    false => line
                        .rfind(' ')
                        .filter(near)
                        .or_else(|| Some(line.rfind(punctuation)? + 1).filter(near))
                        .unwrap_or(end),
                };
                done.push(rest[..end].trim_end().to_owned());
                rest = rest[end..].trim_start();
            }
        }
    }
    done
}

/// Where a text must be cut to fit into `room`; `None` if it fits.
fn fit(text: &str, font: Font, room: f64) -> Option<usize> {
    let mut used = 0.0;
    for (at, c) in text.char_indices() {
        used += font.char_width(c);
        if used > room {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FONT: Font = Font { size: 10.0, bold: false };

    #[test]
    fn lines_fit() {
        for text in
            ["RUN make all && make install", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "日本語日本語日本語日本語", "", " "]
        {
            for room in [5, 30, 60, 100] {
                for line in wrap(text, FONT, room - 5, room, 2) {
                    assert!(line == "\u{2026}" || FONT.width(&line) <= room, "{line} in {room}");
                }
            }
        }
        assert_eq!(wrap("one two three", FONT, 40, 40, 3), ["one two", "three"]);
        assert_eq!(wrap("one two three", FONT, 40, 40, 1), ["one tw\u{2026}"]);
        assert_eq!(wrap("a", FONT, 40, 40, 1), ["a"]);
    }
}
