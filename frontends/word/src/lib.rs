//! Words in which variables stand: `${V:-x}/bin`, with quotes and escapes as a shell has them.
//!
//! Reading a word ([`Template::parse`]) does not depend on what the variables are; expanding it ([`Template::expand`]) is
//! the second step. Behaviour is that of BuildKit's `shell.Lex` (frontend/dockerfile/shell), whose users are every word of
//! a Dockerfile. Both steps take time linear in their input (patterns: pattern times value), at any nesting.

pub mod csv;
mod error;
mod expand;
pub mod heredoc;
mod pattern;
mod template;
pub mod unicode;

pub use error::{WordError, WordErrorKind};
pub use expand::{Env, Expansion, NoEnv, Unset, unset_before_fault};
pub use template::{Mode, Template, Variable};

/// Whether expanding `text` gives `text` itself, whatever the variables are: it has no `$`, quote or escape.
pub fn is_literal(text: &str, escape: char) -> bool {
    !text.bytes().any(|b| matches!(b, b'$' | b'\'' | b'"') || char::from(b) == escape)
        && !text.starts_with(template::BOM)
}

/// Expands a word in the ordinary way: quotes and escapes go, unset variables are empty.
///
/// # Errors
/// As [`Template::parse`] and [`Template::expand`].
pub fn expand<'t>(text: &'t str, escape: char, env: &dyn Env) -> Result<Expansion<'t>, WordError> {
    if is_literal(text, escape) {
        return Ok(Expansion::literal(text));
    }
    Template::parse(text, escape, Mode::default())?.expand(env, Unset::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_before_a_fault() {
        let names = |text| unset_before_fault(text, '\\', Mode::default(), &NoEnv);
        assert_eq!(names("$A ${B} \"${C:-$D}"), ["A", "B", "D", "C"]);
        assert_eq!(names("${A:x$B} $C"), ["B", "A"]);
        assert_eq!(names("${A:-$B"), ["B"]);
    }
}
