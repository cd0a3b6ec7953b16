//! Archives: reading those of others with care, writing ours as the reference does.

mod apply;
mod compress;
mod gzip;
mod read;
mod write;

pub(crate) use apply::{Apply, apply};
pub use compress::Compression;
pub(crate) use compress::{Bounded, decompressed};
pub(crate) use gzip::Gzip;
pub(crate) use read::{Header, Kind, Reader};
pub(crate) use write::Writer;
