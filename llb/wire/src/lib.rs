//! LLB on the wire: canonical bytes, definitions, and the way back from digests.

mod digest;
mod emit;
mod encode;
mod load;
pub mod pb;

pub use digest::Digest;
pub use emit::{Emitted, Emitter, Order, Origins, emit};
pub use load::{Loaded, MAX_BYTES, load, load_message};

#[cfg(test)]
mod recorded;
