//! The services that a client offers to the daemon within its session.

use std::collections::BTreeMap;

use prost::bytes::Bytes;

/// Health, which a daemon asks for every few seconds; takes and answers [`HealthRequest`] and [`HealthResponse`].
pub const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
/// Sends a directory: a stream of [`Packet`] both ways.
pub const FILE_SYNC: &str = "/moby.filesync.v1.FileSync/DiffCopy";
/// Takes a result: a stream of [`Packet`] for a directory, and of [`crate::BytesMessage`] for an archive.
pub const FILE_SEND: &str = "/moby.filesync.v1.FileSend/DiffCopy";
pub const CREDENTIALS: &str = "/moby.filesync.v1.Auth/Credentials";
pub const FETCH_TOKEN: &str = "/moby.filesync.v1.Auth/FetchToken";
pub const GET_TOKEN_AUTHORITY: &str = "/moby.filesync.v1.Auth/GetTokenAuthority";
pub const VERIFY_TOKEN_AUTHORITY: &str = "/moby.filesync.v1.Auth/VerifyTokenAuthority";
pub const GET_SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
/// Answers by an [`crate::Empty`].
pub const CHECK_AGENT: &str = "/moby.sshforward.v1.SSH/CheckAgent";
/// A stream of [`crate::BytesMessage`] both ways.
pub const FORWARD_AGENT: &str = "/moby.sshforward.v1.SSH/ForwardAgent";
/// Sends something of which the daemon knows the address: a stream of [`crate::BytesMessage`].
pub const UPLOAD_PULL: &str = "/moby.upload.v1.Upload/Pull";

/// The metadata keys by which a session tells what it is.
pub mod header {
    pub const UUID: &str = "x-docker-expose-session-uuid";
    pub const NAME: &str = "x-docker-expose-session-name";
    pub const SHARED_KEY: &str = "x-docker-expose-session-sharedkey";
    /// One for each method that is served.
    pub const METHOD: &str = "x-docker-expose-session-grpc-method";
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HealthRequest {
    #[prost(string, tag = "1")]
    pub service: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct HealthResponse {
    /// 1: serving.
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// A message of the protocol in which directories are sent.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Packet {
    #[prost(enumeration = "PacketKind", tag = "1")]
    pub kind: i32,
    #[prost(message, optional, tag = "2")]
    pub stat: Option<Stat>,
    /// The number of the entry, counting from zero in the order in which they were sent.
    #[prost(uint32, tag = "3")]
    pub id: u32,
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum PacketKind {
    /// An entry; without one, there are no more.
    Stat = 0,
    /// Asks for the content of an entry.
    Req = 1,
    /// A piece of it; an empty one ends it.
    Data = 2,
    /// All is done.
    Fin = 3,
    /// All is over; `data` says why.
    Err = 4,
}

/// An entry of a directory.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Stat {
    /// Relative, with `/`.
    #[prost(string, tag = "1")]
    pub path: String,
    /// As Go's `os.FileMode`, whose bits beyond the permissions are not those of `st_mode`: see [`mode`].
    #[prost(uint32, tag = "2")]
    pub mode: u32,
    #[prost(uint32, tag = "3")]
    pub uid: u32,
    #[prost(uint32, tag = "4")]
    pub gid: u32,
    /// In bytes.
    #[prost(int64, tag = "5")]
    pub size: i64,
    /// In nanoseconds since 1970.
    #[prost(int64, tag = "6")]
    pub mod_time: i64,
    /// Where a symbolic link points; for a file, an earlier entry that it is a hard link to.
    #[prost(string, tag = "7")]
    pub linkname: String,
    #[prost(int64, tag = "8")]
    pub devmajor: i64,
    #[prost(int64, tag = "9")]
    pub devminor: i64,
    #[prost(btree_map = "string, bytes", tag = "10")]
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// The bits of Go's `os.FileMode` beyond the nine of the permissions.
pub mod mode {
    pub const DIR: u32 = 1 << 31;
    pub const SYMLINK: u32 = 1 << 27;
    pub const DEVICE: u32 = 1 << 26;
    pub const NAMED_PIPE: u32 = 1 << 25;
    pub const SOCKET: u32 = 1 << 24;
    pub const SETUID: u32 = 1 << 23;
    pub const SETGID: u32 = 1 << 22;
    pub const CHAR_DEVICE: u32 = 1 << 21;
    pub const STICKY: u32 = 1 << 20;
    pub const IRREGULAR: u32 = 1 << 19;
    /// All bits that say what kind of entry it is.
    pub const TYPE: u32 = DIR | SYMLINK | DEVICE | NAMED_PIPE | SOCKET | CHAR_DEVICE | IRREGULAR;

    /// Of a `st_mode`.
    pub fn from_st_mode(st_mode: u32) -> u32 {
        let kind = match st_mode & 0o170_000 {
            0o040_000 => DIR,
            0o120_000 => SYMLINK,
            0o060_000 => DEVICE,
            0o020_000 => DEVICE | CHAR_DEVICE,
            0o010_000 => NAMED_PIPE,
            0o140_000 => SOCKET,
            _ => 0,
        };
        let bit = |of: u32, to: u32| if st_mode & of == 0 { 0 } else { to };
        st_mode & 0o777 | kind | bit(0o4000, SETUID) | bit(0o2000, SETGID) | bit(0o1000, STICKY)
    }

    /// The permissions as those of a `st_mode`, with the set-id and sticky bits, and without what kind of entry it is.
    pub fn permissions(mode: u32) -> u32 {
        let bit = |of: u32, to: u32| if mode & of == 0 { 0 } else { to };
        mode & 0o777 | bit(SETUID, 0o4000) | bit(SETGID, 0o2000) | bit(STICKY, 0o1000)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CredentialsRequest {
    #[prost(string, tag = "1")]
    pub host: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CredentialsResponse {
    /// Empty if `secret` is a token that an identity gave.
    #[prost(string, tag = "1")]
    pub username: String,
    #[prost(string, tag = "2")]
    pub secret: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct FetchTokenRequest {
    #[prost(string, tag = "1")]
    pub client_id: String,
    #[prost(string, tag = "2")]
    pub host: String,
    #[prost(string, tag = "3")]
    pub realm: String,
    #[prost(string, tag = "4")]
    pub service: String,
    #[prost(string, repeated, tag = "5")]
    pub scopes: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct FetchTokenResponse {
    #[prost(string, tag = "1")]
    pub token: String,
    /// In seconds.
    #[prost(int64, tag = "2")]
    pub expires_in: i64,
    /// In seconds since 1970.
    #[prost(int64, tag = "3")]
    pub issued_at: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TokenAuthorityRequest {
    #[prost(string, tag = "1")]
    pub host: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub salt: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TokenAuthorityResponse {
    #[prost(bytes = "bytes", tag = "1")]
    pub public_key: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct GetSecretRequest {
    #[prost(string, tag = "1")]
    pub id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct GetSecretResponse {
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckAgentRequest {
    #[prost(string, tag = "1")]
    pub id: String,
}
