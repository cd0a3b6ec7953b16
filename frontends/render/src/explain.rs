//! The pages of `docs/codes`, which are part of the program.

use rbc_source::{Code, by_name};

use crate::terminal::{Paint, Style};

/// What there is to know about a code.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The id of its code.
    pub id: &'static str,
    /// The page, in Markdown.
    pub text: &'static str,
}

/// All pages, in order of their ids.
static PAGES: &[Page] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// All pages, in order of their ids.
pub fn pages() -> &'static [Page] {
    PAGES
}

/// The page of a code, which is given by its id, its name or an alias, without regard to case.
pub fn explain(name: &str) -> Option<&'static Page> {
    page_of(by_name(name)?)
}

pub(crate) fn page_of(code: &Code) -> Option<&'static Page> {
    PAGES.binary_search_by_key(&code.id, |page| page.id).ok().and_then(|i| PAGES.get(i))
}

/// Columns of running text, in which lines are read with ease.
const WIDEST: usize = 88;

impl Page {
    /// The page for a terminal: lines broken to its width, examples indented, and coloured if the style says so.
    ///
    /// It knows what the pages use of Markdown: headings, paragraphs, lists, fenced blocks, code and links within lines.
    pub fn render(&self, style: &Style) -> String {
        let width = style.width.clamp(20, WIDEST);
        let mut out = String::new();
        let mut paragraph = String::new();
        let mut fence: Option<String> = None;
        for line in self.text.lines() {
            if let Some(border) = &fence {
                if line.starts_with("```") {
                    fence = None;
                } else {
                    out.push_str(format!("  {border} {line}").trim_end());
                    out.push('\n');
                }
                continue;
            }
            let item = line.starts_with("- ");
            if line.is_empty() || line.starts_with('#') || line.starts_with("```") || item {
                wrap(&mut out, &paragraph, width, style);
                paragraph.clear();
            }
            if let Some(info) = line.strip_prefix("```") {
                fence = Some(border(info, style));
            } else if line.starts_with('#') {
                out.push_str(&style.paint(Paint::Bold, line.trim_start_matches(['#', ' '])));
                out.push('\n');
            } else if line.is_empty() {
                out.push('\n');
            } else {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(line.trim());
            }
        }
        wrap(&mut out, &paragraph, width, style);
        out
    }
}

/// The border of an example, in a colour that says whether it is wrong or right.
fn border(info: &str, style: &Style) -> String {
    let paint = match info.split([',', ' ']).nth(1) {
        Some("error") => Paint::Red,
        Some("warning") => Paint::Yellow,
        Some("ok") => Paint::Green,
        _ => Paint::Dim,
    };
    style.paint(paint, if style.unicode { "│" } else { "|" })
}

/// Breaks a paragraph or list item into lines. Code within a line stays whole.
fn wrap(out: &mut String, paragraph: &str, width: usize, style: &Style) {
    let indent = if paragraph.starts_with("- ") { "  " } else { "" };
    let mut column = 0;
    for word in words(paragraph) {
        let columns = word.chars().count();
        if column > 0 && column + 1 + columns > width {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        column += columns;
        push_word(out, word, style);
    }
    if column > 0 {
        out.push('\n');
    }
}

/// Splits at spaces that are not within code.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.split(move |c| {
        code ^= c == '`';
        c == ' ' && !code
    })
    .filter(|word| !word.is_empty())
}

/// Writes a word: with colours code is coloured and loses its quotes, of a link there stays its text and its target.
fn push_word(out: &mut String, word: &str, style: &Style) {
    if !style.color {
        out.push_str(word);
        return;
    }
    for (i, part) in word.split('`').enumerate() {
        if i % 2 == 1 {
            out.push_str(&style.paint(Paint::Cyan, part));
        } else {
            out.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_id_name_and_case() {
        for name in ["W0101", "w0101", "StageNameCasing", "stagenamecasing"] {
            assert_eq!(explain(name).map(|page| page.id), Some("W0101"), "{name}");
        }
        assert_eq!(explain("E9999"), None);
    }

    #[test]
    fn pages_fit_the_terminal() {
        let page = Page {
            id: "E0000",
            text: "# E0000: x\n\nOne `two three` four\nfive six seven.\n\n- eight nine ten eleven\n- twelve\n\n```dockerfile,error\nFROM  x\n\n  y\n```\n\nEnd.\n",
        };
        let style = Style { width: 20, ..Style::default() };
        assert_eq!(
            page.render(&style),
            "E0000: x\n\nOne `two three` four\nfive six seven.\n\n- eight nine ten\n  eleven\n- twelve\n\n  │ FROM  x\n  │\n  │   y\n\nEnd.\n"
        );
        let color = page.render(&Style { color: true, ..style });
        assert!(
            color.starts_with("\u{1b}[1mE0000: x\u{1b}[0m\n") && color.contains("\u{1b}[36mtwo three\u{1b}[0m"),
            "{color}"
        );
        assert!(color.contains("  \u{1b}[31m│\u{1b}[0m FROM  x\n"), "{color}");
    }
}
