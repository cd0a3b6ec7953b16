//! What can be wrong with a word.

use std::fmt;
use std::ops::Range;

/// Why a word cannot be read or expanded, and which bytes of it are to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordError {
    /// The reason.
    pub kind: WordErrorKind,
    /// The place, as offsets into the word's text.
    pub at: Range<usize>,
}

/// Reasons for a [`WordError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordErrorKind {
    /// A quote of this kind is opened and never closed.
    UnclosedQuote(char),
    /// `${` without its `}`.
    UnclosedBrace,
    /// `${name/pattern` without the second `/`.
    MissingSlash,
    /// `${` is not followed by a name.
    NoName,
    /// What stands behind the name is none of the known modifiers.
    Modifier(String),
    /// `${name?message}` and the variable is not set or, with `:?`, empty.
    Required {
        /// The variable.
        name: String,
        /// The message as the user wrote it, expanded; may be empty.
        message: String,
        /// It is set, but empty.
        empty: bool,
    },
    /// In a pattern a backslash stands before something else than `*`, `?`, `\`, `/` or `}`.
    PatternEscape {
        /// The pattern.
        pattern: String,
        /// What follows the backslash, if anything does.
        escaped: Option<char>,
    },
    /// The expansion is longer than [`crate::Template::expand`] allows.
    TooLong,
    /// A heredoc's delimiter is one word or several, depending on whether its quotes count.
    HeredocWord,
}

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for WordErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnclosedQuote('"') => f.write_str("a double quote is not closed"),
            Self::UnclosedQuote(_) => f.write_str("a single quote is not closed"),
            Self::UnclosedBrace => f.write_str("`${` is not closed by `}`"),
            Self::MissingSlash => f.write_str("a replacement has no second `/`: it is `${name/pattern/replacement}`"),
            Self::NoName => f.write_str("`${` is not followed by a variable's name"),
            Self::Modifier(modifier) => write!(f, "`{modifier}` cannot follow a variable's name in `${{}}`"),
            Self::Required { name, message, .. } if !message.is_empty() => write!(f, "variable `{name}`: {message}"),
            Self::Required { name, empty: true, .. } => write!(f, "variable `{name}` must not be empty"),
            Self::Required { name, .. } => write!(f, "variable `{name}` must be set"),
            Self::PatternEscape { pattern, escaped: Some(c) } => {
                write!(
                    f,
                    "in the pattern `{pattern}`, `\\{c}` is no escape: those are `\\*`, `\\?`, `\\\\`, `\\/` and `\\}}`"
                )
            }
            Self::PatternEscape { pattern, escaped: None } => write!(f, "the pattern `{pattern}` ends in a backslash"),
            Self::TooLong => f.write_str("the expansion is too long"),
            Self::HeredocWord => f.write_str("the delimiter of a heredoc is not one word"),
        }
    }
}

impl std::error::Error for WordError {}
