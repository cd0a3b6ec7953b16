//! TOML files (the lock file, registry settings, `rbc.toml`) read so that every finding points into them.

use rbc_source::{Code, Diagnostic, SourceFile, Span};
pub use toml::Spanned;
pub use toml::de::{DeTable, DeValue};

/// Reads a file, and collects findings of one code.
pub struct TomlReader<'a> {
    /// The file.
    pub file: &'a SourceFile,
    /// The code that findings have.
    pub code: &'static Code,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> TomlReader<'a> {
    /// Begins to read.
    pub fn new(file: &'a SourceFile, code: &'static Code) -> Self {
        TomlReader { file, code, diagnostics: Vec::new() }
    }

    /// The document; none if it is not TOML, which is reported.
    pub fn document(&mut self) -> Option<DeTable<'a>> {
        let (document, errors) = DeTable::parse_recoverable(self.file.text());
        let ok = errors.is_empty();
        for error in errors {
            let span = error.span().unwrap_or_default();
            let place = self.file.span(span.start, span.end);
            self.report(place, format!("{} is not TOML: {}", self.file.name(), error.message()));
        }
        ok.then(|| document.into_inner())
    }

    /// Reports a finding at a place.
    pub fn report(&mut self, place: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::new(self.code, message).at(place));
    }

    /// Where a value stands.
    pub fn span<T>(&self, value: &Spanned<T>) -> Span {
        let span = value.span();
        self.file.span(span.start, span.end)
    }

    /// Reports fields that nobody knows.
    pub fn check_names(&mut self, table: &DeTable, known: &[&str]) {
        for (name, _) in table.iter().filter(|(name, _)| !known.contains(&name.get_ref().as_ref())) {
            let found = Diagnostic::new(self.code, format!("there is no field `{}`", name.get_ref()));
            self.diagnostics.push(found.at(self.span(name)).suggest(name.get_ref(), known));
        }
    }

    /// A field's text, as `read` has it; an error of `read` is a phrase. A field that is missing at `place` is reported.
    pub fn text<T>(
        &mut self,
        table: &DeTable,
        place: Span,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(value) = table.get(name) else {
            self.report(place, format!("the field `{name}` is missing"));
            return None;
        };
        let outcome = match value.get_ref().as_str() {
            Some(text) => read(text),
            None => Err(format!("`{name}` must be a string")),
        };
        outcome.map_err(|message| self.report(self.span(value), message)).ok()
    }

    /// A field that may be missing, of the type that `read` takes.
    pub fn optional<T>(
        &mut self,
        table: &DeTable,
        name: &str,
        kind: &str,
        read: impl FnOnce(&DeValue) -> Option<T>,
    ) -> Option<T> {
        let value = table.get(name)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.report(self.span(value), format!("`{name}` must be {kind}"));
        }
        read
    }
}

/// A text as TOML has it in quotes.
pub fn basic_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter.is_ascii_control() => out.push_str(&format!("\\u{:04X}", letter as u32)),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
