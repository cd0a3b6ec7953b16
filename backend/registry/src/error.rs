//! What goes wrong, as findings.

use rbc_source::{Code, Diagnostic, image};

/// Every failure here is a finding for the user; it has no place, which the caller adds.
pub type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// A failure of `code`.
pub(crate) fn failure(code: &'static Code, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(code, message)
}

/// Whether a failure says that the image is not there, so that another place may be asked; any other failure is final.
pub fn is_absent(failure: &Diagnostic) -> bool {
    [image::NOT_FOUND, image::NOT_LOCKED, image::OFFLINE].contains(&failure.code)
}

/// A text from elsewhere, fit for a terminal: one line, no control characters, not too long.
pub(crate) fn tame(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut out: String = text.trim().chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        out.push_str("...");
    }
    out
}
