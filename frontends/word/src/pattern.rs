//! Shell patterns: `*` is any text, `?` any character, neither takes a line break.
//!
//! They are matched by following all possibilities at once, so that the time is at most pattern times text.

use crate::WordErrorKind;
use crate::template::BOM;
use crate::unicode::is_name;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Atom {
    Char(char),
    Any,
    Star,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    atoms: Vec<Atom>,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, WordErrorKind> {
        let mut chars = text.chars().peekable();
        let mut atoms = Vec::with_capacity(text.len());
        chars.next_if_eq(&BOM);
        while let Some(c) = chars.next() {
            atoms.push(match c {
                '*' => Atom::Star,
                '?' => Atom::Any,
                '\\' => match chars.peek().copied() {
                    // These are escaped from the braces, not from the pattern.
                    Some('}' | '/') => continue,
                    Some(c @ ('*' | '?' | '\\')) => {
                        chars.next();
                        Atom::Char(c)
                    }
                    escaped => return Err(WordErrorKind::PatternEscape { pattern: text.to_owned(), escaped }),
                },
                c => Atom::Char(c),
            });
        }
        Ok(Pattern { atoms })
    }

    /// The pattern backwards, for matching a text from its end. A backslash goes with the character behind it; a last one
    /// has none, and so goes with the one before.
    pub fn parse_reversed(text: &str) -> Result<Self, WordErrorKind> {
        let mut groups = Vec::new();
        let mut chars = text.char_indices();
        while let Some((start, c)) = chars.next() {
            if c == '\\' {
                chars.next();
            }
            groups.push(&text[start..text.len() - chars.as_str().len()]);
        }
        Pattern::parse(&groups.into_iter().rev().collect::<String>())
    }

    /// Length of the shortest or longest beginning of `text` that matches.
    pub fn prefix(&self, text: &str, longest: bool) -> Option<usize> {
        Threads::new(&self.atoms).reach(text.chars(), longest)
    }

    /// Length of the shortest or longest end of `text` that matches this reversed pattern.
    pub fn suffix(&self, text: &str, longest: bool) -> Option<usize> {
        Threads::new(&self.atoms).reach(text.chars().rev(), longest)
    }

    /// Appends `text` to `out`, with the first match or all of them replaced; each is the longest from its start on. False if
    /// that would be more than `room` bytes.
    pub fn replace(&self, text: &str, replacement: &str, all: bool, room: usize, out: &mut String) -> bool {
        let limit = out.len().saturating_add(room);
        let starts = self.starts(text);
        let next_start = |from: usize| starts[from..].iter().position(|s| *s).map(|n| from + n);
        let mut threads = Threads::new(&self.atoms);
        let (mut copied, mut from) = (0, 0);
        while from <= text.len() {
            let Some(start) = next_start(from) else { break };
            let end = start + threads.reach(text[start..].chars(), true).unwrap_or(0);
            out.push_str(&text[copied..start]);
            // An empty match directly behind another match does not count.
            if end > copied || start == 0 {
                if all {
                    expand_template(replacement, &text[start..end], out);
                } else {
                    out.push_str(replacement);
                }
            }
            copied = end;
            if !all {
                break;
            }
            if out.len() > limit {
                return false;
            }
            let width = text[from..].chars().next().map_or(1, char::len_utf8);
            from = end.max(from + width);
        }
        out.push_str(&text[copied..]);
        out.len() <= limit
    }

    /// For each offset of `text`, its end included, whether a match starts there.
    fn starts(&self, text: &str) -> Vec<bool> {
        let backwards: Vec<Atom> = self.atoms.iter().rev().copied().collect();
        let mut threads = Threads::new(&backwards);
        let mut starts = vec![false; text.len() + 1];
        threads.begin();
        starts[text.len()] = threads.accepts();
        for (offset, c) in text.char_indices().rev() {
            threads.step(c);
            threads.spawn();
            starts[offset] = threads.accepts();
        }
        starts
    }
}

/// The places in a pattern that a text may have led to.
struct Threads<'p> {
    atoms: &'p [Atom],
    active: Vec<usize>,
    before: Vec<usize>,
    /// For each place the step in which it was reached last, so that it is entered once a step.
    reached: Vec<usize>,
    step: usize,
}

impl<'p> Threads<'p> {
    fn new(atoms: &'p [Atom]) -> Self {
        Threads { atoms, active: Vec::new(), before: Vec::new(), reached: vec![0; atoms.len() + 1], step: 0 }
    }

    fn begin(&mut self) {
        self.step += 1;
        self.active.clear();
        self.spawn();
    }

    /// Adds the pattern's beginning.
    fn spawn(&mut self) {
        self.enter(0);
    }

