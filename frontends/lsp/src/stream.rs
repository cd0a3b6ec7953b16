//! The edge: messages with a header `Content-Length`, over two streams.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};

use serde_json::Value;

use crate::{Failure, Message, Options, Server};

/// The longest message that is read, in bytes.
const LONGEST: usize = 256 << 20;

/// Serves until the client says `exit` or closes its stream. Whether it had said `shutdown` before, which decides the exit
/// status of the process.
///
/// What has arrived already is read before the next answer is worked on, so that a request can still be cancelled.
///
/// # Errors
/// If a stream fails, or what comes in has no well-formed header.
pub fn serve<R: Read>(input: &mut BufReader<R>, output: &mut dyn Write, options: Options) -> io::Result<bool> {
    let mut server = Server::new(options);
    let mut waiting: VecDeque<Message> = VecDeque::new();
    let mut open = true;
    while !server.is_done() {
        while open && (waiting.is_empty() || is_whole(input.buffer())) {
            match read(input)? {
                None => open = false,
                Some(body) => {
                    let message = serde_json::from_slice::<Value>(&body).ok().and_then(Message::from_json);
                    let rest = message.and_then(|message| cancel(message, &mut waiting));
                    waiting.extend(rest);
                }
            }
        }
        let Some(message) = waiting.pop_front() else { break };
        let answers = match message {
            // It was cancelled.
            answer @ Message::Response { result: Err(_), .. } => vec![answer],
            message => server.handle(message),
        };
        for answer in answers {
            let body = answer.into_json().to_string();
            write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
        }
        output.flush()?;
    }
    Ok(server.is_shut_down())
}

/// Puts the refusal in the place of a request that a message cancels; any other message is given back, except for answers, which
/// nothing waits for.
fn cancel(message: Message, waiting: &mut VecDeque<Message>) -> Option<Message> {
    match message {
        Message::Notification { method, params } if method == "$/cancelRequest" => {
            let wanted = params.get("id")?;
            let is_wanted = |m: &&mut Message| matches!(m, Message::Request { id, .. } if id == wanted);
            let request = waiting.iter_mut().find(is_wanted)?;
            let failure = Failure { code: Failure::CANCELLED, message: "cancelled".to_owned() };
            *request = Message::Response { id: wanted.clone(), result: Err(failure) };
            None
        }
        Message::Response { .. } => None,
        message => Some(message),
    }
}

/// Whether bytes begin with a whole message.
fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    match read(&mut rest) {
        Ok(body) => body.is_some(),
        // What is cut off, or no message, is for the one who reads on.
        Err(_) => false,
    }
}

fn read(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message.to_owned());
    let mut length = None;
    loop {
        let mut line = String::new();
        // A header's line is short, whatever comes.
        if Read::take(&mut *input, 4096).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("Content-Length") => {
                let value = value.trim().parse::<usize>().ok().filter(|length| *length <= LONGEST);
                length = Some(value.ok_or_else(|| invalid("the header Content-Length is not a sensible number"))?);
            }
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => return Err(invalid("a header has no colon")),
        }
    }
    let mut body = vec![0; length.ok_or_else(|| invalid("a message has no header Content-Length"))?];
    input.read_exact(&mut body)?;
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(bodies: &[&str]) -> Vec<u8> {
        bodies.iter().flat_map(|b| format!("Content-Length: {}\r\n\r\n{b}", b.len()).into_bytes()).collect()
    }

    #[test]
    fn a_session() {
        let input = framed(&[
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#,
            "no json",
            r#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#,
            r#"{"jsonrpc":"2.0","method":"exit"}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"shutdown"}"#,
        ]);
        let mut output = Vec::new();
        assert!(serve(&mut BufReader::new(&input[..]), &mut output, Options::default()).unwrap());
        let output = String::from_utf8(output).unwrap();
        assert_eq!(output.matches("Content-Length: ").count(), 2, "{output}");
        assert!(!serve(&mut BufReader::new(&b""[..]), &mut Vec::new(), Options::default()).unwrap());
        assert!(serve(&mut BufReader::new(&b"x\r\n\r\n"[..]), &mut Vec::new(), Options::default()).is_err());
        assert!(
            serve(
                &mut BufReader::new(&b"Content-Length: 99999999999999\r\n\r\n"[..]),
                &mut Vec::new(),
                Options::default()
            )
            .is_err()
        );
    }

    #[test]
    fn what_waits_can_be_cancelled() {
        let input = framed(&[
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#,
            r#"{"jsonrpc":"2.0","id":"a","method":"textDocument/hover","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"a"}}"#,
            r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":9}}"#,
        ]);
        let mut output = Vec::new();
        assert!(!serve(&mut BufReader::new(&input[..]), &mut output, Options::default()).unwrap());
        let output = String::from_utf8(output).unwrap();
        assert!(output.contains("-32800") && !output.contains("-32602"), "{output}");
    }
}
