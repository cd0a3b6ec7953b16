//! Secrets, and agents that keep keys for ssh.

use std::path::PathBuf;

use rbc_proto::session::{CheckAgentRequest, GetSecretRequest, GetSecretResponse};
use rbc_proto::{BytesMessage, Empty, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::Session;
use rbc_rpc::{Reply, Request, code, status};

/// The key by which the daemon says which agent it wants.
const AGENT: &str = "buildkit.ssh.id";
const DEFAULT: &str = "default";

/// Gives a secret that the build may have.
pub(super) async fn secret(session: &Session, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let id = request.message::<GetSecretRequest>().await?.id;
    match session.secrets.get(&id) {
        Some(value) => reply.message(&GetSecretResponse { data: value.clone().into() }).await,
        None => Err(status(code::NOT_FOUND, format!("there is no secret `{id}`"))),
    }
}

fn socket<'a>(session: &'a Session, id: &str) -> Result<&'a PathBuf, Status> {
    let id = if id.is_empty() { DEFAULT } else { id };
    session.ssh.get(id).ok_or_else(|| status(code::NOT_FOUND, format!("there is no ssh agent `{id}`")))
}

/// Says whether there is an agent.
pub(super) async fn check_agent(session: &Session, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let id = request.message::<CheckAgentRequest>().await?.id;
    socket(session, &id)?;
    reply.message(&Empty {}).await
}

/// Connects the daemon with an agent.
pub(super) async fn forward_agent(session: &Session, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let id = request.metadata(AGENT).into_iter().next().unwrap_or_default();
    let path = socket(session, &id)?;
    let failed = |e: std::io::Error| status(code::UNAVAILABLE, format!("the ssh agent {}: {e}", path.display()));
    let (mut read, mut write) = UnixStream::connect(path).await.map_err(failed)?.into_split();
    let out = reply.begin()?;
    let mut buffer = vec![0; 16 << 10];
    loop {
        tokio::select! {
            piece = request.messages.message::<BytesMessage>() => match piece? {
                Some(piece) => write.write_all(&piece.data).await.map_err(failed)?,
                None => return Ok(()),
            },
            count = read.read(&mut buffer) => match count.map_err(failed)? {
                0 => return Ok(()),
                n => out.message(&BytesMessage { data: buffer[..n].to_vec().into() }).await?,
            },
        }
    }
}
