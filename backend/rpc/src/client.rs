//! Calls to the other side.

use std::pin::Pin;

use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, header};
use rbc_proto::{Bytes, Message, Status};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{CONNECTION_WINDOW, Incoming, Outgoing, WINDOW, code, lost, read_status, status};

/// A connection to call through.
#[derive(Clone, Debug)]
pub struct Channel {
    requests: SendRequest<Bytes>,
    authority: String,
}

/// A call that goes on. It is cancelled when it is dropped before its end.
pub struct Call {
    out: Outgoing,
    answer: Answer,
}

/// What comes of a call.
pub struct Answer(Stage);

enum Stage {
    Waiting(Pin<Box<ResponseFuture>>),
    Coming(Incoming),
    Over,
}

impl Channel {
    /// Speaks HTTP/2 over a stream.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        authority: &str,
    ) -> Result<Channel, Status> {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(1 << 20)
            .enable_push(false);
        let (requests, connection) = builder.handshake(stream).await.map_err(|e| lost(&e))?;
        // How it ends is seen by those who call.
        tokio::spawn(async move { _ = connection.await });
        Ok(Channel { requests, authority: authority.to_owned() })
    }

    /// Begins a call.
    pub async fn call(&self, path: &str, metadata: &[(&str, &str)]) -> Result<Call, Status> {
        let wrong = |e: http::Error| status(code::INTERNAL, e.to_string());
        let mut request = Request::post(format!("http://{}{path}", self.authority))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .header(header::USER_AGENT, concat!("rbc/", env!("CARGO_PKG_VERSION")));
        for (key, value) in metadata {
            request = request.header(*key, *value);
        }
        let request = request.body(()).map_err(wrong)?;
        let mut requests = self.requests.clone().ready().await.map_err(|e| lost(&e))?;
        let (answer, out) = requests.send_request(request, false).map_err(|e| lost(&e))?;
        Ok(Call { out: Outgoing(out), answer: Answer(Stage::Waiting(Box::pin(answer))) })
    }

    /// Sends one message and gives the one that answers it.
    pub async fn unary<M: Message + Default>(
        &self,
        path: &str,
        metadata: &[(&str, &str)],
        message: &impl Message,
    ) -> Result<M, Status> {
        let mut call = self.ask(path, metadata, message).await?;
        let answer = call.message().await?;
        // Behind the answer stands whether it counts.
        if answer.is_some() {
            while call.message::<M>().await?.is_some() {}
        }
        answer.ok_or_else(|| status(code::INTERNAL, format!("there is no answer to {path}")))
    }

    /// Sends one message, which several may answer.
    pub async fn ask(&self, path: &str, metadata: &[(&str, &str)], message: &impl Message) -> Result<Call, Status> {
        let mut call = self.call(path, metadata).await?;
        call.out.message(message).await?;
        call.out.end();
        Ok(call)
    }
}

impl Call {
    /// The next message of the answer; none at its end.
    pub async fn message<M: Message + Default>(&mut self) -> Result<Option<M>, Status> {
        self.answer.message().await
    }

    /// What comes, and what goes.
    pub fn split(self) -> (Answer, Outgoing) {
        (self.answer, self.out)
    }
}

impl Answer {
    /// The next message; none at the end.
    pub async fn message<M: Message + Default>(&mut self) -> Result<Option<M>, Status> {
        if matches!(self.0, Stage::Waiting(_)) {
            self.begin().await?;
        }
        let Stage::Coming(incoming) = &mut self.0 else { return Ok(None) };
        if let Some(message) = incoming.message().await? {
            return Ok(Some(message));
        }
        let trailers = incoming.trailers().await?;
        self.0 = Stage::Over;
        let said = trailers.as_ref().and_then(read_status);
        said.unwrap_or_else(|| Err(status(code::UNKNOWN, "a call ended without saying how"))).map(|()| None)
    }

    async fn begin(&mut self) -> Result<(), Status> {
        let Stage::Waiting(answer) = &mut self.0 else { return Ok(()) };
        let response = answer.await.map_err(|e| lost(&e))?;
        let (head, body) = response.into_parts();
        self.0 = Stage::Over;
        // An error may come at once, without a body.
        if let Some(Err(error)) = read_status(&head.headers) {
            return Err(error);
        }
        if !head.status.is_success() {
            return Err(status(code::UNAVAILABLE, format!("the other side answers with HTTP status {}", head.status)));
        }
        if !is_grpc(&head.headers) {
            return Err(status(code::UNAVAILABLE, "the other side does not speak gRPC"));
        }
        self.0 = Stage::Coming(Incoming::new(body));
        Ok(())
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
