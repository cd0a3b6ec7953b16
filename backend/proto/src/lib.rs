//! The messages that BuildKit, its clients and its frontends exchange, and the paths of the methods that take them.
//!
//! Three parties speak here: the control API ([`control`]), the services that a client offers to the daemon within its
//! session ([`session`]), and the API of frontends ([`gateway`]). The structs are written out by hand and hold what rbc
//! uses; a field that is not here is skipped when read. How messages travel (HTTP/2 over a socket, a child's standard
//! streams, or inside another stream) is the business of `rbc-buildkit` and `rbc-gateway`.
//!
//! A definition is a field of bytes: it looks the same on the wire as the message it is, and [`rbc_wire`] makes and reads it.
#![expect(missing_docs, reason = "the fields are those of the protocol")]

pub mod content;
pub mod control;
pub mod details;
pub mod gateway;
pub mod session;

pub use prost::Message;
pub use prost::bytes::Bytes;
/// The messages of LLB that stand within those of this crate.
pub use rbc_wire::pb;

use std::collections::BTreeMap;

/// A time; `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Timestamp {
    /// Nanoseconds since 1970.
    pub fn nanoseconds(&self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// A message of some type; `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// An error; `google.rpc.Status`. What BuildKit puts into its details is in [`details`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// One of gRPC's codes.
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// Something that an API may or may not be able to do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApiCap {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(bool, tag = "2")]
    pub enabled: bool,
    #[prost(string, tag = "4")]
    pub disabled_reason: String,
    #[prost(string, tag = "5")]
    pub disabled_reason_msg: String,
    #[prost(string, tag = "6")]
    pub disabled_alternative: String,
}

/// A place where steps run.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WorkerRecord {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "3")]
    pub platforms: Vec<pb::Platform>,
    #[prost(message, repeated, tag = "4")]
    pub gc_policy: Vec<GcPolicy>,
    #[prost(message, optional, tag = "5")]
    pub version: Option<Version>,
}

/// When a worker throws away results.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GcPolicy {
    #[prost(bool, tag = "1")]
    pub all: bool,
    /// In nanoseconds.
    #[prost(int64, tag = "2")]
    pub keep_duration: i64,
    /// In bytes, as the two that follow.
    #[prost(int64, tag = "3")]
    pub reserved_space: i64,
    #[prost(string, repeated, tag = "4")]
    pub filters: Vec<String>,
    #[prost(int64, tag = "5")]
    pub max_used_space: i64,
    #[prost(int64, tag = "6")]
    pub min_free_space: i64,
}

/// Which BuildKit it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Version {
    #[prost(string, tag = "1")]
    pub package: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(string, tag = "3")]
    pub revision: String,
}

/// A piece of a stream; several services have a message of this form.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BytesMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

/// The address of a blob.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Descriptor {
    #[prost(string, tag = "1")]
    pub media_type: String,
    #[prost(string, tag = "2")]
    pub digest: String,
    /// In bytes.
    #[prost(int64, tag = "3")]
    pub size: i64,
    #[prost(btree_map = "string, string", tag = "5")]
    pub annotations: BTreeMap<String, String>,
}

/// A cache to be read or written, by its kind and what is to be known of it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CacheEntry {
    /// `registry`, `local`, `inline`, `gha`, ...
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(btree_map = "string, string", tag = "2")]
    pub attrs: BTreeMap<String, String>,
}

/// Nothing.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Empty {}
