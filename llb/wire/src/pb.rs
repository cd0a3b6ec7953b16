//! The messages of LLB (moby/buildkit `solver/pb/ops.proto`), encoded canonically.
//!
//! A vertex is named by the sha256 of its bytes, so the bytes must be those that the reference writes:
//! - [`Op`] has its oneof in the middle of its tags and writes it last; its encoding is written out below.
//! - A map is a list of entries that always hold key and value, even empty ones. Who builds a message sorts the entries
//!   by key; a decoded one keeps its order, so encoding what was decoded gives the same bytes.
#![expect(missing_docs, reason = "the fields are those of the protocol, which `rbc_ir` explains")]

use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, message};
use prost::{DecodeError, Enumeration, Message, Oneof};

/// A vertex.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Op {
    /// What it works on.
    pub inputs: Vec<Input>,
    /// What it does. The last one of a definition does nothing.
    pub op: Option<OpKind>,
    /// The platform it is for.
    pub platform: Option<Platform>,
    /// What a worker must have.
    pub constraints: Option<WorkerConstraints>,
}

impl Op {
    /// Its canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads one; `None` if the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Op::decode(bytes).ok()
    }
}

const OP_INPUTS: u32 = 1;
const OP_PLATFORM: u32 = 10;
const OP_CONSTRAINTS: u32 = 11;

impl Message for Op {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        message::encode_repeated(OP_INPUTS, &self.inputs, buf);
        if let Some(platform) = &self.platform {
            message::encode(OP_PLATFORM, platform, buf);
        }
        if let Some(constraints) = &self.constraints {
            message::encode(OP_CONSTRAINTS, constraints, buf);
        }
        if let Some(op) = &self.op {
            op.encode(buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            OP_INPUTS => message::merge_repeated(wire_type, &mut self.inputs, buf, ctx),
            2..=8 => OpKind::merge(&mut self.op, tag, wire_type, buf, ctx),
            OP_PLATFORM => message::merge(wire_type, self.platform.get_or_insert_default(), buf, ctx),
            OP_CONSTRAINTS => message::merge(wire_type, self.constraints.get_or_insert_default(), buf, ctx),
            _ => prost::encoding::skip_field(wire_type, tag, buf, ctx),
        }
    }

    fn encoded_len(&self) -> usize {
        message::encoded_len_repeated(OP_INPUTS, &self.inputs)
            + self.platform.as_ref().map_or(0, |p| message::encoded_len(OP_PLATFORM, p))
            + self.constraints.as_ref().map_or(0, |c| message::encoded_len(OP_CONSTRAINTS, c))
            + self.op.as_ref().map_or(0, OpKind::encoded_len)
    }

    fn clear(&mut self) {
        *self = Op::default();
    }
}

/// What a vertex does.
#[derive(Clone, PartialEq, Oneof)]
pub enum OpKind {
    /// Runs a command.
    #[prost(message, boxed, tag = "2")]
    Exec(Box<ExecOp>),
    /// Brings something in.
    #[prost(message, tag = "3")]
    Source(SourceOp),
    /// Changes files.
    #[prost(message, tag = "4")]
    File(FileOp),
    /// Runs a build.
    #[prost(message, tag = "5")]
    Build(BuildOp),
    /// Lays file systems over one another.
    #[prost(message, tag = "6")]
    Merge(MergeOp),
    /// Takes one file system from another.
    #[prost(message, tag = "7")]
    Diff(DiffOp),
    /// Hands inputs on.
    #[prost(message, tag = "8")]
    Passthrough(PassthroughOp),
}

/// A platform.
#[derive(Clone, PartialEq, Message)]
pub struct Platform {
    #[prost(string, tag = "1")]
    pub architecture: String,
    #[prost(string, tag = "2")]
    pub os: String,
    #[prost(string, tag = "3")]
    pub variant: String,
    #[prost(string, tag = "4")]
    pub os_version: String,
    #[prost(string, repeated, tag = "5")]
    pub os_features: Vec<String>,
}

/// An output of another vertex.
#[derive(Clone, PartialEq, Message)]
pub struct Input {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub index: i64,
}

