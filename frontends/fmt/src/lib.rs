//! Formats Dockerfiles, and HCL such as bake files, without changing what they build.
//!
//! [`format()`] works over the concrete tree and gives edits, so what it has no rule for stays byte for byte: heredocs,
//! directives, comments, the text of commands. The joined text of an instruction that makes a vertex (FROM, RUN, COPY, ADD,
//! WORKDIR) is part of that vertex's description, and a trigger's text is part of the image; so in those only the case of
//! keywords changes, and what the parser drops: white space at line ends, blank lines between continuations, indentation
//! of the first line. docs/fmt.md has the rules with examples.

mod blank;
mod hcl;
mod instruction;

pub use hcl::format_hcl;

use std::ops::Range;

use rbc_grammar::{Document, FaultKind, Item, Keyword};
use rbc_source::{Edit, SourceFile};

/// How a file is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// The case of instructions, and of `AS`.
    pub keywords: KeywordCase,
    /// What a continuation line begins with, where its indentation says nothing.
    pub indent: String,
}

impl Default for Style {
    fn default() -> Self {
        Style { keywords: KeywordCase::default(), indent: "    ".to_owned() }
    }
}

/// The case of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeywordCase {
    /// The one that most of the file's instructions have; upper case if neither is in the majority.
    #[default]
    Majority,
    /// Upper case.
    Upper,
    /// Lower case.
    Lower,
}

/// A formatted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formatted {
    /// The new text.
    pub text: String,
    /// What leads there from the old one: in order of their places, which do not overlap.
    pub edits: Vec<Edit>,
}

/// Formats a file.
///
/// A file that cannot be split into instructions (an open heredoc, a line that is too long) stays as it is, and so does an
/// instruction that there is not: where it ends is uncertain.
pub fn format(file: &SourceFile, style: &Style) -> Formatted {
    let document = Document::parse(file.text());
    let mut changes = Changes { text: file.text(), list: Vec::new() };
    if document.faults.iter().all(|fault| fault.kind == FaultKind::NoInstruction) {
        let upper = is_upper(&document, style.keywords);
        for item in &document.items {
            match item {
                Item::Comment(range) => changes.trim_line(range.clone()),
                Item::Instruction(instruction) => {
                    instruction::format(instruction, document.escape, upper, style, &mut changes);
                }
                Item::Blank(_) | Item::Directive { .. } | Item::Unread(_) => {}
            }
        }
        blank::format(&document, &mut changes);
    }
    changes.apply(file)
}

/// Whether instructions are to be in upper case.
fn is_upper(document: &Document<'_>, case: KeywordCase) -> bool {
    match case {
        KeywordCase::Upper => true,
        KeywordCase::Lower => false,
        KeywordCase::Majority => {
            let (mut upper, mut lower) = (0, 0);
            for instruction in document.instructions() {
                let line = instruction.line.text().trim_start();
                let keyword = line.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
                if Keyword::find(keyword).is_some() {
                    upper += usize::from(!keyword.contains(|c: char| c.is_ascii_lowercase()));
                    lower += usize::from(!keyword.contains(|c: char| c.is_ascii_uppercase()));
                }
            }
            upper >= lower
        }
    }
}

/// Replacements of ranges of a text.
pub(crate) struct Changes<'t> {
    pub text: &'t str,
    list: Vec<(Range<usize>, String)>,
}

