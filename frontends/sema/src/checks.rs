//! BuildKit's checks, as configured by the build, the file and comments.

use std::borrow::Cow;

use rbc_ast::check::CheckConfig;
use rbc_source::{Code, Diagnostic, Span};

/// Takes in what checks find and keeps what the configuration allows.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    config: CheckConfig,
    /// The configuration for the step at hand, if the comments above it change it.
    step: Option<CheckConfig>,
    found: Vec<Diagnostic>,
    /// Findings of a further platform of the same build would only repeat those of the first.
    muted: bool,
    /// The reference knows of no finding behind the first error.
    closed: bool,
}

impl Checks {
    /// Checks with a configuration, which comments may narrow.
    pub fn new(config: CheckConfig) -> Self {
        Checks { config, ..Checks::default() }
    }

    /// Checks that find nothing: for every platform of a build but the first.
    pub fn muted() -> Self {
        Checks { muted: true, ..Checks::default() }
    }

    /// Takes in a finding about an instruction with these comments above.
    pub fn report(&mut self, code: &'static Code, comments: &[Box<str>], span: Span, message: String) {
        if !self.muted && !self.closed && self.config.merged_with_comments(comments).allows(code) {
            self.found.push(Diagnostic::new(code, message).at(span));
        }
    }

    /// Says which comments stand above the step whose findings follow.
    pub fn enter(&mut self, comments: &[Box<str>]) {
        self.step = match self.config.merged_with_comments(comments) {
            Cow::Borrowed(_) => None,
            Cow::Owned(merged) => Some(merged),
        };
    }

    /// Takes in a finding about the step that was entered last.
    pub fn report_in_step(&mut self, code: &'static Code, span: Span, message: String) {
        if !self.muted && !self.closed && self.step.as_ref().unwrap_or(&self.config).allows(code) {
            self.found.push(Diagnostic::new(code, message).at(span));
        }
    }

    /// Takes in findings that were filtered already.
    pub fn extend(&mut self, found: impl IntoIterator<Item = Diagnostic>) {
        if !self.muted {
            self.found.extend(found);
        }
    }

    /// Ends the checks: an error was found, which ends a build of the reference.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether findings are errors, as `error=true` says.
    pub fn are_errors(&self) -> bool {
        self.config.error
    }

    /// What was found, in order.
    pub fn found(&self) -> &[Diagnostic] {
        &self.found
    }
}
