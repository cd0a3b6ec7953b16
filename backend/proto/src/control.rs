//! The control API of a daemon (`moby.buildkit.v1.Control`).

use std::collections::BTreeMap;

use prost::bytes::Bytes;

use crate::{CacheEntry, Descriptor, Status, Timestamp, Version, WorkerRecord, pb};

pub const DISK_USAGE: &str = "/moby.buildkit.v1.Control/DiskUsage";
/// Answers by a stream of [`UsageRecord`].
pub const PRUNE: &str = "/moby.buildkit.v1.Control/Prune";
pub const SOLVE: &str = "/moby.buildkit.v1.Control/Solve";
/// Answers by a stream of [`StatusResponse`].
pub const STATUS: &str = "/moby.buildkit.v1.Control/Status";
/// A stream of [`crate::BytesMessage`] both ways, in which the daemon is a client of the services of [`crate::session`].
pub const SESSION: &str = "/moby.buildkit.v1.Control/Session";
pub const LIST_WORKERS: &str = "/moby.buildkit.v1.Control/ListWorkers";
/// Takes an [`crate::Empty`].
pub const INFO: &str = "/moby.buildkit.v1.Control/Info";
/// Answers by a stream of [`HistoryEvent`].
pub const LISTEN_BUILD_HISTORY: &str = "/moby.buildkit.v1.Control/ListenBuildHistory";
/// Answers by an [`crate::Empty`].
pub const UPDATE_BUILD_HISTORY: &str = "/moby.buildkit.v1.Control/UpdateBuildHistory";

