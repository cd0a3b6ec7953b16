//! gRPC calls with one message each way, over a pair of pipes.
//!
//! BuildKit starts a frontend with pipes for standard input and output and speaks HTTP/2 over them, the frontend being the
//! client. The pipes are read as such: tokio's own standard input reads in a thread that cannot be stopped, which would keep
//! the process alive after the build.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, Request, header};
use rbc_proto::{Bytes, Message, Status};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;
use tokio::runtime::Runtime;

/// How much may be under way to us, in bytes. Files and image configs come in one message.
const WINDOW: u32 = 16 << 20;

/// The bytes in front of a message: whether it is compressed, and its length.
const HEAD: usize = 5;

/// gRPC's code for what has no other.
pub const UNKNOWN: i32 = 2;
/// gRPC's code for what is not there.
pub const NOT_FOUND: i32 = 5;
/// gRPC's code for what the other side cannot do.
pub const UNIMPLEMENTED: i32 = 12;
/// gRPC's code for a broken invariant.
pub const INTERNAL: i32 = 13;
/// gRPC's code for a connection that is gone.
pub const UNAVAILABLE: i32 = 14;

/// Details are in base64, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A connection on which calls are made.
#[derive(Debug)]
pub struct Connection {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
}

pub(crate) fn error(code: i32, message: impl Into<String>) -> Status {
    Status { code, message: message.into(), details: Vec::new() }
}

fn lost(error: impl std::fmt::Display) -> Status {
    self::error(UNAVAILABLE, format!("the connection to BuildKit is gone: {error}"))
}

impl Connection {
    /// Connects over standard input and output.
    ///
    /// # Errors
    /// They are no pipes, or nobody speaks HTTP/2 on them.
    pub fn over_stdio() -> io::Result<Connection> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        Connection::over(input, output)
    }

    /// Connects over two pipes.
    ///
    /// # Errors
    /// They are no pipes, or nobody speaks HTTP/2 on them.
    pub fn over(input: OwnedFd, output: OwnedFd) -> io::Result<Connection> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let sender = runtime.block_on(async {
            let pipes = tokio::io::join(pipe::Receiver::from_owned_fd(input)?, pipe::Sender::from_owned_fd(output)?);
            handshake(pipes).await
        })?;
        Ok(Connection { runtime, sender })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// What the other side answers, or that it does not.
    pub fn call<Q: Message, A: Message + Default>(&self, path: &str, request: &Q) -> Result<A, Status> {
        self.runtime.block_on(call(self.sender.clone(), path.to_owned(), frame(request)))
    }

    /// Makes several calls at once; the answers stand in their order.
    pub fn call_all<Q: Message, A: Message + Default + 'static>(
        &self,
        path: &str,
        requests: &[Q],
    ) -> Vec<Result<A, Status>> {
        self.runtime.block_on(async {
            let spawn = |request| tokio::spawn(call(self.sender.clone(), path.to_owned(), frame(request)));
            let mut answers = Vec::with_capacity(requests.len());
            for task in requests.iter().map(spawn).collect::<Vec<_>>() {
                answers.push(task.await.unwrap_or_else(|e| Err(error(INTERNAL, e.to_string()))));
            }
            answers
        })
    }
}

async fn handshake(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<SendRequest<Bytes>> {
    let mut builder = Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW).enable_push(false);
    let (sender, connection) = builder.handshake(io).await.map_err(io::Error::other)?;
    // It ends with the process; why it ended before, each call that needs it says.
    tokio::spawn(async move { _ = connection.await });
    Ok(sender)
}

/// A message as it travels.
fn frame(message: &impl Message) -> Bytes {
    let mut bytes = vec![0; HEAD];
    bytes.extend(message.encode_to_vec());
    // A message of 4 GiB does not come together: no definition is as large.
    let length = u32::try_from(bytes.len() - HEAD).unwrap_or(u32::MAX);
    bytes[1..HEAD].copy_from_slice(&length.to_be_bytes());
    bytes.into()
}

