//! LLB on the wire: canonical bytes, definitions, the way back from digests, and views of any definition.
//!
//! [`emit`] turns a graph into the bytes that the reference frontend would give for it; [`load`] turns the bytes of any
//! frontend into a graph. Between the two stand the messages of [`pb`], whose encoding is canonical.

mod digest;
mod emit;
mod encode;
mod load;
pub mod pb;
mod view;

pub use digest::Digest;
pub use emit::{Emitted, Emitter, Order, Origins, emit};
pub use load::{Loaded, MAX_BYTES, load, load_message};
pub use view::{to_json, to_text};

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
