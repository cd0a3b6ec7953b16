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
        if path::matches(&text, ".").is_err() {
            return Err(IgnoreError::BadPattern(text));
        }
        let kind = match translate(&text) {
            Translation::Exact => Kind::Exact,
            Translation::Prefix => Kind::Prefix,
            Translation::Suffix => Kind::Suffix,
            Translation::Expression(expression) => match Automaton::new(&expression, states) {
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

enum Translation {
    Exact,
    Prefix,
    Suffix,
    /// A regular expression of [`syntax`].
    Expression(String),
}

/// What a pattern is. The expression is put together character by character and only then read, because what a character
/// becomes may end a class that it stands in, and that is how BuildKit has it.
fn translate(text: &str) -> Translation {
    let mut kind = Translation::Exact;
    let mut expression = String::from("^");
    // The scanner with which BuildKit reads patterns drops a byte order mark.
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).chars();
    let mut first = true;
    while let Some(char) = rest.next() {
        let wild = match char {
            '*' if rest.as_str().starts_with('*') => {
                rest.next();
                if rest.as_str().starts_with('/') {
                    rest.next();
                }
                let last = rest.as_str().is_empty();
                expression.push_str(if last { ".*" } else { syntax::DIRECTORIES });
                if first {
                    kind = Translation::Suffix;
                } else if last && matches!(kind, Translation::Exact) {
                    kind = Translation::Prefix;
                } else {
                    kind = Translation::Expression(String::new());
                }
                false
            }
            '*' => {
                expression.push_str("[^/]*");
                true
            }
            '?' => {
                expression.push_str("[^/]");
                true
            }
            '\\' => {
                expression.push('\\');
                expression.extend(rest.next());
                true
            }
            '[' | ']' => {
                expression.push(char);
                true
            }
            '.' | '+' | '(' | ')' | '$' => {
                expression.extend(['\\', char]);
                false
            }
            other => {
                expression.push(other);
                false
            }
        };
        if wild {
            kind = Translation::Expression(String::new());
        }
        first = false;
    }
    if let Translation::Expression(_) = kind {
        expression.push('$');
        kind = Translation::Expression(expression);
    }
    kind
}
