//! The API of frontends (`moby.buildkit.v1.frontend.LLBBridge`).

use std::collections::BTreeMap;

use prost::bytes::Bytes;

use crate::session::Stat;
use crate::{ApiCap, CacheEntry, Status, Timestamp, WorkerRecord, pb};

pub const RESOLVE_IMAGE_CONFIG: &str = "/moby.buildkit.v1.frontend.LLBBridge/ResolveImageConfig";
pub const RESOLVE_SOURCE_META: &str = "/moby.buildkit.v1.frontend.LLBBridge/ResolveSourceMeta";
pub const SOLVE: &str = "/moby.buildkit.v1.frontend.LLBBridge/Solve";
pub const READ_FILE: &str = "/moby.buildkit.v1.frontend.LLBBridge/ReadFile";
pub const READ_DIR: &str = "/moby.buildkit.v1.frontend.LLBBridge/ReadDir";
pub const STAT_FILE: &str = "/moby.buildkit.v1.frontend.LLBBridge/StatFile";
pub const EVALUATE: &str = "/moby.buildkit.v1.frontend.LLBBridge/Evaluate";
/// Takes an [`crate::Empty`].
pub const PING: &str = "/moby.buildkit.v1.frontend.LLBBridge/Ping";
/// Answers by an [`crate::Empty`].
pub const RETURN: &str = "/moby.buildkit.v1.frontend.LLBBridge/Return";
/// Takes an [`crate::Empty`].
pub const INPUTS: &str = "/moby.buildkit.v1.frontend.LLBBridge/Inputs";
/// Answers by an [`crate::Empty`].
pub const WARN: &str = "/moby.buildkit.v1.frontend.LLBBridge/Warn";

/// The metadata key by which a client says on the control connection for which build it acts as frontend.
pub const BUILD_ID: &str = "buildkit-controlapi-buildid";

#[derive(Clone, PartialEq, prost::Message)]
pub struct Result {
    #[prost(oneof = "Refs", tags = "1, 3, 4")]
    pub refs: Option<Refs>,
    #[prost(btree_map = "string, bytes", tag = "10")]
    pub metadata: BTreeMap<String, Vec<u8>>,
    #[prost(btree_map = "string, message", tag = "12")]
    pub attestations: BTreeMap<String, Attestations>,
}

