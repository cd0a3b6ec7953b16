//! What a builder tells of a build, as the events that displays take.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use rbc_local::{Cancel, Event, Progress, Stream};
use rbc_proto::control::{StatusResponse, Vertex};
use rbc_wire::Digest;

/// How much of what a command wrote is kept.
const TAIL: usize = 16 << 10;

/// Passes on what happens.
pub struct Watcher<'a> {
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steps: HashMap<Digest, Step>,
    /// The first that failed.
    failed: Option<Digest>,
}

/// What was told of a vertex.
#[derive(Default)]
struct Step {
    name: String,
    running: bool,
    over: bool,
    /// What was written behind the last end of a line, to both streams.
    open: [Vec<u8>; 2],
    tail: Vec<u8>,
}

impl<'a> Watcher<'a> {
    /// One that has passed on nothing.
    pub fn new(progress: &'a dyn Progress, cancel: &'a Cancel) -> Self {
        Watcher { progress, cancel, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The last that a command wrote.
    pub fn tail(&self, vertex: Digest) -> Vec<u8> {
        self.lock().steps.get(&vertex).map(|step| step.tail.clone()).unwrap_or_default()
    }

    /// The vertex that failed. Old daemons do not say with the failure of a build which one that was.
    pub fn failed(&self) -> Option<Digest> {
        self.lock().failed
    }

    /// Nothing more will be told: what still ran, was stopped.
    pub fn end(&self) {
        let mut state = self.lock();
        for (vertex, step) in state.steps.iter_mut() {
            self.flush(*vertex, step);
            if step.running {
                step.running = false;
                self.progress.event(Event::Finished { vertex: *vertex, failure: Some("it was stopped") });
            }
        }
    }

    fn vertex(&self, step: &mut Step, digest: Digest, told: &Vertex) {
        if step.name.is_empty() {
            step.name = if told.name.is_empty() { told.digest.clone() } else { told.name.clone() };
            let inputs: Vec<Digest> = told.inputs.iter().filter_map(|input| Digest::parse(input)).collect();
            let group = told.progress_group.as_ref().map(|group| (group.id.as_str(), group.name.as_str()));
            self.progress.event(Event::Planned { vertex: digest, name: &step.name, inputs: &inputs, group });
        }
        if told.completed.is_none() {
            if told.started.is_some() && !step.running {
                step.running = true;
                step.over = false;
                self.progress.event(Event::Started { vertex: digest, name: &step.name });
            }
            return;
        }
        if step.over && !step.running {
            return;
        }
        self.flush(digest, step);
        let failure = Some(told.error.as_str()).filter(|error| !error.is_empty());
        if told.cached && failure.is_none() {
            self.progress.event(Event::Cached { vertex: digest, name: &step.name });
        } else {
            if !step.running {
                self.progress.event(Event::Started { vertex: digest, name: &step.name });
            }
            self.progress.event(Event::Finished { vertex: digest, failure });
        }
        step.running = false;
        step.over = true;
    }

    fn output(&self, step: &mut Step, vertex: Digest, stream: i64, bytes: &[u8]) {
        step.tail.extend_from_slice(bytes);
        let surplus = step.tail.len().saturating_sub(TAIL);
        step.tail.drain(..surplus);
        let at = usize::from(stream == 2);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(rest) => {
                    step.open[at].extend_from_slice(rest);
                    let line = std::mem::take(&mut step.open[at]);
                    self.progress.event(Event::Output { vertex, stream: stream_of(at), line: &line });
                }
                None => step.open[at].extend_from_slice(line),
            }
        }
    }

    /// Passes on lines without an end.
    fn flush(&self, vertex: Digest, step: &mut Step) {
        for (at, open) in step.open.iter_mut().enumerate() {
            let line = std::mem::take(open);
            if !line.is_empty() {
                self.progress.event(Event::Output { vertex, stream: stream_of(at), line: &line });
            }
        }
    }
}

fn stream_of(at: usize) -> Stream {
    if at == 1 { Stream::Stderr } else { Stream::Stdout }
}

impl rbc_buildkit::Watch for Watcher<'_> {
    fn status(&self, status: &StatusResponse) {
        let mut state = self.lock();
        for told in &status.vertexes {
            if let Some(digest) = Digest::parse(&told.digest) {
                self.vertex(state.steps.entry(digest).or_default(), digest, told);
                // What was stopped for the failure of another says so.
                if !told.error.is_empty() && !told.error.contains("context canceled") {
                    state.failed.get_or_insert(digest);
                }
            }
        }
        for told in &status.statuses {
            let Some(vertex) = Digest::parse(&told.vertex) else { continue };
            let number = |n: i64| u64::try_from(n).unwrap_or(0);
            let (current, total) = match told.completed {
                // Something without a size is done when it is done.
                Some(_) if told.total <= 0 => (1, 1),
                _ => (number(told.current), number(told.total)),
            };
            self.progress.event(Event::Status { vertex, what: &told.id, current, total });
        }
        for told in &status.logs {
            if let Some(vertex) = Digest::parse(&told.vertex) {
                self.output(state.steps.entry(vertex).or_default(), vertex, told.stream, &told.msg);
            }
        }
        for told in &status.warnings {
            if let Some(vertex) = Digest::parse(&told.vertex) {
                let message = String::from_utf8_lossy(&told.short);
                self.progress.event(Event::Warning { vertex, message: &message });
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
