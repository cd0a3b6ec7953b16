//! What goes wrong, as findings.

use std::io;
use std::path::Path;

use rbc_source::{Code, Diagnostic};

/// Every failure here is a finding for the user; it has no place, which the driver adds.
pub type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// A failure of `code`.
pub(crate) fn failure(code: &'static Code, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(code, message))
}

/// Makes failures of the system ours.
pub(crate) trait Fail<T> {
    /// Says what was tried: `cannot WHAT: REASON`.
    fn or_fail(self, code: &'static Code, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Fail<T> for std::result::Result<T, E> {
    fn or_fail(self, code: &'static Code, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| failure(code, format!("cannot {}: {}", what(), reason(&e.into()))))
    }
}

/// The reason of a failure without Rust's `(os error 2)`, which says nothing to a user.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let short = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = short.chars();
    match chars.next() {
        Some(first) if chars.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => short.to_owned(),
    }
}

/// A path as it is shown: without control characters, which names from elsewhere may have.
pub(crate) fn show(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
