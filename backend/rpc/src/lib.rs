//! gRPC over any stream: calls as streams of HTTP/2, for those who call and for those who are called.
//!
//! A message is a byte that says whether it is compressed, its length in four bytes, and the message; how a call ended
//! stands in the trailers. Both sides are here since a daemon calls its client back, within a stream of the client's.

mod client;
mod server;

pub use client::{Answer, Call, Channel};
pub use server::{Handler, Reply, Request, serve};

use std::collections::VecDeque;
use std::future::poll_fn;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use h2::{RecvStream, SendStream};
use http::HeaderMap;
use rbc_proto::{Bytes, Message, Status};

/// The largest message that is taken. Daemons send up to 16 MiB.
const MESSAGE_MAX: usize = 64 << 20;
/// The bytes before a message.
const HEAD: usize = 5;
/// How much the other side may send ahead of what is read.
const WINDOW: u32 = 4 << 20;
/// The same, of all streams of a connection.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Codes of gRPC that are spoken of here.
pub mod code {
    /// It is done.
    pub const OK: i32 = 0;
    /// The caller wants it no more.
    pub const CANCELLED: i32 = 1;
    /// What has no other code.
    pub const UNKNOWN: i32 = 2;
    /// The request cannot be.
    pub const INVALID: i32 = 3;
    /// Something is not there.
    pub const NOT_FOUND: i32 = 5;
    /// Something is there already.
    pub const EXISTS: i32 = 6;
    /// The caller may not.
    pub const DENIED: i32 = 7;
    /// The method is not known.
    pub const UNIMPLEMENTED: i32 = 12;
    /// An invariant is broken.
    pub const INTERNAL: i32 = 13;
    /// Nobody is there, or no more.
    pub const UNAVAILABLE: i32 = 14;
}

/// How a call ends that fails.
pub fn status(code: i32, message: impl Into<String>) -> Status {
    Status { code, message: message.into(), details: Vec::new() }
}

/// What HTTP/2 has to say.
fn lost(error: &h2::Error) -> Status {
    match error.reason() {
        Some(h2::Reason::CANCEL) => status(code::CANCELLED, "the call was cancelled"),
        _ => status(code::UNAVAILABLE, format!("the connection is lost: {error}")),
    }
}

/// Base64 in headers may lack its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_encode_padding(false),
);

