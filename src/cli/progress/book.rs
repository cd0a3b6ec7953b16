//! What is known about the steps of a build: a state that all forms of display share.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use rbc_local::Event;
use rbc_wire::Digest;

use super::text::printable;

/// How many lines of a step's output are kept.
const LINES: usize = 8;

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Nothing has happened yet.
    Waiting,
    /// It is being worked on.
    Running,
    /// It was made.
    Done,
    /// It was there.
    Cached,
    /// It failed.
    Failed,
}

/// A step as people see it: a vertex, or a group of vertices.
#[derive(Debug)]
pub struct Step {
    /// What it is.
    pub name: String,
    /// Where it is.
    pub stand: Stand,
    /// Its number, in the order in which steps are first seen.
    pub number: Option<usize>,
    /// The steps that it needs.
    pub inputs: Vec<usize>,
    /// Why it failed.
    pub failure: Option<String>,
    /// The last lines that it wrote.
    pub lines: VecDeque<String>,
    /// What it is at, with how much is done and how much there is.
    pub at: Option<(String, u64, u64)>,
    since: Option<Instant>,
    spent: Duration,
    members: usize,
    ended: usize,
    running: usize,
    ran: bool,
}

impl Step {
    fn new(name: &str) -> Step {
        Step {
            name: printable(name.as_bytes()),
            stand: Stand::Waiting,
            number: None,
            inputs: Vec::new(),
            failure: None,
            lines: VecDeque::new(),
            at: None,
            since: None,
            spent: Duration::ZERO,
            members: 0,
            ended: 0,
            running: 0,
            ran: false,
        }
    }

    /// How long it was worked on.
    pub fn time(&self, now: Instant) -> Duration {
        self.spent + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether it needs no more.
    pub fn is_over(&self) -> bool {
        !matches!(self.stand, Stand::Waiting | Stand::Running)
    }
}

/// What an event changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A step is seen for the first time.
    Seen(usize),
    /// A step is over.
    Over(usize),
}

/// All steps.
#[derive(Debug)]
pub struct Book {
    /// The steps, inputs first.
    pub steps: Vec<Step>,
    /// When the build began.
    pub start: Instant,
    /// The steps that have been seen, in order.
    pub seen: Vec<usize>,
    of: HashMap<Digest, usize>,
    groups: HashMap<String, usize>,
    /// Vertices that are over.
    over: HashSet<Digest>,
}

impl Book {
    /// An empty one.
    pub fn new(start: Instant) -> Book {
        Book {
            steps: Vec::new(),
            start,
            seen: Vec::new(),
            of: HashMap::new(),
            groups: HashMap::new(),
            over: HashSet::new(),
        }
    }

    /// The step of a vertex.
    pub fn step(&self, vertex: &Digest) -> Option<usize> {
        self.of.get(vertex).copied()
    }

    /// Takes in what happened.
    pub fn take(&mut self, event: &Event<'_>, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        match event {
            Event::Planned { vertex, name, inputs, group } => self.plan(*vertex, name, inputs, *group),
            Event::Looking { vertex, .. } | Event::Started { vertex, .. } => {
                let ran = matches!(event, Event::Started { .. });
                if let Some(at) = self.step(vertex) {
                    self.see(at, &mut changes);
                    let step = &mut self.steps[at];
                    step.running += 1;
                    step.ran |= ran;
                    step.since.get_or_insert(now);
                    step.stand = Stand::Running;
                }
            }
            Event::Found { vertex, ready, failure } => {
                self.pause(vertex, now);
                match (ready, failure) {
                    (_, Some(why)) => self.end(vertex, Some(why), &mut changes),
                    (true, None) => self.end(vertex, None, &mut changes),
                    (false, None) => {}
                }
            }
            Event::Finished { vertex, failure } => {
                self.pause(vertex, now);
                self.end(vertex, *failure, &mut changes);
            }
            Event::Cached { vertex, .. } => self.cached(vertex, &mut changes),
            Event::Output { vertex, line, .. } => {
                if let Some(at) = self.step(vertex) {
                    let lines = &mut self.steps[at].lines;
                    lines.push_back(printable(line));
                    if lines.len() > LINES {
                        lines.pop_front();
                    }
                }
            }
            Event::Status { vertex, what, current, total } => {
                if let Some(at) = self.step(vertex) {
                    self.steps[at].at = Some((printable(what.as_bytes()), *current, *total));
                }
            }
            Event::Warning { .. } => {}
        }
        changes
    }

    fn plan(&mut self, vertex: Digest, name: &str, inputs: &[Digest], group: Option<(&str, &str)>) {
        if self.of.contains_key(&vertex) {
            return;
        }
        let known = group.and_then(|(id, _)| self.groups.get(id).copied());
        let at = known.unwrap_or_else(|| {
            let name = group.map_or(name, |(_, name)| name);
            self.steps.push(Step::new(name));
            self.steps.len() - 1
        });
        if let Some((id, _)) = group {
            self.groups.insert(id.to_owned(), at);
        }
        self.of.insert(vertex, at);
        self.steps[at].members += 1;
        for input in inputs {
            if let Some(input) = self.step(input)
                && input != at
                && !self.steps[at].inputs.contains(&input)
            {
                self.steps[at].inputs.push(input);
            }
        }
    }

    fn see(&mut self, at: usize, changes: &mut Vec<Change>) {
        if self.steps[at].number.is_none() {
            self.seen.push(at);
            self.steps[at].number = Some(self.seen.len());
            changes.push(Change::Seen(at));
        }
    }

    fn pause(&mut self, vertex: &Digest, now: Instant) {
        let Some(at) = self.step(vertex) else { return };
        let step = &mut self.steps[at];
        step.running = step.running.saturating_sub(1);
        if step.running == 0
            && let Some(since) = step.since.take()
        {
            step.spent += now.saturating_duration_since(since);
            step.stand = Stand::Waiting;
        }
    }

    fn end(&mut self, vertex: &Digest, failure: Option<&str>, changes: &mut Vec<Change>) {
        let Some(at) = self.step(vertex) else { return };
        self.see(at, changes);
        let first = self.over.insert(*vertex);
        let step = &mut self.steps[at];
        step.ended += usize::from(first);
        if step.is_over() {
            return;
        }
        step.stand = match failure {
            Some(why) => {
                step.failure = Some(printable(why.as_bytes()));
                Stand::Failed
            }
            None if step.ended < step.members => return,
            None => Stand::Done,
        };
        changes.push(Change::Over(at));
    }

    /// A vertex was there; nothing of what it needs was looked at.
    fn cached(&mut self, vertex: &Digest, changes: &mut Vec<Change>) {
        let Some(at) = self.step(vertex) else { return };
        if self.over.insert(*vertex) {
            self.steps[at].ended += 1;
        }
        if self.steps[at].is_over() || self.steps[at].ended < self.steps[at].members && self.steps[at].ran {
            return;
        }
        // Iterative, since a build may be deep: inputs of what was there count as there too, and are shown first.
        let mut needed = vec![at];
        let mut order = BTreeSet::new();
        while let Some(at) = needed.pop() {
            if !self.steps[at].is_over() && order.insert(at) {
                needed.extend(self.steps[at].inputs.iter().filter(|i| self.steps[**i].stand == Stand::Waiting));
            }
        }
        for at in order {
            self.see(at, changes);
            self.steps[at].stand = if self.steps[at].ran { Stand::Done } else { Stand::Cached };
            changes.push(Change::Over(at));
        }
    }
}
