//! What the compiler has to say to its user.

use crate::{Code, Span};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// A remark; costs nothing to ignore.
    Hint,
    /// Worth knowing.
    Info,
    /// Most likely a fault, but the build can go on.
    Warning,
    /// The build cannot go on.
    Error,
}

/// A place with a few words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What to say there; may be empty.
    pub message: String,
}

/// One step of the way from what the user asked for to where it failed, outermost first: "while building target `app`".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where that step is written.
    pub span: Span,
    /// The step, as a phrase that begins with "while".
    pub message: String,
}

/// May a fix be applied without asking?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applicability {
    /// Does not change what is built.
    Safe,
    /// May change what is built; applied only on request.
    Unsafe,
}

/// One replacement of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// The new text.
    pub text: String,
}

/// A change that removes the cause of a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an imperative phrase: "write `AS` in upper case".
    pub message: String,
    /// The edits, which do not overlap.
    pub edits: Vec<Edit>,
    /// Whether it can be applied unasked.
    pub applicability: Applicability,
}

/// One finding: what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its entry in the table of codes.
    pub code: &'static Code,
    /// How grave it is.
    pub severity: Severity,
    /// One phrase, without a full stop.
    pub message: String,
    /// The place it is about. None when there is no text (an empty file, a command-line flag).
    pub primary: Option<Label>,
    /// Further places that explain it.
    pub secondary: Vec<Label>,
    /// How the compiler got there, outermost first.
    pub trace: Vec<Frame>,
    /// Further sentences: what was expected, what to write instead.
    pub notes: Vec<String>,
    /// Changes that would mend it.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// A finding of `code` with the code's own severity.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: code.severity,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            trace: Vec::new(),
            notes: Vec::new(),
            fixes: Vec::new(),
        }
    }

    /// Points at the place.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        self.labelled(span, "")
    }

    /// Points at the place with a few words about it.
    #[must_use]
    pub fn labelled(mut self, span: Span, message: impl Into<String>) -> Self {
        self.primary = Some(Label { span, message: message.into() });
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn also(mut self, span: Span, message: impl Into<String>) -> Self {
        self.secondary.push(Label { span, message: message.into() });
        self
    }

    /// Adds a sentence.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a step to the trace, inside those already there.
    #[must_use]
    pub fn within(mut self, span: Span, message: impl Into<String>) -> Self {
        self.trace.push(Frame { span, message: message.into() });
        self
    }

    /// Adds a change that would mend it.
    #[must_use]
    pub fn fix(mut self, message: impl Into<String>, edits: Vec<Edit>, applicability: Applicability) -> Self {
        self.fixes.push(Fix { message: message.into(), edits, applicability });
        self
    }

    /// Adds "did you mean `x`?" with a safe-to-offer replacement of the primary place, if there is a near name.
    #[must_use]
    pub fn suggest(self, written: &str, known: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        match crate::closest(written, known) {
            Some(near) => self.note(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Whether the build cannot go on.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// What a phase gives: a result AND findings, never either/or. With an error among the findings the result is what could
/// be saved.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The result, as far as it goes.
    pub value: T,
    /// Findings, in order of discovery.
    pub diagnostics: Vec<Diagnostic>,
}

impl<T> Parsed<T> {
    /// Whether an error is among the findings.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}