impl Changes<'_> {
    /// Replaces a range, unless that is its text already.
    pub fn replace(&mut self, range: Range<usize>, text: &str) {
        if self.text[range.clone()] != *text {
            self.list.push((range, text.to_owned()));
        }
    }

    /// Removes spaces and tabs at the end of a line. Other white space stays: what is in front of it could become the
    /// character that continues a line, or more to trim.
    pub fn trim_line(&mut self, range: Range<usize>) {
        let line = &self.text[range.clone()];
        let content = line.trim_end_matches(['\r', '\n']);
        let trimmed = content.trim_end_matches([' ', '\t']);
        if !trimmed.ends_with('\r') {
            self.replace(range.start + trimmed.len()..range.start + content.len(), "");
        }
    }

    fn apply(mut self, file: &SourceFile) -> Formatted {
        // Stable: at one place an insertion comes before what is removed there.
        self.list.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::with_capacity(self.text.len() + 16);
        let mut at = 0;
        let mut edits = Vec::with_capacity(self.list.len());
        for (range, new) in self.list {
            text.push_str(&self.text[at..range.start]);
            text.push_str(&new);
            at = range.end;
            edits.push(Edit { span: file.span(range.start, range.end), text: new });
        }
        text.push_str(&self.text[at..]);
        Formatted { text, edits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::FileId;

    fn formatted(text: &str) -> String {
        formatted_as(text, &Style::default())
    }

    fn formatted_as(text: &str, style: &Style) -> String {
        let file = SourceFile::new(FileId(0), "Dockerfile", text);
        let formatted = format(&file, style);
        let again = format(&SourceFile::new(FileId(0), "Dockerfile", &*formatted.text), style);
        assert_eq!(again.text, formatted.text, "formatting again changes {text:?}");
        assert!(again.edits.is_empty());
        formatted.text
    }

    #[test]
    fn keywords_follow_the_majority() {
        assert_eq!(formatted("from a\nRUN b\nrun c\n"), "from a\nrun b\nrun c\n");
        assert_eq!(formatted("From a as b\nRUN b\n"), "FROM a AS b\nRUN b\n");
        assert_eq!(formatted("from a AS b\n"), "from a as b\n");
        let upper = Style { keywords: KeywordCase::Upper, ..Style::default() };
        assert_eq!(formatted_as("from a\nrun b\nonbuild run c\n", &upper), "FROM a\nRUN b\nONBUILD run c\n");
        let lower = Style { keywords: KeywordCase::Lower, ..Style::default() };
        assert_eq!(formatted_as("FROM a\n", &lower), "from a\n");
        assert_eq!(formatted("RU\\\nN x\nrun x\nrun x\n"), "RU\\\nN x\nrun x\nrun x\n");
    }

    #[test]
    fn white_space_that_says_nothing() {
        assert_eq!(formatted("  FROM a  \n\tRUN  b  c \t\n"), "FROM a\nRUN  b  c\n");
        assert_eq!(formatted("FROM a\nRUN b \\  \n  c\\\t\n\n  # d  \n  e"), "FROM a\nRUN b \\\n  c\\\n  # d\n  e\n");
        assert_eq!(formatted("FROM a\nENV\ta=b\nLABEL   c=d  e=f\n"), "FROM a\nENV a=b\nLABEL c=d  e=f\n");
        assert_eq!(formatted("FROM a\r\nRUN b \r\n"), "FROM a\r\nRUN b\r\n");
        assert_eq!(formatted("FROM a\r\nRUN b"), "FROM a\r\nRUN b\r\n");
        // The form feed keeps the backslash from continuing the line.
        assert_eq!(formatted("FROM a\nUSER x\\\u{C} \nUSER b\n"), "FROM a\nUSER x\\\u{C}\nUSER b\n");
        assert_eq!(formatted("FROM a\nUSER x\\ \r \r\nUSER b\n"), "FROM a\nUSER x\\ \r \r\nUSER b\n");
    }

    #[test]
    fn continuations() {
        assert_eq!(
            formatted("FROM a\nENV a=b \\\nc=d \\\n\t\te=f\\\n  g='h \\\n  i'\n"),
            "FROM a\nENV a=b \\\n    c=d \\\n    e=f\\\n    g='h \\\n  i'\n"
        );
        assert_eq!(formatted("FROM a\nENV a=b\\\nc d=e\n"), "FROM a\nENV a=b\\\nc d=e\n");
        assert_eq!(formatted("FROM a\nCMD [ \"a\", \\\n \"b\" \\\n]\n"), "FROM a\nCMD [ \"a\", \\\n    \"b\" \\\n]\n");
        assert_eq!(formatted("FROM a\nCMD a \\\nb\n"), "FROM a\nCMD a \\\nb\n");
        assert_eq!(formatted("FROM a\nCOPY a \\\nb /\n"), "FROM a\nCOPY a \\\nb /\n");
    }

    #[test]
    fn blank_lines() {
        assert_eq!(formatted("\n\nFROM a\n\n\n\nRUN b\n\n\n"), "FROM a\n\nRUN b\n");
        assert_eq!(formatted("ARG v\nFROM a\nFROM b\n"), "ARG v\nFROM a\n\nFROM b\n");
        assert_eq!(formatted("FROM a\n# b is\n# this\nFROM b\n"), "FROM a\n\n# b is\n# this\nFROM b\n");
        assert_eq!(formatted("FROM a\n\n# b\n\n\nFROM b\n"), "FROM a\n\n# b\n\nFROM b\n");
        // Without the blank line the comment would be a directive.
        assert_eq!(formatted("\n\n# escape=`\nFROM a\n"), "\n# escape=`\nFROM a\n");
        assert_eq!(formatted("  \n"), "");
        assert_eq!(formatted("FROM a\r\nFROM b\r\n"), "FROM a\r\n\r\nFROM b\r\n");
        assert_eq!(formatted("\u{FEFF}\n FROM a"), "\u{FEFF}FROM a\n");
    }

    #[test]
    fn what_stays() {
        for text in [
            "# syntax = x  \n# escape=`\nFROM a\n",
            "FROM a\nRUN <<x  y\n  b  \n\n\n\tc \nx\n",
            "FROM a\nRUN <<x\n\n\nb",
            "FROM a\nbogus  \\  \n\n  x  \n",
            "FROM a\n  # c\n#  d\nRUN b\n",
            "# escape=x\nFROM  a  ",
        ] {
            assert_eq!(formatted(text), text);
        }
        assert_eq!(formatted(""), "");
        assert_eq!(formatted("FROM a\nRUN <<x\nb\nx"), "FROM a\nRUN <<x\nb\nx\n");
    }
}
