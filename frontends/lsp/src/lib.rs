//! The language server for Dockerfiles and bake files.
//!
//! [`Server`] is a pure core: a message in, messages out, no files, no clock, no threads. [`serve`] puts it at the ends of
//! two streams. It knows open documents only, asks nothing of the network and sends nothing anywhere.

mod bake;
mod check;
mod features;
mod language;
mod message;
mod names;
mod server;
mod stream;
mod syntax;
mod text;
mod value;

pub use bake::is_bake;
pub use check::{Check, TextCheck};
pub use message::{Failure, Message};
pub use server::{Options, Server};
pub use stream::serve;
pub use text::Encoding;
