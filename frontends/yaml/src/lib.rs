//! YAML: documents as values, each with its place.
//!
//! [`read`] resolves anchors, merge keys and tags, and plain scalars as YAML 1.1's readers in Go do: `yes` is a text and `010` is
//! eight. Nesting and what aliases repeat have limits.

mod node;
mod read;

pub use node::{Data, Entries, Entry, Mark, Node, entry};
pub use read::{Place, read};
