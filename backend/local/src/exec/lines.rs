//! The output of a command, line by line.

use std::collections::VecDeque;

use crate::sandbox::Stream;
use crate::session::Reporter;

/// A longer line is handed on in parts.
const LINE_MAX: usize = 16 << 10;
/// So much of the end of the output is kept for a failure.
const TAIL_MAX: usize = 64 << 10;
/// Secrets that are shorter are not looked for: they are in everything.
const SECRET_MIN: usize = 4;

/// Cuts output into lines, hands them on, and keeps the last ones. Secrets are blotted out.
pub(super) struct Lines<'a> {
    report: &'a Reporter<'a>,
    open: [Vec<u8>; 2],
    tail: VecDeque<u8>,
    secrets: Vec<Vec<u8>>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(report: &'a Reporter<'a>, secrets: Vec<Vec<u8>>) -> Self {
        let trimmed = secrets.into_iter().map(|s| s.trim_ascii().to_vec());
        let mut secrets: Vec<Vec<u8>> = trimmed.filter(|s| s.len() >= SECRET_MIN).collect();
        // Of two of which one is a part of the other, the whole goes first.
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        Lines { report, open: Default::default(), tail: VecDeque::new(), secrets }
    }

    /// Takes what was written.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let which = stream as usize;
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            self.open[which].extend_from_slice(part);
            let ended = part.ends_with(b"\n");
            if ended || self.open[which].len() >= LINE_MAX {
                self.emit(stream, ended);
            }
        }
    }

    fn emit(&mut self, stream: Stream, ended: bool) {
        let mut line = std::mem::take(&mut self.open[stream as usize]);
        if ended {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        for secret in &self.secrets {
            line = blotted(line, secret);
        }
        self.report.output(stream, &line);
        self.tail.extend(&line);
        if ended {
            self.tail.push_back(b'\n');
        }
        let over = self.tail.len().saturating_sub(TAIL_MAX);
        self.tail.drain(..over);
    }

    /// Hands on what was not ended, and gives the last of everything.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.open[stream as usize].is_empty() {
                self.emit(stream, false);
            }
        }
        self.tail.into()
    }
}

fn blotted(line: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = &line[..];
    while let Some(at) = rest.windows(secret.len()).position(|w| w == secret) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"***");
        rest = &rest[at + secret.len()..];
    }
    if out.is_empty() && rest.len() == line.len() {
        return line;
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Event, Progress};
    use rbc_wire::Digest;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Progress for Seen {
        fn event(&self, event: Event<'_>) {
            if let Event::Output { stream, line, .. } = event {
                self.0.lock().unwrap().push(format!("{stream:?} {}", String::from_utf8_lossy(line)));
            }
        }
    }

    #[test]
    fn lines_parts_and_secrets() {
        let seen = Seen::default();
        let report = Reporter { vertex: Digest::of(b""), progress: &seen };
        let mut lines = Lines::new(&report, vec![b"hunter2\n".to_vec(), b"no".to_vec()]);
        lines.take(Stream::Stdout, b"one\ntw");
        lines.take(Stream::Stderr, b"no hunter2 here, hunter2\r\n");
        lines.take(Stream::Stdout, b"o\nthree");
        let tail = lines.finish();
        let expected = ["Stdout one", "Stderr no *** here, ***", "Stdout two", "Stdout three"];
        assert_eq!(*seen.0.lock().unwrap(), expected);
        assert_eq!(tail, b"one\nno *** here, ***\ntwo\nthree");
    }
}
