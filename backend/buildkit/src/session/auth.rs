//! Credentials for registries.
//!
//! Only what the user's Docker configuration has for a registry is given, and only for the registry that is asked about.
//! A client may also fetch tokens in the daemon's place, for which it must have a key of its own by which the daemon knows
//! it again; those methods are not served, and a daemon then fetches its tokens itself.

use rbc_proto::Status;
use rbc_proto::session::{CredentialsRequest, CredentialsResponse};
use rbc_registry::Credential;

use super::Session;
use rbc_rpc::{Reply, Request, code, status};

fn denied(error: &rbc_source::Diagnostic) -> Status {
    status(code::DENIED, error.message.clone())
}

fn lost(error: &tokio::task::JoinError) -> Status {
    status(code::INTERNAL, error.to_string())
}

/// Gives the credentials for a registry, which are empty if there are none.
pub(super) async fn credentials(session: &Session, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let host = request.message::<CredentialsRequest>().await?.host;
    let client = session.registry.clone();
    // A helper may ask the user for a password.
    let found = tokio::task::spawn_blocking(move || client.map(|client| client.credential(&host)));
    let found = found.await.map_err(|e| lost(&e))?.transpose().map_err(|e| denied(&e))?.flatten();
    reply
        .message(&match found {
            None | Some(Credential::Access(_)) => CredentialsResponse::default(),
            Some(Credential::Password { user, secret }) => CredentialsResponse { username: user, secret },
            Some(Credential::Refresh(secret)) => CredentialsResponse { username: String::new(), secret },
        })
        .await
}
