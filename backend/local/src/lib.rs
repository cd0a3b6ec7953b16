//! The embedded executor: runs a build graph here, with no daemon.

mod build;
mod cache;
mod cancel;
mod changes;
mod config;
mod content;
mod diff;
mod error;
mod exec;
mod export;
mod file;
mod fs;
mod keys;
mod known;
mod mount;
pub mod rootless;
mod sandbox;
mod session;
mod solver;
mod source;
mod store;
mod sys;
mod tar;
#[cfg(test)]
mod testing;
mod users;

pub use cache::{CacheRecord, CacheSource};
pub use cancel::Cancel;
pub use config::Config;
pub use error::Result;
pub use export::{Exported, FilesOptions, ImageOptions, ImageTarget, Part};
pub use sandbox::Stream;
pub use session::{Event, Progress, Scene, Session, Silent, SolveError};
pub use solver::Executor;
pub use store::{BlobInfo, Entry, EntryKind, Layer, LayerInfo, Prune, Snapshot, Store};
pub use tar::{Compression, newest_in_archive};
