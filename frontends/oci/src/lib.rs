//! Names of the container world: image references, digests and platforms; and the config of images.
//!
//! They are read, normalised and compared exactly as BuildKit does it, because they end up in the bytes of the graph:
//! references by the rules of `github.com/distribution/reference`, platforms by those of
//! `github.com/containerd/platforms`. Nothing here touches a registry or asks which machine it runs on.

mod config;
mod digest;
mod matcher;
mod platform;
mod reference;

pub use config::{
    ConfigError, Healthcheck, History, ImageConfig, RunConfig, Time, json_strings, read_json_strings, write_json_string,
};
pub use digest::{Digest, DigestError};
pub use matcher::{Matcher, Rank};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
