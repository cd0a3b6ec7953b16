//! Blobs of OCI layouts, which are contexts or caches.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use rbc_oci::Digest;
use rbc_proto::Status;
use rbc_proto::content::{
    self, Info, InfoRequest, InfoResponse, ReadRequest, ReadResponse, WriteAction, WriteRequest, WriteResponse,
};
use rbc_registry::{Descriptor, Layout};

use super::Session;
use rbc_rpc::{Reply, Request, code, status};

/// The methods that are served.
pub(super) const METHODS: [&str; 3] = [content::INFO, content::READ, content::WRITE];
/// The key by which the daemon says which layout it wants.
const STORE: &str = "buildkit-attachable-store-id";
/// What a daemon calls the layout that an image is exported to.
const EXPORT: &str = "export";
/// How much is sent at a time.
const PIECE: usize = 1 << 20;

/// Answers a call to one of the methods.
pub(super) async fn handle(session: &Session, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let store = request.metadata(STORE).into_iter().next().unwrap_or_default();
    let root = root(session, &store).ok_or_else(|| status(code::NOT_FOUND, format!("there is no store `{store}`")))?;
    if request.path == content::WRITE {
        if !writable(session, &store) {
            return Err(status(code::DENIED, format!("the store `{store}` is not to be written")));
        }
        return write(root, request, reply).await;
    }
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
    if store == EXPORT {
        return session.layout.clone();
    }
    let path = PathBuf::from(store.strip_prefix("local:")?);
    session.caches.contains_key(&path).then_some(path)
}

/// Whether blobs may be added to a layout.
fn writable(session: &Session, store: &str) -> bool {
    let cache = store.strip_prefix("local:").and_then(|path| session.caches.get(std::path::Path::new(path)));
    store == EXPORT || cache == Some(&true)
}

/// Takes a blob, which is there when it is whole.
async fn write(root: PathBuf, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let failed = |e: &dyn std::fmt::Display| status(code::INTERNAL, e.to_string());
    let layout = Layout::create(root).map_err(|e| failed(&e.message))?;
    let mut next = request.message::<WriteRequest>().await?;
    let digest =
        Digest::parse(&next.expected).map_err(|e| status(code::INVALID, format!("`{}`: {e}", next.expected)))?;
    let total = u64::try_from(next.total).map_err(|_| status(code::INVALID, "a blob has a size"))?;
    let blob = Descriptor::new("", digest.clone(), total);
    if layout.has(&blob) {
        return Err(status(code::EXISTS, format!("{digest} is there")));
    }
    let mut writer = layout.writer(&blob).map_err(|e| failed(&e.message))?;
    let mut written = 0_u64;
    loop {
        if !next.data.is_empty() {
            if next.offset != 0 && u64::try_from(next.offset) != Ok(written) {
                return Err(status(code::INVALID, format!("{digest}: a piece does not follow on the last")));
            }
            writer.write_all(&next.data).map_err(|e| failed(&e))?;
            written += next.data.len() as u64;
        }
        let answer = WriteResponse {
            action: next.action,
            offset: i64::try_from(written).unwrap_or(i64::MAX),
            total: blob.size.try_into().unwrap_or(i64::MAX),
            digest: digest.to_string(),
            ..WriteResponse::default()
        };
        if next.action() == WriteAction::Commit {
            writer.finish().map_err(|e| failed(&e.message))?;
            return reply.message(&answer).await;
        }
        reply.message(&answer).await?;
        next = match request.messages.message().await? {
            Some(next) => next,
            // It was given up.
            None => return Ok(()),
        };
    }
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