/// Runs a command.
#[derive(Clone, PartialEq, Message)]
pub struct ExecOp {
    #[prost(message, optional, tag = "1")]
    pub meta: Option<Meta>,
    #[prost(message, repeated, tag = "2")]
    pub mounts: Vec<Mount>,
    #[prost(enumeration = "NetMode", tag = "3")]
    pub network: i32,
    #[prost(enumeration = "SecurityMode", tag = "4")]
    pub security: i32,
    #[prost(message, repeated, tag = "5")]
    pub secretenv: Vec<SecretEnv>,
    #[prost(message, repeated, tag = "6")]
    pub cdi_devices: Vec<CdiDevice>,
}

/// A command and its surroundings.
#[derive(Clone, PartialEq, Message)]
pub struct Meta {
    #[prost(string, repeated, tag = "1")]
    pub args: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub env: Vec<String>,
    #[prost(string, tag = "3")]
    pub cwd: String,
    #[prost(string, tag = "4")]
    pub user: String,
    #[prost(message, optional, tag = "5")]
    pub proxy_env: Option<ProxyEnv>,
    #[prost(message, repeated, tag = "6")]
    pub extra_hosts: Vec<HostIp>,
    #[prost(string, tag = "7")]
    pub hostname: String,
    #[prost(message, repeated, tag = "9")]
    pub ulimit: Vec<Ulimit>,
    #[prost(string, tag = "10")]
    pub cgroup_parent: String,
    #[prost(bool, tag = "11")]
    pub remove_mount_stubs_recursive: bool,
    #[prost(int32, repeated, tag = "12")]
    pub valid_exit_codes: Vec<i32>,
}

/// A line for `/etc/hosts`.
#[derive(Clone, PartialEq, Message)]
pub struct HostIp {
    #[prost(string, tag = "1")]
    pub host: String,
    #[prost(string, tag = "2")]
    pub ip: String,
}

/// A resource limit.
#[derive(Clone, PartialEq, Message)]
pub struct Ulimit {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "2")]
    pub soft: i64,
    #[prost(int64, tag = "3")]
    pub hard: i64,
}

/// An environment variable filled from a secret.
#[derive(Clone, PartialEq, Message)]
pub struct SecretEnv {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(bool, tag = "3")]
    pub optional: bool,
}

/// A device.
#[derive(Clone, PartialEq, Message)]
pub struct CdiDevice {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bool, tag = "2")]
    pub optional: bool,
}

/// Something mounted for a command.
#[derive(Clone, PartialEq, Message)]
pub struct Mount {
    #[prost(int64, tag = "1")]
    pub input: i64,
    #[prost(string, tag = "2")]
    pub selector: String,
    #[prost(string, tag = "3")]
    pub dest: String,
    #[prost(int64, tag = "4")]
    pub output: i64,
    #[prost(bool, tag = "5")]
    pub readonly: bool,
    #[prost(enumeration = "MountType", tag = "6")]
    pub mount_type: i32,
    #[prost(message, optional, tag = "19")]
    pub tmpfs_opt: Option<TmpfsOpt>,
    #[prost(message, optional, tag = "20")]
    pub cache_opt: Option<CacheOpt>,
    #[prost(message, optional, tag = "21")]
    pub secret_opt: Option<SecretOpt>,
    #[prost(message, optional, tag = "22")]
    pub ssh_opt: Option<SshOpt>,
    #[prost(string, tag = "23")]
    pub result_id: String,
    #[prost(enumeration = "MountContentCache", tag = "24")]
    pub content_cache: i32,
}

/// Options of a tmpfs mount.
#[derive(Clone, PartialEq, Message)]
pub struct TmpfsOpt {
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// Options of a cache mount.
#[derive(Clone, PartialEq, Message)]
pub struct CacheOpt {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(enumeration = "CacheSharingOpt", tag = "2")]
    pub sharing: i32,
}

/// Options of a secret mount.
#[derive(Clone, PartialEq, Message)]
pub struct SecretOpt {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(uint32, tag = "2")]
    pub uid: u32,
    #[prost(uint32, tag = "3")]
    pub gid: u32,
    #[prost(uint32, tag = "4")]
    pub mode: u32,
    #[prost(bool, tag = "5")]
    pub optional: bool,
}

/// Options of an ssh mount.
#[derive(Clone, PartialEq, Message)]
pub struct SshOpt {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(uint32, tag = "2")]
    pub uid: u32,
    #[prost(uint32, tag = "3")]
    pub gid: u32,
    #[prost(uint32, tag = "4")]
    pub mode: u32,
    #[prost(bool, tag = "5")]
    pub optional: bool,
}

