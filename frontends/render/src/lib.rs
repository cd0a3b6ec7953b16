//! What the compiler has to say, in the forms that people and programs read.
//!
//! Every renderer is a pure function from [`Diagnostic`](rbc_source::Diagnostic)s and the [`Sources`](rbc_source::Sources)
//! that they point into to a text; `docs/diagnostics.md` describes the forms. Texts and messages come from whoever wrote
//! the input, so no renderer passes on a character that could steer a terminal or hide itself. The cost of each is linear
//! in what it is given, whatever the length of lines and files and wherever spans point.

mod arrange;
mod excerpt;
mod explain;
mod github;
mod json;
mod patch;
mod place;
mod printable;
mod sarif;
mod summary;
mod terminal;

pub use arrange::arrange;
pub use explain::{Page, explain, pages};
pub use github::render as github;
pub use json::{lines as json, report as json_report};
pub use sarif::render as sarif;
pub use summary::{Summary, exit_code};
pub use terminal::{Style, render as terminal};
