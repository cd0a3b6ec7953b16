//! What daemons say when something fails.

use rbc_proto::Status;
use rbc_proto::details::Detail;
use rbc_source::{Diagnostic, environment};

use crate::endpoint::Endpoint;
use rbc_rpc::code;

/// Why something failed, as the daemon says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// One of gRPC's codes.
    pub code: i32,
    /// In one sentence, which may be a long one.
    pub message: String,
    /// What the daemon adds: the vertex, the place in the source, the status of the command.
    pub details: Vec<Detail>,
}

impl Failure {
    /// The code of what was stopped.
    pub const CANCELLED: i32 = code::CANCELLED;
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let details = status.details.iter().filter_map(Detail::read).collect();
        Failure { code: status.code, message: printable(&status.message), details }
    }
}

/// Without what steers a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A finding about something that the daemon could not do.
pub(crate) fn failed(endpoint: &Endpoint, what: &str, failure: &Failure, said: &[String]) -> Diagnostic {
    let message = format!("the builder {endpoint} does not {what}: {}", failure.message);
    let found = Diagnostic::new(environment::BUILDER, message);
    match said {
        [] => found,
        said => found.note(format!("it said:\n{}", said.join("\n"))),
    }
}