/// Brings something in from outside.
#[derive(Clone, PartialEq, Message)]
pub struct SourceOp {
    #[prost(string, tag = "1")]
    pub identifier: String,
    #[prost(message, repeated, tag = "2")]
    pub attrs: Vec<StringEntry>,
}

/// Runs a build that a file system describes.
#[derive(Clone, PartialEq, Message)]
pub struct BuildOp {
    #[prost(int64, tag = "1")]
    pub builder: i64,
    #[prost(message, repeated, tag = "2")]
    pub inputs: Vec<BuildInputEntry>,
    /// A [`Definition`], left in its bytes.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub def: Option<Bytes>,
    #[prost(message, repeated, tag = "4")]
    pub attrs: Vec<StringEntry>,
}

/// An input of a build.
#[derive(Clone, PartialEq, Message)]
pub struct BuildInput {
    #[prost(int64, tag = "1")]
    pub input: i64,
}

/// What is known about a vertex.
#[derive(Clone, PartialEq, Message)]
pub struct OpMetadata {
    #[prost(bool, tag = "1")]
    pub ignore_cache: bool,
    #[prost(message, repeated, tag = "2")]
    pub description: Vec<StringEntry>,
    #[prost(message, optional, tag = "4")]
    pub export_cache: Option<ExportCache>,
    #[prost(message, repeated, tag = "5")]
    pub caps: Vec<BoolEntry>,
    #[prost(message, optional, tag = "6")]
    pub progress_group: Option<ProgressGroup>,
    #[prost(message, optional, tag = "7")]
    pub linux_resources: Option<LinuxResources>,
}

/// Where vertices are written.
#[derive(Clone, PartialEq, Message)]
pub struct Source {
    #[prost(message, repeated, tag = "1")]
    pub locations: Vec<LocationsEntry>,
    #[prost(message, repeated, tag = "2")]
    pub infos: Vec<SourceInfo>,
}

/// Places of one vertex.
#[derive(Clone, PartialEq, Message)]
pub struct Locations {
    #[prost(message, repeated, tag = "1")]
    pub locations: Vec<Location>,
}

/// A source text.
#[derive(Clone, PartialEq, Message)]
pub struct SourceInfo {
    #[prost(string, tag = "1")]
    pub filename: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
    #[prost(message, optional, tag = "3")]
    pub definition: Option<Definition>,
    #[prost(string, tag = "4")]
    pub language: String,
}

/// Places in one source text.
#[derive(Clone, PartialEq, Message)]
pub struct Location {
    #[prost(int32, tag = "1")]
    pub source_index: i32,
    #[prost(message, repeated, tag = "2")]
    pub ranges: Vec<Range>,
}

/// A range of a source text.
#[derive(Clone, PartialEq, Message)]
pub struct Range {
    #[prost(message, optional, tag = "1")]
    pub start: Option<Position>,
    #[prost(message, optional, tag = "2")]
    pub end: Option<Position>,
}

/// A place in a source text.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Position {
    #[prost(int32, tag = "1")]
    pub line: i32,
    #[prost(int32, tag = "2")]
    pub character: i32,
}

/// Whether a result goes to an exported cache.
#[derive(Clone, PartialEq, Message)]
pub struct ExportCache {
    #[prost(bool, tag = "1")]
    pub value: bool,
}

/// Vertices that progress output shows as one.
#[derive(Clone, PartialEq, Message)]
pub struct ProgressGroup {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(bool, tag = "3")]
    pub weak: bool,
}

/// Limits of a container.
#[derive(Clone, PartialEq, Message)]
pub struct LinuxResources {
    #[prost(int64, tag = "1")]
    pub memory: i64,
    #[prost(int64, tag = "2")]
    pub memory_swap: i64,
    #[prost(uint64, tag = "3")]
    pub cpu_shares: u64,
    #[prost(uint64, tag = "4")]
    pub cpu_period: u64,
    #[prost(int64, tag = "5")]
    pub cpu_quota: i64,
    #[prost(string, tag = "6")]
    pub cpuset_cpus: String,
    #[prost(string, tag = "7")]
    pub cpuset_mems: String,
}

/// Proxy variables.
#[derive(Clone, PartialEq, Message)]
pub struct ProxyEnv {
    #[prost(string, tag = "1")]
    pub http_proxy: String,
    #[prost(string, tag = "2")]
    pub https_proxy: String,
    #[prost(string, tag = "3")]
    pub ftp_proxy: String,
    #[prost(string, tag = "4")]
    pub no_proxy: String,
    #[prost(string, tag = "5")]
    pub all_proxy: String,
}

