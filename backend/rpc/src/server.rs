//! Calls from the other side.

use std::future::Future;
use std::sync::Arc;

use base64::Engine as _;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response, header};
use rbc_proto::{Bytes, Message, Status};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{BASE64, CONNECTION_WINDOW, Incoming, Outgoing, WINDOW, code, lost, percent_encoded, status};

/// How many calls may go on at a time.
const CALLS_MAX: u32 = 1_024;

/// Something that answers calls.
pub trait Handler: Send + Sync + 'static {
    /// Answers one; the error is how the call ends.
    fn handle(&self, request: &mut Request, reply: &mut Reply) -> impl Future<Output = Result<(), Status>> + Send;
}

/// A call.
pub struct Request {
    /// The method.
    pub path: String,
    headers: HeaderMap,
    /// What comes.
    pub messages: Incoming,
}

impl Request {
    /// The values of a key, in their order.
    pub fn metadata(&self, key: &str) -> Vec<String> {
        let values = self.headers.get_all(key).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// The only message.
    pub async fn message<M: Message + Default>(&mut self) -> Result<M, Status> {
        self.messages.message().await?.ok_or_else(|| status(code::INVALID, "the call has no message"))
    }
}

/// The answer to a call.
pub struct Reply {
    respond: SendResponse<Bytes>,
    out: Option<Outgoing>,
}

impl Reply {
    /// Sends a message.
    pub async fn message(&mut self, message: &impl Message) -> Result<(), Status> {
        self.begin()?.message(message).await
    }

    /// Says that the call is heard, before there is a message.
    pub fn begin(&mut self) -> Result<&mut Outgoing, Status> {
        let out = match self.out.take() {
            Some(out) => out,
            None => {
                let response = Response::builder().header(header::CONTENT_TYPE, "application/grpc").body(());
                let response = response.map_err(|e| status(code::INTERNAL, e.to_string()))?;
                Outgoing(self.respond.send_response(response, false).map_err(|e| lost(&e))?)
            }
        };
        Ok(self.out.insert(out))
    }

    fn end(mut self, outcome: Result<(), Status>) {
        let outcome = outcome.err().unwrap_or_default();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(outcome.code));
        if let Ok(text) = HeaderValue::from_str(&percent_encoded(&outcome.message)) {
            trailers.insert("grpc-message", text);
        }
        if !outcome.details.is_empty()
            && let Ok(value) = HeaderValue::from_str(&BASE64.encode(outcome.encode_to_vec()))
        {
            trailers.insert("grpc-status-details-bin", value);
        }
        // Who has gone needs no answer.
        if let Ok(out) = self.begin() {
            _ = out.0.send_trailers(trailers);
        }
    }
}

/// Answers the calls that come over a stream, until it ends.
pub async fn serve<H: Handler>(stream: impl AsyncRead + AsyncWrite + Unpin, handler: Arc<H>) -> Result<(), Status> {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(1 << 20)
        .max_concurrent_streams(CALLS_MAX);
    let mut connection = builder.handshake::<_, Bytes>(stream).await.map_err(|e| lost(&e))?;
    let mut calls = tokio::task::JoinSet::new();
    while let Some(call) = connection.accept().await {
        let (request, respond) = call.map_err(|e| lost(&e))?;
        let (head, body) = request.into_parts();
        let mut request =
            Request { path: head.uri.path().to_owned(), headers: head.headers, messages: Incoming::new(body) };
        let handler = handler.clone();
        calls.spawn(async move {
            let mut reply = Reply { respond, out: None };
            let outcome = handler.handle(&mut request, &mut reply).await;
            reply.end(outcome);
            // What is let go unread would end the call as one that was cancelled.
            request.messages.drain().await;
        });
        while calls.try_join_next().is_some() {}
    }
    Ok(())
}