/// What a build came to: one file system, or one for each key.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Refs {
    /// Old daemons answer in this way.
    #[prost(string, tag = "1")]
    Id(String),
    #[prost(message, tag = "3")]
    One(Ref),
    #[prost(message, tag = "4")]
    Many(RefMap),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Ref {
    /// Empty for an empty file system.
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub definition: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct RefMap {
    #[prost(message, repeated, tag = "1")]
    pub refs: Vec<RefEntry>,
}

/// An entry of a map. The value is always written: to a daemon one that is left out is none, and it ends over that.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RefEntry {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, required, tag = "2")]
    pub value: Ref,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Attestations {
    #[prost(message, repeated, tag = "1")]
    pub attestation: Vec<Attestation>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Attestation {
    /// 0: in-toto, 1: bundle.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub metadata: BTreeMap<String, Vec<u8>>,
    #[prost(message, optional, tag = "3")]
    pub reference: Option<Ref>,
    #[prost(string, tag = "4")]
    pub path: String,
    #[prost(string, tag = "5")]
    pub predicate_type: String,
    #[prost(message, repeated, tag = "6")]
    pub subjects: Vec<Subject>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Subject {
    /// 0: the result itself, 1: what `digest` says.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(string, repeated, tag = "2")]
    pub digest: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReturnRequest {
    #[prost(message, optional, tag = "1")]
    pub result: Option<Result>,
    #[prost(message, optional, tag = "2")]
    pub error: Option<Status>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct InputsResponse {
    /// Definitions, by name.
    #[prost(btree_map = "string, bytes", tag = "1")]
    pub definitions: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResolveImageConfigRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(message, optional, tag = "2")]
    pub platform: Option<pb::Platform>,
    #[prost(string, tag = "3")]
    pub resolve_mode: String,
    #[prost(string, tag = "4")]
    pub log_name: String,
    /// 0: a registry, 1: an OCI layout.
    #[prost(int32, tag = "5")]
    pub resolver_type: i32,
    #[prost(string, tag = "6")]
    pub session_id: String,
    #[prost(string, tag = "7")]
    pub store_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResolveImageConfigResponse {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub config: Bytes,
    #[prost(string, tag = "3")]
    pub reference: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResolveSourceMetaRequest {
    #[prost(message, optional, tag = "1")]
    pub source: Option<pb::SourceOp>,
    #[prost(message, optional, tag = "2")]
    pub platform: Option<pb::Platform>,
    #[prost(string, tag = "3")]
    pub log_name: String,
    #[prost(string, tag = "4")]
    pub resolve_mode: String,
    #[prost(message, optional, tag = "5")]
    pub git: Option<ResolveGitRequest>,
    #[prost(message, optional, tag = "6")]
    pub image: Option<ResolveImageRequest>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ResolveGitRequest {
    #[prost(bool, tag = "1")]
    pub return_object: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ResolveImageRequest {
    #[prost(bool, tag = "1")]
    pub no_config: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResolveSourceMetaResponse {
    #[prost(message, optional, tag = "1")]
    pub source: Option<pb::SourceOp>,
    #[prost(message, optional, tag = "2")]
    pub image: Option<ResolveImageResponse>,
    #[prost(message, optional, tag = "3")]
    pub git: Option<ResolveGitResponse>,
    #[prost(message, optional, tag = "4")]
    pub http: Option<ResolveHttpResponse>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResolveImageResponse {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub config: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResolveGitResponse {
    #[prost(string, tag = "1")]
    pub checksum: String,
    #[prost(string, tag = "2")]
    pub reference: String,
    #[prost(string, tag = "3")]
    pub commit_checksum: String,
    #[prost(bytes = "bytes", tag = "4")]
    pub commit_object: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    pub tag_object: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ResolveHttpResponse {
    #[prost(string, tag = "1")]
    pub checksum: String,
    #[prost(string, tag = "2")]
    pub filename: String,
    #[prost(message, optional, tag = "3")]
    pub last_modified: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SolveRequest {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub definition: Option<Bytes>,
    #[prost(string, tag = "2")]
    pub frontend: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub frontend_opt: BTreeMap<String, String>,
    /// Whether the answer may be a [`Result`]; and in it, [`Refs::One`] or [`Refs::Many`].
    #[prost(bool, tag = "5")]
    pub allow_result_return: bool,
    #[prost(bool, tag = "6")]
    pub allow_result_array_ref: bool,
    #[prost(message, repeated, tag = "12")]
    pub cache_imports: Vec<CacheEntry>,
    #[prost(btree_map = "string, bytes", tag = "13")]
    pub frontend_inputs: BTreeMap<String, Vec<u8>>,
    /// Whether to build at once and not when the result is needed.
    #[prost(bool, tag = "14")]
    pub evaluate: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SolveResponse {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(message, optional, tag = "3")]
    pub result: Option<Result>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadFileRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "2")]
    pub path: String,
    #[prost(message, optional, tag = "3")]
    pub range: Option<FileRange>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct FileRange {
    #[prost(int64, tag = "1")]
    pub offset: i64,
    #[prost(int64, tag = "2")]
    pub length: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadFileResponse {
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadDirRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "2")]
    pub path: String,
    #[prost(string, tag = "3")]
    pub include: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadDirResponse {
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<Stat>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StatFileRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "2")]
    pub path: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StatFileResponse {
    #[prost(message, optional, tag = "1")]
    pub stat: Option<Stat>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct EvaluateRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PongResponse {
    #[prost(message, repeated, tag = "1")]
    pub frontend_caps: Vec<ApiCap>,
    #[prost(message, repeated, tag = "2")]
    pub llb_caps: Vec<ApiCap>,
    #[prost(message, repeated, tag = "3")]
    pub workers: Vec<WorkerRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct WarnRequest {
    /// The vertex that it is about, if it is about one.
    #[prost(string, tag = "1")]
    pub digest: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message as _;

    #[test]
    fn an_empty_result_among_several_is_written() {
        let entry = RefEntry { key: "a".to_owned(), value: Ref::default() };
        assert_eq!(RefMap { refs: vec![entry] }.encode_to_vec(), [10, 5, 10, 1, b'a', 18, 0]);
    }
}
