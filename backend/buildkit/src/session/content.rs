//! Blobs of OCI layouts, which are contexts or caches.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use rbc_oci::Digest;
use rbc_proto::Status;
use rbc_proto::content::{self, Info, InfoRequest, InfoResponse, ReadRequest, ReadResponse};

use super::Session;
use crate::rpc::{Reply, Request, code, status};

/// The methods that are served.
pub(super) const METHODS: [&str; 2] = [content::INFO, content::READ];
/// The key by which the daemon says which layout it wants.
const STORE: &str = "buildkit-attachable-store-id";
/// How much is sent at a time.
const PIECE: usize = 1 << 20;

/// Answers a call to one of the methods.
pub(super) async fn handle(session: &Session, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let store = request.metadata(STORE).into_iter().next().unwrap_or_default();
    let root = root(session, &store).ok_or_else(|| status(code::NOT_FOUND, format!("there is no store `{store}`")))?;
    if request.path == content::INFO {
        let digest = request.message::<InfoRequest>().await?.digest;
        let (_, size) = open(&root, &digest)?;
        let info = Info { digest, size: i64::try_from(size).unwrap_or(i64::MAX), ..Info::default() };
        return reply.message(&InfoResponse { info: Some(info) }).await;
    }
    let asked = request.message::<ReadRequest>().await?;
    let (file, size) = open(&root, &asked.digest)?;
    let failed = |e: std::io::Error| status(code::INTERNAL, format!("{}: {e}", asked.digest));
    let mut offset = u64::try_from(asked.offset).unwrap_or(0);
    let end = match u64::try_from(asked.size) {
        Ok(length) if length > 0 => offset.saturating_add(length).min(size),
        _ => size,
    };
    reply.begin()?;
    let mut buffer = vec![0; PIECE];
    while offset < end {
        let wanted = usize::try_from(end - offset).map_or(PIECE, |left| left.min(PIECE));
        let n = file.read_at(&mut buffer[..wanted], offset).map_err(failed)?;
        if n == 0 {
            return Err(status(code::INTERNAL, format!("{}: it became shorter", asked.digest)));
        }
        let at = i64::try_from(offset).unwrap_or(i64::MAX);
        reply.message(&ReadResponse { offset: at, data: buffer[..n].to_vec().into() }).await?;
        offset += n as u64;
    }
    Ok(())
}

/// The layout that has a name: that of a context, or a directory of a cache.
fn root(session: &Session, store: &str) -> Option<PathBuf> {
    if let Some(name) = store.strip_prefix("oci:") {
        return session.layouts.get(name).cloned();
    }
    let path = PathBuf::from(store.strip_prefix("local:")?);
    session.caches.contains(&path).then_some(path)
}

/// Opens a blob. A digest has no slash, so that no other file can be meant.
fn open(root: &std::path::Path, digest: &str) -> Result<(File, u64), Status> {
    let parsed = Digest::parse(digest).map_err(|e| status(code::INVALID, format!("`{digest}`: {e}")))?;
    let (algorithm, hex) = parsed.as_str().split_once(':').unwrap_or_default();
    let missing = |e: std::io::Error| status(code::NOT_FOUND, format!("{digest}: {e}"));
    let file = File::open(root.join("blobs").join(algorithm).join(hex)).map_err(missing)?;
    let found = file.metadata().map_err(missing)?;
    if !found.is_file() {
        return Err(status(code::NOT_FOUND, format!("{digest} is no file")));
    }
    Ok((file, found.len()))
}
