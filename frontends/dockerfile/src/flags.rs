//! Flags of an instruction: `--name=value`.

use rbc_ast::recipe::Word;
use rbc_grammar::Text;
use rbc_source::{Diagnostic, dockerfile as codes};

use crate::source::Source;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// `true`, `false`, or nothing for true.
    Bool,
    /// One value.
    Value,
    /// A value each time it is given.
    Values,
}

struct Given<'a> {
    name: &'static str,
    text: &'a Text<'a>,
    value: Word,
    truth: bool,
}

/// The flags of an instruction, known to be valid so far.
pub(crate) struct Flags<'a> {
    source: Source<'a>,
    given: Vec<Given<'a>>,
}

impl<'a> Flags<'a> {
    /// Reads the flags of an instruction that has these.
    pub fn read(source: &Source<'a>, known: &[(&'static str, Takes)]) -> Result<Self, Box<Diagnostic>> {
        let mut given: Vec<Given<'a>> = Vec::new();
        for text in &source.command.head().flags {
            let (name, value) = match text.text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (&*text.text, None),
            };
            let bare = name.get(2..).unwrap_or_default();
            let Some((bare, takes)) = known.iter().find(|(n, _)| *n == bare) else {
                return Err(unknown(source, text, name, known));
            };
            let fail = |message: String| {
                let at = if value.is_some() { name.len() + 1..text.text.len() } else { 0..text.text.len() };
                Err(source.error(codes::FLAG_VALUE, message, text.part(at)))
            };
            if *takes != Takes::Values && given.iter().any(|g| g.name == *bare) {
                return Err(source.error(codes::FLAG_VALUE, format!("`{name}` is given twice"), text.range.clone()));
            }
            let truth = match (*takes, value) {
                (Takes::Bool, None) => true,
                (_, None) | (Takes::Bool, Some("")) => {
                    let example = if *takes == Takes::Bool { "true" } else { "..." };
                    return fail(format!("`{name}` needs a value: `{name}={example}`"));
                }
                (Takes::Bool, Some(value)) => match value.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return fail(format!("`{name}` is `true` or `false`, not `{value}`")),
                },
                _ => false,
            };
            let start = if value.is_some() { name.len() + 1 } else { text.text.len() };
            given.push(Given { name: bare, text, value: source.part(text, start..text.text.len()), truth });
        }
        Ok(Flags { source: *source, given })
    }

    /// The names of all, each once.
    pub fn names(&self) -> Vec<Box<str>> {
        let mut names: Vec<Box<str>> = Vec::new();
        for given in &self.given {
            if !names.iter().any(|n| **n == *given.name) {
                names.push(given.name.into());
            }
        }
        names
    }

    /// A flag's value; None if it is absent or empty.
    pub fn value(&self, name: &str) -> Option<Word> {
        self.raw(name).map(|(word, _)| word.clone()).filter(|word| !word.text.is_empty())
    }

    /// A flag's value, which may be empty, and its text.
    pub fn raw(&self, name: &str) -> Option<(&Word, &'a Text<'a>)> {
        self.all(name).next()
    }

    /// Values and texts of a flag that can be given several times.
    pub fn all(&self, name: &str) -> impl Iterator<Item = (&Word, &'a Text<'a>)> {
        self.given.iter().filter(move |g| g.name == name).map(|g| (&g.value, g.text))
    }

    /// A boolean flag, if it is given.
    pub fn truth(&self, name: &str) -> Option<bool> {
        self.given.iter().find(|g| g.name == name).map(|g| g.truth)
    }

    /// An error about a flag's value.
    pub fn bad_value(&self, text: &Text<'_>, message: impl Into<String>) -> Box<Diagnostic> {
        let value = text.text.find('=').map_or(0, |equals| equals + 1);
        self.source.error(codes::FLAG_VALUE, message, text.part(value..text.text.len()))
    }
}

fn unknown(source: &Source<'_>, text: &Text<'_>, name: &str, known: &[(&'static str, Takes)]) -> Box<Diagnostic> {
    let keyword = source.keyword().to_uppercase();
    let error =
        source.error(codes::UNKNOWN_FLAG, format!("`{keyword}` has no flag `{name}`"), text.part(0..name.len()));
    let names: Vec<String> = known.iter().map(|(n, _)| format!("--{n}")).collect();
    let error = error.suggest(name, &names);
    Box::new(match &*names {
        [] => error.note(format!("`{keyword}` has no flags")),
        _ => error
            .note(format!("its flags are {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))),
    })
}