async fn call<A: Message + Default>(sender: SendRequest<Bytes>, path: String, body: Bytes) -> Result<A, Status> {
    let request = Request::post(format!("http://localhost{path}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(())
        .map_err(|e| error(INTERNAL, e.to_string()))?;
    let mut sender = sender.ready().await.map_err(lost)?;
    let (response, mut stream) = sender.send_request(request, false).map_err(lost)?;
    // What does not fit into the window is kept and sent when there is room.
    stream.send_data(body, true).map_err(lost)?;
    let response = response.await.map_err(lost)?;
    // An error without an answer is all in the head.
    if let Some(failed) = status(response.headers()) {
        return Err(failed);
    }
    if !response.status().is_success() {
        return Err(error(UNKNOWN, format!("{path} is answered with {}", response.status())));
    }
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(lost)?;
        _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    let trailers = body.trailers().await.map_err(lost)?.unwrap_or_default();
    if let Some(failed) = status(&trailers) {
        return Err(failed);
    }
    let message = message(&bytes).ok_or_else(|| error(INTERNAL, format!("{path} is answered with no message")))?;
    A::decode(message).map_err(|e| error(INTERNAL, format!("the answer to {path} cannot be read: {e}")))
}

/// The one message of an answer.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let (head, message) = bytes.split_first_chunk::<HEAD>()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    (head[0] == 0 && usize::try_from(length).is_ok_and(|length| length == message.len())).then_some(message)
}

/// The error that headers speak of.
fn status(headers: &HeaderMap) -> Option<Status> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let code: i32 = text("grpc-status")?.parse().unwrap_or(UNKNOWN);
    if code == 0 {
        return None;
    }
    let details = text("grpc-status-details-bin").and_then(|text| BASE64.decode(text).ok());
    let whole = details.and_then(|bytes| Status::decode(&*bytes).ok());
    Some(whole.unwrap_or_else(|| error(code, unescape(text("grpc-message").unwrap_or_default()))))
}

/// Takes back the percent encoding of messages.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use rbc_proto::{Any, BytesMessage};

    #[test]
    fn messages_have_a_head() {
        let sent = frame(&BytesMessage { data: Bytes::from_static(b"abc") });
        assert_eq!(sent[..HEAD], [0, 0, 0, 0, 5]);
        assert_eq!(BytesMessage::decode(message(&sent).unwrap()).unwrap().data, "abc");
        assert_eq!(message(&sent[..7]), None);
        assert_eq!(message(&[]), None);
    }

    #[test]
    fn errors_are_read_from_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(status(&headers), None);
        headers.insert("grpc-status", "0".parse().unwrap());
        assert_eq!(status(&headers), None);
        headers.insert("grpc-status", "5".parse().unwrap());
        headers.insert("grpc-message", "no %25 such%20thing %C3%A4 %".parse().unwrap());
        assert_eq!(status(&headers), Some(error(NOT_FOUND, "no % such thing ä %")));
        let whole = Status {
            code: NOT_FOUND,
            message: "all".to_owned(),
            details: vec![Any { type_url: "x".to_owned(), value: Bytes::from_static(b"{}") }],
        };
        let text = STANDARD_NO_PAD.encode(whole.encode_to_vec());
        headers.insert("grpc-status-details-bin", text.parse().unwrap());
        assert_eq!(status(&headers), Some(whole));
    }

    /// A server that answers a message with itself, or with an error if it is empty.
    async fn echo(io: impl AsyncRead + AsyncWrite + Unpin) {
        let mut connection: h2::server::Connection<_, Bytes> =
            h2::server::Builder::new().initial_window_size(1 << 16).handshake(io).await.unwrap();
        while let Some(request) = connection.accept().await {
            let (request, mut respond) = request.unwrap();
            tokio::spawn(async move {
                let mut body = request.into_body();
                let mut bytes = Vec::new();
                while let Some(data) = body.data().await {
                    let data = data.unwrap();
                    body.flow_control().release_capacity(data.len()).unwrap();
                    bytes.extend_from_slice(&data);
                }
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", if bytes.len() > HEAD { "0" } else { "12" }.parse().unwrap());
                let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
                if bytes.len() > HEAD {
                    stream.send_data(bytes.into(), false).unwrap();
                }
                stream.send_trailers(trailers).unwrap();
            });
        }
    }

    #[test]
    fn calls_over_pipes() {
        let (theirs_in, our_out) = io::pipe().unwrap();
        let (our_in, theirs_out) = io::pipe().unwrap();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(async {
                let input = pipe::Receiver::from_owned_fd(theirs_in.into()).unwrap();
                echo(tokio::io::join(input, pipe::Sender::from_owned_fd(theirs_out.into()).unwrap())).await;
            });
        });
        let connection = Connection::over(our_in.into(), our_out.into()).unwrap();
        // Larger than any window.
        let large = BytesMessage { data: vec![7; 20 << 20].into() };
        let all: Vec<Result<BytesMessage, Status>> =
            connection.call_all("/x/Echo", &[large.clone(), BytesMessage::default()]);
        assert_eq!(all[0].as_ref().unwrap(), &large);
        assert_eq!(all[1].as_ref().unwrap_err().code, UNIMPLEMENTED);
        let small = BytesMessage { data: Bytes::from_static(b"a") };
        assert_eq!(connection.call::<_, BytesMessage>("/x/Echo", &small), Ok(small));
        drop(connection);
        server.join().unwrap();
    }
}
