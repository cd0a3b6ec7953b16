//! The edge: messages with a header `Content-Length`, over two streams.

use std::io::{self, BufRead, Write};

use serde_json::Value;

use crate::{Message, Options, Server};

/// The longest message that is read, in bytes.
const LONGEST: usize = 256 << 20;

/// Serves until the client says `exit` or closes its stream. Whether it had said `shutdown` before, which decides the exit
/// status of the process.
///
/// # Errors
/// If a stream fails, or what comes in has no well-formed header.
pub fn serve(input: &mut dyn BufRead, output: &mut dyn Write, options: Options) -> io::Result<bool> {
    let mut server = Server::new(options);
    while let Some(body) = read(input)? {
        let message = serde_json::from_slice::<Value>(&body).ok().and_then(Message::from_json);
        for answer in message.map(|message| server.handle(message)).unwrap_or_default() {
            let body = answer.into_json().to_string();
            write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
        }
        output.flush()?;
        if server.is_done() {
            break;
        }
    }
    Ok(server.is_shut_down())
}

fn read(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message.to_owned());
    let mut length = None;
    loop {
        let mut line = String::new();
        // A header's line is short, whatever comes.
        if io::Read::take(&mut *input, 4096).read_line(&mut line)? == 0 {
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
        assert!(serve(&mut &input[..], &mut output, Options::default()).unwrap());
        let output = String::from_utf8(output).unwrap();
        assert_eq!(output.matches("Content-Length: ").count(), 2, "{output}");
        assert!(!serve(&mut &b""[..], &mut Vec::new(), Options::default()).unwrap());
        assert!(serve(&mut &b"x\r\n\r\n"[..], &mut Vec::new(), Options::default()).is_err());
        assert!(
            serve(&mut &b"Content-Length: 99999999999999\r\n\r\n"[..], &mut Vec::new(), Options::default()).is_err()
        );
    }
}
