//! One pattern of an ignore file.

use super::IgnoreError;
use super::automaton::{Automaton, CompileError};
use super::syntax;
use crate::path;

/// One pattern of an ignore file.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    exclusion: bool,
    kind: Kind,
}

/// How a path is matched. What needs no automaton has none: most patterns are plain names.
#[derive(Clone, Debug)]
enum Kind {
    /// The path is the text.
    Exact,
    /// `a/**`: the path begins with what precedes the stars.
    Prefix,
    /// `**a`: the path ends with what follows the stars.
    Suffix,
    Expression(Automaton),
    /// It has no translation.
    Malformed,
}

impl Pattern {
    /// A pattern that is not empty. The states that its automaton needs are taken from `states`.
    pub(super) fn new(text: &str, states: &mut usize) -> Result<Self, IgnoreError> {
        let cleaned = path::clean(text);
        let (text, exclusion) = match cleaned.strip_prefix('!') {
            Some("") => return Err(IgnoreError::EmptyExclusion),
            Some(rest) => (rest.to_string(), true),
            None => (cleaned, false),
        };
        // BuildKit looks for faults in this way, so one behind the first star stays for the translation to find, if it does.
        if path::matches_as_far(&mut text.chars(), ".").is_err() {
            return Err(IgnoreError::BadPattern(text));
        }
        let kind = match translate(&text) {
            (Shape::Exact, _) => Kind::Exact,
            (Shape::Prefix, _) => Kind::Prefix,
            (Shape::Suffix, _) => Kind::Suffix,
            (Shape::Expression, expression) => match Automaton::new(&expression, states) {
                Ok(automaton) => Kind::Expression(automaton),
                Err(CompileError::Malformed) => Kind::Malformed,
                Err(CompileError::TooLarge) => return Err(IgnoreError::TooLarge),
            },
        };
        Ok(Self { text, exclusion, kind })
    }

    /// The pattern, cleaned and without its `!`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Did it begin with `!`, so that what it matches is kept after all?
    pub fn exclusion(&self) -> bool {
        self.exclusion
    }

    /// Does it match this very path?
    pub(super) fn matches(&self, path: &str) -> Result<bool, IgnoreError> {
        match &self.kind {
            Kind::Exact => Ok(path == self.text),
            Kind::Prefix => Ok(self.text.strip_suffix("**").is_some_and(|prefix| path.starts_with(prefix))),
            Kind::Suffix => Ok(self.text.strip_prefix("**").is_some_and(|suffix| {
                // `**/a` matches `a` itself.
                path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path)
            })),
            Kind::Expression(automaton) => Ok(automaton.matches(path)),
            Kind::Malformed => Err(IgnoreError::BadPattern(self.text.clone())),
        }
    }
}

/// How much of a pattern has a meaning.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

/// The shape of a pattern, and the regular expression of [`syntax`] that it is. The expression is put together character
/// by character and only then read, because what a character becomes may end a class that it stands in, and that is how
/// BuildKit has it.
fn translate(text: &str) -> (Shape, String) {
    let mut shape = Shape::Exact;
    let mut expression = String::from("^");
    // The scanner with which BuildKit reads patterns drops a byte order mark.
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).chars();
    let mut first = true;
    while let Some(char) = rest.next() {
        match char {
            '*' if rest.as_str().starts_with('*') => {
                rest.next();
                if rest.as_str().starts_with('/') {
                    rest.next();
                }
                let last = rest.as_str().is_empty();
                expression.push_str(if last { ".*" } else { syntax::DIRECTORIES });
                shape = match shape {
                    _ if first => Shape::Suffix,
                    Shape::Exact if last => Shape::Prefix,
                    _ => Shape::Expression,
                };
            }
            '.' | '+' | '(' | ')' | '$' => expression.extend(['\\', char]),
            '*' | '?' | '[' | ']' | '\\' => {
                shape = Shape::Expression;
                match char {
                    '*' => expression.push_str("[^/]*"),
                    '?' => expression.push_str("[^/]"),
                    '\\' => expression.extend(std::iter::once(char).chain(rest.next())),
                    bracket => expression.push(bracket),
                }
            }
            other => expression.push(other),
        }
        first = false;
    }
    expression.push('$');
    (shape, expression)
}
