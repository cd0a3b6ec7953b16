//! Lines, one after the other, in the form of BuildKit's plain progress.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use rbc_local::Event;

use super::View;
use super::book::{Book, Change, Stand};
use super::text::{bytes, printable, seconds};

/// The display.
pub struct Plain {
    /// The step of the last line.
    last: Option<usize>,
    /// When what a step is at began.
    begun: HashMap<(usize, String), Instant>,
}

impl Plain {
    /// One that has shown nothing.
    pub fn new() -> Plain {
        Plain { last: None, begun: HashMap::new() }
    }

    /// A line of a step, with an empty one before it if the last was another's.
    fn line(&mut self, out: &mut String, book: &Book, at: usize, text: &str) {
        let Some(number) = book.steps[at].number else { return };
        if self.last.is_some_and(|last| last != at) {
            out.push('\n');
        }
        self.last = Some(at);
        _ = writeln!(out, "#{number} {text}");
    }
}

impl View for Plain {
    fn event(&mut self, event: &Event<'_>, book: &Book, changes: &[Change]) {
        let mut out = String::new();
        for change in changes {
            match change {
                Change::Seen(at) => self.line(&mut out, book, *at, &book.steps[*at].name),
                Change::Over(at) => {
                    let step = &book.steps[*at];
                    let text = match (step.stand, &step.failure) {
                        (Stand::Cached, _) => "CACHED".to_owned(),
                        (_, Some(why)) => format!("ERROR: {why}"),
                        _ => format!("DONE {}", seconds(step.time(Instant::now()))),
                    };
                    self.line(&mut out, book, *at, &text);
                }
            }
        }
        match event {
            Event::Output { vertex, line, .. } => {
                if let Some(at) = book.step(vertex) {
                    let time = book.steps[at].time(Instant::now()).as_secs_f64();
                    self.line(&mut out, book, at, &format!("{time:.3} {}", printable(line)));
                }
            }
            Event::Status { vertex, what, current, total } => {
                if let Some(at) = book.step(vertex) {
                    let what = printable(what.as_bytes());
                    let key = (at, what.clone());
                    let size = if *total > 1 { format!(" {}", bytes(*total)) } else { String::new() };
                    if *total == 0 || current < total {
                        if self.begun.insert(key, Instant::now()).is_none() {
                            self.line(&mut out, book, at, &format!("{what}{size}"));
                        }
                    } else {
                        let time = self.begun.remove(&key).map(|begun| seconds(begun.elapsed()));
                        let time = time.map_or_else(String::new, |time| format!(" {time}"));
                        self.line(&mut out, book, at, &format!("{what}{size}{time} done"));
                    }
                }
            }
            Event::Warning { vertex, message } => {
                if let Some(at) = book.step(vertex) {
                    self.line(&mut out, book, at, &format!("WARNING: {}", printable(message.as_bytes())));
                }
            }
            _ => {}
        }
        if !out.is_empty() {
            // Who does not look needs no message.
            _ = std::io::stderr().lock().write_all(out.as_bytes());
        }
    }
}