#[derive(Clone, PartialEq, prost::Message)]
pub struct DiskUsageRequest {
    #[prost(string, repeated, tag = "1")]
    pub filter: Vec<String>,
    /// In nanoseconds.
    #[prost(int64, tag = "2")]
    pub age_limit: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DiskUsageResponse {
    #[prost(message, repeated, tag = "1")]
    pub record: Vec<UsageRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PruneRequest {
    #[prost(string, repeated, tag = "1")]
    pub filter: Vec<String>,
    #[prost(bool, tag = "2")]
    pub all: bool,
    /// In nanoseconds.
    #[prost(int64, tag = "3")]
    pub keep_duration: i64,
    /// In bytes, as the two that follow.
    #[prost(int64, tag = "4")]
    pub reserved_space: i64,
    #[prost(int64, tag = "5")]
    pub max_used_space: i64,
    #[prost(int64, tag = "6")]
    pub min_free_space: i64,
}

/// Something that takes up space.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UsageRecord {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(bool, tag = "2")]
    pub mutable: bool,
    #[prost(bool, tag = "3")]
    pub in_use: bool,
    /// In bytes.
    #[prost(int64, tag = "4")]
    pub size: i64,
    #[prost(message, optional, tag = "6")]
    pub created_at: Option<Timestamp>,
    #[prost(message, optional, tag = "7")]
    pub last_used_at: Option<Timestamp>,
    #[prost(int64, tag = "8")]
    pub usage_count: i64,
    #[prost(string, tag = "9")]
    pub description: String,
    #[prost(string, tag = "10")]
    pub record_type: String,
    #[prost(bool, tag = "11")]
    pub shared: bool,
    #[prost(string, repeated, tag = "12")]
    pub parents: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SolveRequest {
    /// Names the build; whoever knows it may ask for its status.
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub definition: Option<Bytes>,
    /// For daemons that know no other, what is first in `exporters`.
    #[prost(string, tag = "3")]
    pub exporter_deprecated: String,
    #[prost(btree_map = "string, string", tag = "4")]
    pub exporter_attrs_deprecated: BTreeMap<String, String>,
    #[prost(string, tag = "5")]
    pub session: String,
    #[prost(string, tag = "6")]
    pub frontend: String,
    #[prost(btree_map = "string, string", tag = "7")]
    pub frontend_attrs: BTreeMap<String, String>,
    #[prost(message, optional, tag = "8")]
    pub cache: Option<CacheOptions>,
    #[prost(string, repeated, tag = "9")]
    pub entitlements: Vec<String>,
    #[prost(btree_map = "string, bytes", tag = "10")]
    pub frontend_inputs: BTreeMap<String, Vec<u8>>,
    /// Whether the build stays out of the history.
    #[prost(bool, tag = "11")]
    pub internal: bool,
    #[prost(message, repeated, tag = "13")]
    pub exporters: Vec<Exporter>,
    #[prost(bool, tag = "14")]
    pub enable_session_exporter: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CacheOptions {
    #[prost(message, repeated, tag = "4")]
    pub exports: Vec<CacheEntry>,
    #[prost(message, repeated, tag = "5")]
    pub imports: Vec<CacheEntry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Exporter {
    /// `image`, `oci`, `docker`, `local`, `tar`, `moby`, ...
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(btree_map = "string, string", tag = "2")]
    pub attrs: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SolveResponse {
    #[prost(btree_map = "string, string", tag = "1")]
    pub exporter_response: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StatusRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StatusResponse {
    #[prost(message, repeated, tag = "1")]
    pub vertexes: Vec<Vertex>,
    #[prost(message, repeated, tag = "2")]
    pub statuses: Vec<VertexStatus>,
    #[prost(message, repeated, tag = "3")]
    pub logs: Vec<VertexLog>,
    #[prost(message, repeated, tag = "4")]
    pub warnings: Vec<VertexWarning>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Vertex {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(string, repeated, tag = "2")]
    pub inputs: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(bool, tag = "4")]
    pub cached: bool,
    #[prost(message, optional, tag = "5")]
    pub started: Option<Timestamp>,
    #[prost(message, optional, tag = "6")]
    pub completed: Option<Timestamp>,
    #[prost(string, tag = "7")]
    pub error: String,
    #[prost(message, optional, tag = "8")]
    pub progress_group: Option<pb::ProgressGroup>,
}

/// Something that a vertex does, and how far it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VertexStatus {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub vertex: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(int64, tag = "4")]
    pub current: i64,
    #[prost(int64, tag = "5")]
    pub total: i64,
    #[prost(message, optional, tag = "6")]
    pub timestamp: Option<Timestamp>,
    #[prost(message, optional, tag = "7")]
    pub started: Option<Timestamp>,
    #[prost(message, optional, tag = "8")]
    pub completed: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct VertexLog {
    #[prost(string, tag = "1")]
    pub vertex: String,
    #[prost(message, optional, tag = "2")]
    pub timestamp: Option<Timestamp>,
    /// 1 is standard output, 2 is standard error.
    #[prost(int64, tag = "3")]
    pub stream: i64,
    #[prost(bytes = "bytes", tag = "4")]
    pub msg: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct VertexWarning {
    #[prost(string, tag = "1")]
    pub vertex: String,
    #[prost(int64, tag = "2")]
    pub level: i64,
    #[prost(bytes = "bytes", tag = "3")]
    pub short: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "4")]
    pub detail: Vec<Bytes>,
    #[prost(string, tag = "5")]
    pub url: String,
    #[prost(message, optional, tag = "6")]
    pub info: Option<pb::SourceInfo>,
    #[prost(message, repeated, tag = "7")]
    pub ranges: Vec<pb::Range>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ListWorkersRequest {
    #[prost(string, repeated, tag = "1")]
    pub filter: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ListWorkersResponse {
    #[prost(message, repeated, tag = "1")]
    pub record: Vec<WorkerRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub version: Option<Version>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoryRequest {
    #[prost(bool, tag = "1")]
    pub active_only: bool,
    #[prost(string, tag = "2")]
    pub reference: String,
    /// Whether the stream ends with what is there now.
    #[prost(bool, tag = "3")]
    pub early_exit: bool,
    #[prost(string, repeated, tag = "4")]
    pub filter: Vec<String>,
    #[prost(int32, tag = "5")]
    pub limit: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoryEvent {
    /// 0: started, 1: complete, 2: deleted.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(message, optional, tag = "2")]
    pub record: Option<HistoryRecord>,
}

/// A build of the past, or one that runs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoryRecord {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "2")]
    pub frontend: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub frontend_attrs: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "4")]
    pub exporters: Vec<Exporter>,
    #[prost(message, optional, tag = "5")]
    pub error: Option<Status>,
    #[prost(message, optional, tag = "6")]
    pub created_at: Option<Timestamp>,
    #[prost(message, optional, tag = "7")]
    pub completed_at: Option<Timestamp>,
    #[prost(message, optional, tag = "8")]
    pub logs: Option<Descriptor>,
    #[prost(btree_map = "string, string", tag = "9")]
    pub exporter_response: BTreeMap<String, String>,
    #[prost(int32, tag = "12")]
    pub generation: i32,
    #[prost(bool, tag = "14")]
    pub pinned: bool,
    #[prost(int32, tag = "15")]
    pub cached_steps: i32,
    #[prost(int32, tag = "16")]
    pub total_steps: i32,
    #[prost(int32, tag = "17")]
    pub completed_steps: i32,
    #[prost(int32, tag = "19")]
    pub warnings: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct UpdateHistoryRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(bool, tag = "2")]
    pub pinned: bool,
    #[prost(bool, tag = "3")]
    pub delete: bool,
    #[prost(bool, tag = "4")]
    pub finalize: bool,
}
