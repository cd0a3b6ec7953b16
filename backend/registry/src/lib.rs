//! Images: where they are found, how they are fetched, and how they are pinned.
//!
//! - [`Client`] speaks the distribution API: it resolves, pulls and pushes, with mirrors, authentication and retries.
//! - [`Layout`] is an OCI image layout, a folder.
//! - [`Lock`] is `rbc.lock`, which names the digest and the config of each base image.
//! - [`ImageResolver`] is what the compiler asks for a base image; each of the above answers it, and [`Chain`] asks
//!   several in turn.
//!
//! Everything here blocks, and nothing starts a thread or opens a connection unless it is asked for an image: compiling
//! with a lock costs the reading of one file.
//!
//! # Why a client of our own
//!
//! `oci-client` was tried. It needs 175 crates and 76 seconds of processor time to build, an async runtime for every
//! compile, and leaves to its caller what makes a client usable: retries, resuming in both directions, lists of mirrors,
//! identity tokens, settings a host. `ureq` with rustls and ring needs 25 crates and 23 seconds, blocks, and has the
//! timeouts that a long download needs (a read, not the whole, must be timely). The distribution API on top of it is a
//! few hundred lines.

mod assemble;
mod auth;
mod client;
mod config;
mod disk;
mod error;
mod hash;
mod http;
mod layout;
mod location;
mod lock;
mod manifest;
mod resolve;
mod select;
mod token;

pub use assemble::{Assembled, Piece, Wishes, assemble};
pub use auth::{Credential, Credentials};
pub use client::{Client, Fetched, Pushed, Sink};
pub use config::{HostConfig, RegistryConfig};
pub use error::{Result, is_absent};
pub use http::Content;
pub use layout::{BlobWriter, Layout};
pub use location::{Copier, Location};
pub use lock::{Lock, LockResolver, Locked};
pub use manifest::{Descriptor, Document, Index, Manifest, media};
pub use resolve::{Chain, ImageRequest, ImageResolver, Mode, Offline, RegistryResolver, ResolvedImage};
pub use select::Image;