/// What a worker must have.
#[derive(Clone, PartialEq, Message)]
pub struct WorkerConstraints {
    #[prost(string, repeated, tag = "1")]
    pub filter: Vec<String>,
}

/// A graph: vertices, inputs before users; what is known about them; where they are written. The last vertex is no op: its one
/// input is the result.
#[derive(Clone, PartialEq, Message)]
pub struct Definition {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub def: Vec<Bytes>,
    #[prost(message, repeated, tag = "2")]
    pub metadata: Vec<MetadataEntry>,
    #[prost(message, optional, tag = "3")]
    pub source: Option<Source>,
}

/// Changes files.
#[derive(Clone, PartialEq, Message)]
pub struct FileOp {
    #[prost(message, repeated, tag = "2")]
    pub actions: Vec<FileAction>,
}

/// One change of files.
#[derive(Clone, PartialEq, Message)]
pub struct FileAction {
    #[prost(int64, tag = "1")]
    pub input: i64,
    #[prost(int64, tag = "2")]
    pub secondary_input: i64,
    #[prost(int64, tag = "3")]
    pub output: i64,
    #[prost(oneof = "FileActionKind", tags = "4, 5, 6, 7, 8")]
    pub action: Option<FileActionKind>,
}

/// Copies files.
#[derive(Clone, PartialEq, Message)]
pub struct FileActionCopy {
    #[prost(string, tag = "1")]
    pub src: String,
    #[prost(string, tag = "2")]
    pub dest: String,
    #[prost(message, optional, tag = "3")]
    pub owner: Option<ChownOpt>,
    #[prost(int32, tag = "4")]
    pub mode: i32,
    #[prost(bool, tag = "5")]
    pub follow_symlink: bool,
    #[prost(bool, tag = "6")]
    pub dir_copy_contents: bool,
    #[prost(bool, tag = "7")]
    pub attempt_unpack_docker_compatibility: bool,
    #[prost(bool, tag = "8")]
    pub create_dest_path: bool,
    #[prost(bool, tag = "9")]
    pub allow_wildcard: bool,
    #[prost(bool, tag = "10")]
    pub allow_empty_wildcard: bool,
    #[prost(int64, tag = "11")]
    pub timestamp: i64,
    #[prost(string, repeated, tag = "12")]
    pub include_patterns: Vec<String>,
    #[prost(string, repeated, tag = "13")]
    pub exclude_patterns: Vec<String>,
    #[prost(bool, tag = "14")]
    pub always_replace_existing_dest_paths: bool,
    #[prost(string, tag = "15")]
    pub mode_str: String,
    #[prost(string, repeated, tag = "16")]
    pub required_paths: Vec<String>,
}

/// Makes a file.
#[derive(Clone, PartialEq, Message)]
pub struct FileActionMkFile {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(int32, tag = "2")]
    pub mode: i32,
    #[prost(bytes = "bytes", tag = "3")]
    pub data: Bytes,
    #[prost(message, optional, tag = "4")]
    pub owner: Option<ChownOpt>,
    #[prost(int64, tag = "5")]
    pub timestamp: i64,
}

/// Makes a symbolic link.
#[derive(Clone, PartialEq, Message)]
pub struct FileActionSymlink {
    #[prost(string, tag = "1")]
    pub oldpath: String,
    #[prost(string, tag = "2")]
    pub newpath: String,
    #[prost(message, optional, tag = "3")]
    pub owner: Option<ChownOpt>,
    #[prost(int64, tag = "4")]
    pub timestamp: i64,
}

/// Makes a directory.
#[derive(Clone, PartialEq, Message)]
pub struct FileActionMkDir {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(int32, tag = "2")]
    pub mode: i32,
    #[prost(bool, tag = "3")]
    pub make_parents: bool,
    #[prost(message, optional, tag = "4")]
    pub owner: Option<ChownOpt>,
    #[prost(int64, tag = "5")]
    pub timestamp: i64,
}

/// Removes a file or directory.
#[derive(Clone, PartialEq, Message)]
pub struct FileActionRm {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(bool, tag = "2")]
    pub allow_not_found: bool,
    #[prost(bool, tag = "3")]
    pub allow_wildcard: bool,
}

