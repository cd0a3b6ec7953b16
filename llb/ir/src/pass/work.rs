//! What a pass works with: what it may do, and whom it tells.

use super::{Options, Pass};
use crate::{CapSet, Graph, Known, Meta, Origin};

/// Someone who watches passes run: prints graphs, measures time, collects remarks.
pub trait Watch {
    /// A pass begins.
    fn begin(&mut self, pass: &'static Pass) {
        let _ = pass;
    }

    /// A pass has ended, and the graph was found whole.
    fn end(&mut self, pass: &'static Pass, graph: &Graph) {
        let _ = (pass, graph);
    }

    /// A pass did something, or did not.
    fn remark(&mut self, remark: Remark) {
        let _ = remark;
    }
}

impl Watch for () {}

/// Collects remarks.
impl Watch for Vec<Remark> {
    fn remark(&mut self, remark: Remark) {
        self.push(remark);
    }
}

/// What a pass did at a place, or why it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The pass.
    pub pass: &'static str,
    /// Whether it did it.
    pub outcome: Outcome,
    /// What, as a sentence without its full stop.
    pub message: String,
    /// The steps that it is about.
    pub origins: Vec<Origin>,
}

/// Whether a pass did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did: this is the change of that number, counted from 1 over all passes.
    Done(usize),
    /// It did not, and the remark says why.
    Missed,
    /// It would have done, but so many changes were not allowed.
    Stopped,
}

/// What a pass works with.
pub struct Work<'a> {
    pass: &'static str,
    options: &'a Options,
    changes: usize,
    watch: &'a mut dyn Watch,
}

impl<'a> Work<'a> {
    pub(crate) fn new(pass: &'static str, options: &'a Options, changes: usize, watch: &'a mut dyn Watch) -> Self {
        Work { pass, options, changes, watch }
    }

    /// How many changes were made up to now, by this pass and those before it.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// What the backend can do.
    pub fn caps(&self) -> &'a CapSet {
        &self.options.caps
    }

    /// What is known of sources.
    pub fn known(&self) -> &'a Known {
        &self.options.known
    }

    /// Asks to make a change, of which the message says what it is, to the steps that `metas` are of. If the answer is no,
    /// the pass leaves things as they are.
    pub fn may<'m>(&mut self, metas: impl IntoIterator<Item = &'m Meta>, message: impl Into<String>) -> bool {
        let allowed = self.options.limit.is_none_or(|limit| self.changes < limit);
        if allowed {
            self.changes += 1;
        }
        let outcome = if allowed { Outcome::Done(self.changes) } else { Outcome::Stopped };
        self.remark(outcome, metas, message.into());
        allowed
    }

    /// Says why something was not done.
    pub fn missed<'m>(&mut self, metas: impl IntoIterator<Item = &'m Meta>, message: impl Into<String>) {
        self.remark(Outcome::Missed, metas, message.into());
    }

    fn remark<'m>(&mut self, outcome: Outcome, metas: impl IntoIterator<Item = &'m Meta>, message: String) {
        let mut origins: Vec<Origin> = Vec::new();
        for origin in metas.into_iter().flat_map(|meta| &meta.origins) {
            if !origins.contains(origin) {
                origins.push(origin.clone());
            }
        }
        self.watch.remark(Remark { pass: self.pass, outcome, message, origins });
    }
}