    /// Adds a place, and those behind it that are reached by taking stars as empty.
    fn enter(&mut self, mut place: usize) {
        while self.reached[place] != self.step {
            self.reached[place] = self.step;
            self.active.push(place);
            if self.atoms.get(place) != Some(&Atom::Star) {
                break;
            }
            place += 1;
        }
    }

    fn step(&mut self, c: char) {
        self.step += 1;
        std::mem::swap(&mut self.active, &mut self.before);
        self.active.clear();
        for i in 0..self.before.len() {
            let place = self.before[i];
            match self.atoms.get(place) {
                Some(Atom::Char(x)) if *x == c => self.enter(place + 1),
                Some(Atom::Any) if c != '\n' => self.enter(place + 1),
                Some(Atom::Star) if c != '\n' => self.enter(place),
                _ => {}
            }
        }
    }

    fn accepts(&self) -> bool {
        self.reached[self.atoms.len()] == self.step
    }

    /// Length of the shortest or longest match from the first of `chars` on.
    fn reach(&mut self, chars: impl Iterator<Item = char>, longest: bool) -> Option<usize> {
        self.begin();
        let mut found = self.accepts().then_some(0);
        let mut length = 0;
        for c in chars {
            if self.active.is_empty() || (found.is_some() && !longest) {
                break;
            }
            self.step(c);
            length += c.len_utf8();
            if self.accepts() {
                found = Some(length);
            }
        }
        found
    }
}

/// Appends a replacement in which `$0` is the match and `$$` a dollar sign. Other `$name` and `${name}` are empty: a shell
/// pattern has no groups. (The reference hands the text to a regular expression's replacement, whose syntax this is.)
fn expand_template(mut template: &str, matched: &str, out: &mut String) {
    while let Some((before, after)) = template.split_once('$') {
        out.push_str(before);
        template = after;
        if let Some(rest) = after.strip_prefix('$') {
            out.push('$');
            template = rest;
            continue;
        }
        let body = after.strip_prefix('{').unwrap_or(after);
        let braced = body.len() < after.len();
        let length = body.find(|c| !is_name(c)).unwrap_or(body.len());
        let (name, rest) = body.split_at(length);
        let rest = if braced { rest.strip_prefix('}') } else { Some(rest) };
        match rest {
            Some(rest) if !name.is_empty() => {
                if name == "0" {
                    out.push_str(matched);
                }
                template = rest;
            }
            _ => out.push('$'),
        }
    }
    out.push_str(template);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(pattern: &str, text: &str, longest: bool) -> Option<usize> {
        Pattern::parse(pattern).unwrap().prefix(text, longest)
    }

    fn replace(pattern: &str, text: &str, with: &str, all: bool) -> String {
        let mut out = String::new();
        assert!(Pattern::parse(pattern).unwrap().replace(text, with, all, 1 << 20, &mut out));
        out
    }

    #[test]
    fn prefixes() {
        assert_eq!(prefix("*/", "a/b/c", false), Some(2));
        assert_eq!(prefix("*/", "a/b/c", true), Some(4));
        assert_eq!(prefix("x", "a", true), None);
        assert_eq!(prefix("*", "a\nb", true), Some(1));
        assert_eq!(prefix("?é", "éé", true), Some(4));
        assert_eq!(prefix(r"\*\?\\\/\}", r"*?\/}x", true), Some(5));
        assert!(Pattern::parse(r"a\b").is_err());
        assert!(Pattern::parse("a\\").is_err());
    }

    #[test]
    fn reversed() {
        let p = Pattern::parse_reversed(r".t*\*").unwrap();
        assert_eq!(p.suffix("a.txt.tb*", false), Some(4));
        assert_eq!(p.suffix("a.txt.tb*", true), Some(8));
    }

    #[test]
    fn replacements() {
        assert_eq!(replace("o", "foo boo", "0", false), "f0o boo");
        assert_eq!(replace("o", "foo boo", "0", true), "f00 b00");
        assert_eq!(replace("", "añb", "-", true), "-a-ñ-b-");
        assert_eq!(replace("*", "ab\ncd", "x", true), "x\nx");
        assert_eq!(replace("a*", "xaby\nza", "<$0$$$1${0}${0$>", true), "x<aby$aby${0$>\nz<a$a${0$>");
        assert_eq!(replace("b", "abc", "$0", false), "a$0c");
    }

    #[test]
    fn no_blow_up() {
        let text = "a".repeat(20_000);
        assert_eq!(prefix(&"*a".repeat(50), &text, true), Some(20_000));
        assert_eq!(prefix(&format!("{}b", "*a".repeat(50)), &text, true), None);
        assert_eq!(replace(&format!("{}b", "*a".repeat(50)), &text, "", true), text);
    }
}
