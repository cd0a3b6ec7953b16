//! What the daemon may ask of us while it builds: services that we offer within the connection to it.

mod auth;
mod content;
mod files;
mod receive;
mod secrets;
mod send;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rbc_proto::session::{self, HealthRequest, HealthResponse, header};
use rbc_proto::{BytesMessage, Status, control};
use rbc_registry::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::endpoint::Endpoint;
use crate::transport::connect;
use rbc_rpc::{Channel, Handler, Reply, Request, code, serve, status};

/// What a daemon may have of this machine and its user. Nothing else is given, whatever it asks for.
#[derive(Default)]
pub struct Session {
    /// Directories, by the names that `local://` sources have.
    pub local: BTreeMap<String, PathBuf>,
    /// OCI layouts, by the names that `oci-layout://` sources have before the first slash.
    pub layouts: BTreeMap<String, PathBuf>,
    /// Directories of caches, which are OCI layouts, and whether they may be written.
    pub caches: BTreeMap<PathBuf, bool>,
    /// The OCI layout to which an image is exported.
    pub layout: Option<PathBuf>,
    /// Secrets, by their ids.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// Sockets of ssh agents, by their ids.
    pub ssh: BTreeMap<String, PathBuf>,
    /// Who has credentials for registries.
    pub registry: Option<Arc<Client>>,
}

impl std::fmt::Debug for Session {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("local", &self.local).finish_non_exhaustive()
    }
}

/// Where the daemon sends a result.
pub enum Target {
    /// Files, to a directory.
    Directory {
        /// The directory, which is made if there is none.
        path: PathBuf,
        /// What it has and the result has not is removed.
        delete: bool,
    },
    /// An archive, to whoever writes it.
    Archive(Box<dyn Write + Send>),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Directory { path, .. } => f.debug_tuple("Directory").field(path).finish(),
            Target::Archive(_) => f.write_str("Archive"),
        }
    }
}

/// What answers the daemon.
pub(crate) struct Services {
    session: Arc<Session>,
    /// By the number of the export. An archive is taken out when it is written.
    targets: Mutex<BTreeMap<usize, Target>>,
}

/// The number of the export that a result is of; old daemons have only one.
const EXPORT: &str = "buildkit-attachable-exporter-id";

impl Services {
    pub fn new(session: Arc<Session>, targets: BTreeMap<usize, Target>) -> Self {
        Services { session, targets: Mutex::new(targets) }
    }

    /// The methods that are served: those for which there is something to give.
    fn methods(&self) -> Vec<&'static str> {
        let session = &self.session;
        let targets = self.targets.lock().unwrap_or_else(|e| e.into_inner());
        let has_content = !session.layouts.is_empty() || !session.caches.is_empty() || session.layout.is_some();
        let all: [(bool, &[&str]); 7] = [
            (true, &[session::HEALTH_CHECK]),
            (!session.local.is_empty(), &[session::FILE_SYNC]),
            (!targets.is_empty(), &[session::FILE_SEND]),
            (session.registry.is_some(), &[session::CREDENTIALS]),
            // A daemon asks for secrets that a build can do without, and takes it for an error if nobody can say so.
            (true, &[session::GET_SECRET]),
            (!session.ssh.is_empty(), &[session::CHECK_AGENT, session::FORWARD_AGENT]),
            (has_content, &content::METHODS),
        ];
        all.into_iter().filter(|(there, _)| *there).flat_map(|(_, methods)| methods.iter().copied()).collect()
    }

    /// Answers the daemon until it hangs up. `id` is the name of the session.
    pub async fn run(self, endpoint: &Endpoint, channel: &Channel, id: &str, key: &str) -> Result<(), Status> {
        let methods = self.methods();
        let mut headers = vec![(header::UUID, id), (header::NAME, "rbc"), (header::SHARED_KEY, key)];
        headers.extend(methods.into_iter().map(|method| (header::METHOD, method)));
        if endpoint.is_docker() {
            let way = connect(endpoint, "/session", &headers).await;
            let way = way.map_err(|e| status(code::UNAVAILABLE, format!("the session cannot be opened: {e}")))?;
            let _keeper = way.keeper;
            return serve(way.stream, Arc::new(self)).await;
        }
        let call = channel.call(control::SESSION, &headers).await?;
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (mut read, mut write) = tokio::io::split(theirs);
        let (mut answer, mut out) = call.split();
        let to_daemon = async {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match read.read(&mut buffer).await {
                    Ok(0) | Err(_) => return out.end(),
                    Ok(n) => {
                        let data = buffer[..n].to_vec().into();
                        if out.message(&BytesMessage { data }).await.is_err() {
                            return;
                        }
                    }
                }
            }
        };
        let from_daemon = async {
            while let Some(piece) = answer.message::<BytesMessage>().await? {
                if write.write_all(&piece.data).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        tokio::select! {
            outcome = serve(ours, Arc::new(self)) => outcome,
            outcome = from_daemon => outcome,
            () = to_daemon => Ok(()),
        }
    }
}

impl Handler for Services {
    async fn handle(&self, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
        match request.path.as_str() {
            session::HEALTH_CHECK => {
                request.message::<HealthRequest>().await?;
                reply.message(&HealthResponse { status: 1 }).await
            }
            session::FILE_SYNC => send::send(&self.session.local, request, reply).await,
            session::FILE_SEND => {
                let number = request.metadata(EXPORT).first().and_then(|id| id.parse().ok()).unwrap_or(0);
                receive::receive(&self.targets, number, request, reply).await
            }
            session::CREDENTIALS => auth::credentials(&self.session, request, reply).await,
            session::GET_SECRET => secrets::secret(&self.session, request, reply).await,
            session::CHECK_AGENT => secrets::check_agent(&self.session, request, reply).await,
            session::FORWARD_AGENT => secrets::forward_agent(&self.session, request, reply).await,
            path if content::METHODS.contains(&path) => content::handle(&self.session, request, reply).await,
            path => Err(status(code::UNIMPLEMENTED, format!("{path} is not served"))),
        }
    }
}
