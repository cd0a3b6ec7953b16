//! Concrete syntax of Dockerfiles.
//!
//! Three steps, each total: [`Document::parse`] finds the instructions of a file (a logos lexer reads lines; continuations,
//! comments and heredocs are put together from those); [`Command::parse`] splits one instruction into keyword, flags and
//! arguments; the functions of [`values`] read what stands inside a flag (a pest grammar). What an instruction means, and
//! whether it is allowed, is for `rbc-dockerfile` to say. Behaviour is that of BuildKit's frontend/dockerfile/parser.

// Parsers that pest derives without its feature `std` name this crate.
extern crate alloc;

mod command;
mod directive;
mod document;
mod dump;
pub mod json;
mod lexer;
mod line;
pub mod values;

pub use command::{Args, ArgsError, ArgsErrorKind, Command, Head, Keyword, PairText, Text};
pub use directive::{DIRECTIVES, Directive, DirectiveValue, detect_syntax, find_directive};
pub use document::{Document, Fault, FaultKind, Heredoc, Instruction, Item, Piece, PieceKind};
pub use dump::{Token, TokenKind, dump_cst, dump_tokens, tokens};
pub use line::Line;