/// An owner.
#[derive(Clone, PartialEq, Message)]
pub struct ChownOpt {
    #[prost(message, optional, tag = "1")]
    pub user: Option<UserOpt>,
    #[prost(message, optional, tag = "2")]
    pub group: Option<UserOpt>,
}

/// A user or a group.
#[derive(Clone, PartialEq, Message)]
pub struct UserOpt {
    #[prost(oneof = "UserKind", tags = "1, 2")]
    pub user: Option<UserKind>,
}

/// A user or a group by name.
#[derive(Clone, PartialEq, Message)]
pub struct NamedUserOpt {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "2")]
    pub input: i64,
}

/// An input of a merge.
#[derive(Clone, PartialEq, Message)]
pub struct MergeInput {
    #[prost(int64, tag = "1")]
    pub input: i64,
}

/// Lays file systems over one another.
#[derive(Clone, PartialEq, Message)]
pub struct MergeOp {
    #[prost(message, repeated, tag = "1")]
    pub inputs: Vec<MergeInput>,
}

/// The lower input of a diff.
#[derive(Clone, PartialEq, Message)]
pub struct LowerDiffInput {
    #[prost(int64, tag = "1")]
    pub input: i64,
}

/// The upper input of a diff.
#[derive(Clone, PartialEq, Message)]
pub struct UpperDiffInput {
    #[prost(int64, tag = "1")]
    pub input: i64,
}

/// Takes one file system from another.
#[derive(Clone, PartialEq, Message)]
pub struct DiffOp {
    #[prost(message, optional, tag = "1")]
    pub lower: Option<LowerDiffInput>,
    #[prost(message, optional, tag = "2")]
    pub upper: Option<UpperDiffInput>,
}

/// Hands inputs on.
#[derive(Clone, PartialEq, Message)]
pub struct PassthroughOp {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(int64, repeated, tag = "2")]
    pub outputs: Vec<i64>,
}

/// What a file action does. The oneof of a file action has its highest tags, so its derived encoding is canonical.
#[derive(Clone, PartialEq, Oneof)]
pub enum FileActionKind {
    /// Copies files.
    #[prost(message, tag = "4")]
    Copy(FileActionCopy),
    /// Makes a file.
    #[prost(message, tag = "5")]
    Mkfile(FileActionMkFile),
    /// Makes a directory.
    #[prost(message, tag = "6")]
    Mkdir(FileActionMkDir),
    /// Removes a file or directory.
    #[prost(message, tag = "7")]
    Rm(FileActionRm),
    /// Makes a symbolic link.
    #[prost(message, tag = "8")]
    Symlink(FileActionSymlink),
}

/// A user or a group, by name or by id.
#[derive(Clone, PartialEq, Oneof)]
pub enum UserKind {
    /// By name.
    #[prost(message, tag = "1")]
    ByName(NamedUserOpt),
    /// By id.
    #[prost(uint32, tag = "2")]
    ById(u32),
}

/// An entry of a map. Key and value are always written.
#[derive(Clone, PartialEq, Message)]
pub struct StringEntry {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// An entry of a map. Key and value are always written.
#[derive(Clone, PartialEq, Message)]
pub struct BoolEntry {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(bool, required, tag = "2")]
    pub value: bool,
}

/// An entry of a map. Key and value are always written.
#[derive(Clone, PartialEq, Message)]
pub struct BuildInputEntry {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(message, required, tag = "2")]
    pub value: BuildInput,
}

/// An entry of a map. Key and value are always written.
#[derive(Clone, PartialEq, Message)]
pub struct MetadataEntry {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(message, required, tag = "2")]
    pub value: OpMetadata,
}

/// An entry of a map. Key and value are always written.
#[derive(Clone, PartialEq, Message)]
pub struct LocationsEntry {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(message, required, tag = "2")]
    pub value: Locations,
}

/// The network that a command sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum NetMode {
    Unset = 0,
    Host = 1,
    None = 2,
}

/// What a command may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum SecurityMode {
    Sandbox = 0,
    Insecure = 1,
}

/// The kind of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum MountType {
    Bind = 0,
    Secret = 1,
    Ssh = 2,
    Cache = 3,
    Tmpfs = 4,
}

/// Whether a cache key may rest on the content of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum MountContentCache {
    Default = 0,
    On = 1,
    Off = 2,
}

/// Who may use a cache mount at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum CacheSharingOpt {
    Shared = 0,
    Private = 1,
    Locked = 2,
}
