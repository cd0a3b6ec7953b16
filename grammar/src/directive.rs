//! Parser directives: `# name=value` in the head of a file.

use std::borrow::Cow;
use std::ops::Range;

use crate::json;
use crate::values::name_value;

/// The names there are.
pub const DIRECTIVES: [&str; 3] = ["syntax", "escape", "check"];

/// A directive in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name, one of [`DIRECTIVES`].
    pub name: &'static str,
    /// Where the name stands.
    pub name_range: Range<usize>,
    /// Where the value stands.
    pub value: Range<usize>,
}

/// What a line can be where directives may stand.
pub(crate) enum Found {
    Directive(Directive),
    /// One of a name that was there before.
    Again(Directive),
    /// None, and none can follow.
    End,
}

/// Reads lines as directives until one is none.
pub(crate) struct Directives<'c> {
    /// What begins a comment.
    comment: &'c str,
    seen: Vec<&'static str>,
    pub done: bool,
}

impl<'c> Directives<'c> {
    pub fn new(comment: &'c str) -> Self {
        Directives { comment, seen: Vec::new(), done: false }
    }

    /// Reads a line (without line end), which stands at `start`.
    pub fn read(&mut self, line: &str, start: usize) -> Found {
        match self.find(line, start) {
            _ if self.done => Found::End,
            None => {
                self.done = true;
                Found::End
            }
            Some(directive) if self.seen.contains(&directive.name) => Found::Again(directive),
            Some(directive) => {
                self.seen.push(directive.name);
                Found::Directive(directive)
            }
        }
    }

    fn find(&self, line: &str, start: usize) -> Option<Directive> {
        let body = line.strip_prefix(self.comment)?.trim_start();
        let found = name_value(body)?;
        let name = DIRECTIVES.into_iter().find(|d| d.eq_ignore_ascii_case(&body[found.name.clone()]))?;
        let at = start + (line.len() - body.len());
        let shift = |r: Range<usize>| at + r.start..at + r.end;
        Some(Directive { name, name_range: shift(found.name), value: shift(found.value) })
    }
}

/// The value of a directive, found without reading the file as a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveValue<'t> {
    /// The whole value.
    pub text: Cow<'t, str>,
    /// Where it stands; for a member of a JSON object, the whole text.
    pub range: Range<usize>,
}

impl DirectiveValue<'_> {
    /// The value up to the first space: an image, or the options of checks. What follows is for the image.
    pub fn first(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }
}

/// The directive `name` in the head of any text with `#` comments. A line `#!` in front is skipped.
pub fn find_directive<'t>(text: &'t str, name: &str) -> Option<DirectiveValue<'t>> {
    find(text, name, "#")
}

/// The image that a text names as its frontend: by a directive `syntax`, after `#` or `//`, or as a JSON object's member.
pub fn detect_syntax(text: &str) -> Option<DirectiveValue<'_>> {
    find(text, "syntax", "#").or_else(|| find(text, "syntax", "//")).or_else(|| {
        let start = skip_head(text);
        let value = json::string_member(&text[start..], "syntax")?;
        Some(DirectiveValue { text: Cow::Owned(value), range: start..text.len() })
    })
}

fn find<'t>(text: &'t str, name: &str, comment: &str) -> Option<DirectiveValue<'t>> {
    let mut directives = Directives::new(comment);
    let mut at = skip_head(text);
    for line in text[at..].split_inclusive('\n') {
        match directives.read(line.strip_suffix('\n').unwrap_or(line), at) {
            Found::Directive(d) if d.name == name => {
                return Some(DirectiveValue { text: Cow::Borrowed(&text[d.value.clone()]), range: d.value });
            }
            Found::Directive(_) => {}
            Found::Again(_) | Found::End => return None,
        }
        at += line.len();
    }
    None
}

/// The offset behind a byte order mark and a line `#!`.
fn skip_head(text: &str) -> usize {
    let rest = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let start = text.len() - rest.len();
    match rest.starts_with("#!") {
        true => rest.find('\n').map_or(text.len(), |n| start + n + 1),
        false => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(text: &str) -> Option<String> {
        detect_syntax(text).map(|v| v.text.into_owned())
    }

    #[test]
    fn syntaxes() {
        assert_eq!(syntax("# syntax=a/b:1\r\nFROM x").as_deref(), Some("a/b:1"));
        assert_eq!(syntax("#!/usr/bin/env x\n# escape=`\n#SYNTAX = a b\n").as_deref(), Some("a b"));
        assert_eq!(syntax("\u{FEFF}// syntax=a\n").as_deref(), Some("a"));
        assert_eq!(syntax("{\"syntax\": \"a\"}").as_deref(), Some("a"));
        assert_eq!(syntax("# a comment\n# syntax=a"), None);
        assert_eq!(syntax("# escape=`\n# escape=`\n# syntax=a"), None);
        assert_eq!(syntax(" # syntax=a"), None);
        assert_eq!(syntax("#!"), None);
    }

    #[test]
    fn checks() {
        let text = "# check=skip=all error=true\nFROM x";
        let value = find_directive(text, "check").unwrap();
        assert_eq!((value.first(), &text[value.range.clone()]), ("skip=all", "skip=all error=true"));
        assert_eq!(find_directive("// check=skip=all", "check"), None);
    }
}
