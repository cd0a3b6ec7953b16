//! Files, spans, diagnostics and the table of their codes.
//!
//! Every phase of the compiler speaks of places as [`Span`]s and reports with [`Diagnostic`]s. Nothing here reads a
//! file or prints: the driver loads texts into [`Sources`], and the renderers of the package `rbc` turn diagnostics into
//! terminal output, JSON, SARIF or LSP messages.

mod codes;
mod diagnostic;
mod file;
mod suggest;
mod values;

pub use codes::{Blame, CODES, Code, by_name};
pub use codes::{bake, dockerfile, environment, execute, hadolint, hcl, image, ir, lint, lower, mockerfile, practice};
pub use diagnostic::{Applicability, Diagnostic, Edit, Fix, Frame, Label, Parsed, Severity};
pub use file::{FileId, LineCol, SourceFile, Sources, Span};
pub use suggest::{closest, edit_distance};
pub use values::go_bool;