/// The messages that come.
pub struct Incoming {
    stream: RecvStream,
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl Incoming {
    fn new(stream: RecvStream) -> Self {
        Incoming { stream, pieces: VecDeque::new(), length: 0 }
    }

    /// The next message; none if there are no more. If the wait is given up, nothing is lost.
    pub async fn message<M: Message + Default>(&mut self) -> Result<Option<M>, Status> {
        if !self.fill(HEAD).await? {
            return match self.length {
                0 => Ok(None),
                _ => Err(status(code::INTERNAL, "a message is cut off")),
            };
        }
        let head: Vec<u8> = self.pieces.iter().flat_map(|piece| piece.iter()).take(HEAD).copied().collect();
        let length = head[1..].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        if head[0] != 0 {
            return Err(status(code::UNIMPLEMENTED, "a message is compressed, which was not offered"));
        }
        if length > MESSAGE_MAX {
            return Err(status(code::INTERNAL, format!("a message has {length} bytes, which is too much")));
        }
        if !self.fill(HEAD + length).await? {
            return Err(status(code::INTERNAL, "a message is cut off"));
        }
        self.take(HEAD);
        let bytes = self.take(length);
        M::decode(bytes).map(Some).map_err(|e| status(code::INTERNAL, format!("a message is not well formed: {e}")))
    }

    /// Waits for so many bytes. `false` if the stream ended before.
    async fn fill(&mut self, length: usize) -> Result<bool, Status> {
        while self.length < length {
            match self.stream.data().await {
                Some(Ok(bytes)) => {
                    _ = self.stream.flow_control().release_capacity(bytes.len());
                    self.length += bytes.len();
                    self.pieces.push_back(bytes);
                }
                Some(Err(e)) => return Err(lost(&e)),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Takes out so many bytes, which are there.
    fn take(&mut self, length: usize) -> Bytes {
        self.length -= length;
        if let Some(first) = self.pieces.front_mut().filter(|first| first.len() >= length) {
            return first.split_to(length);
        }
        let mut whole = Vec::with_capacity(length);
        while let Some(mut piece) = self.pieces.pop_front() {
            let wanted = length - whole.len();
            if piece.len() > wanted {
                whole.extend_from_slice(&piece.split_to(wanted));
                self.pieces.push_front(piece);
                break;
            }
            whole.extend_from_slice(&piece);
        }
        whole.into()
    }

    /// Reads to the end, for nothing.
    async fn drain(&mut self) {
        while let Some(Ok(bytes)) = self.stream.data().await {
            _ = self.stream.flow_control().release_capacity(bytes.len());
        }
    }

    async fn trailers(&mut self) -> Result<Option<HeaderMap>, Status> {
        self.stream.trailers().await.map_err(|e| lost(&e))
    }
}

/// The messages that go.
pub struct Outgoing(SendStream<Bytes>);

impl Outgoing {
    /// Sends a message when the other side is ready for it.
    pub async fn message<M: Message>(&mut self, message: &M) -> Result<(), Status> {
        let length = message.encoded_len();
        let mut frame = Vec::with_capacity(HEAD + length);
        frame.push(0);
        frame.extend_from_slice(&(length as u32).to_be_bytes());
        message.encode(&mut frame).map_err(|e| status(code::INTERNAL, e.to_string()))?;
        let mut left = Bytes::from(frame);
        while !left.is_empty() {
            self.0.reserve_capacity(left.len());
            if self.0.capacity() == 0 {
                match poll_fn(|context| self.0.poll_capacity(context)).await {
                    Some(Ok(_)) => continue,
                    Some(Err(e)) => return Err(lost(&e)),
                    None => return Err(status(code::CANCELLED, "the other side wants no more")),
                }
            }
            let piece = left.split_to(self.0.capacity().min(left.len()));
            self.0.send_data(piece, false).map_err(|e| lost(&e))?;
        }
        Ok(())
    }

    /// There are no more.
    pub fn end(&mut self) {
        // Whoever closed the stream knows that.
        _ = self.0.send_data(Bytes::new(), true);
    }
}

/// How a call ended, as its trailers say; none if they do not.
fn read_status(headers: &HeaderMap) -> Option<Result<(), Status>> {
    let code: i32 = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    if code == code::OK {
        return Some(Ok(()));
    }
    let details = headers.get("grpc-status-details-bin").and_then(|value| BASE64.decode(value.as_bytes()).ok());
    let full = details.and_then(|bytes| Status::decode(&bytes[..]).ok());
    let message = headers.get("grpc-message").map(|value| percent_decoded(value.as_bytes())).unwrap_or_default();
    Some(Err(full.unwrap_or_else(|| status(code, message))))
}

/// Takes back a percent encoding.
pub fn percent_decoded(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &behind[2..];
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'%';
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use rbc_proto::Any;

    use super::*;

    #[test]
    fn how_a_call_ended_is_read_from_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(read_status(&headers), None);
        headers.insert("grpc-status", "0".parse().unwrap());
        assert_eq!(read_status(&headers), Some(Ok(())));
        headers.insert("grpc-status", "5".parse().unwrap());
        headers.insert("grpc-message", "no %25 such%20thing %C3%A4 %".parse().unwrap());
        assert_eq!(read_status(&headers), Some(Err(status(code::NOT_FOUND, "no % such thing \u{e4} %"))));
        let details = vec![Any { type_url: "x".to_owned(), value: Bytes::from_static(b"{}") }];
        let whole = Status { code: code::NOT_FOUND, message: "all".to_owned(), details };
        for text in [STANDARD.encode(whole.encode_to_vec()), BASE64.encode(whole.encode_to_vec())] {
            headers.insert("grpc-status-details-bin", text.parse().unwrap());
            assert_eq!(read_status(&headers), Some(Err(whole.clone())));
        }
    }

    #[test]
    fn messages_of_errors_are_plain() {
        for text in ["plain", "100 % \n", "\u{e4}\u{8a9e}", ""] {
            assert!(percent_encoded(text).bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            assert_eq!(percent_decoded(percent_encoded(text).as_bytes()), text);
        }
    }
}
