//! What rules about caches of package managers have in common: one command fills the cache, a later one must empty it.

use rbc_source::{Applicability, Code, Diagnostic};

use super::report::{Fault, Report};
use crate::sheet::{Flow, Statement};
use crate::shell::Command;

/// A cache.
pub(super) struct Cleanup {
    /// The rule.
    pub code: &'static Code,
    /// What it says.
    pub message: &'static str,
    /// The command that empties the cache.
    pub command: &'static str,
    /// How safe it is to run it.
    pub applicability: Applicability,
    /// Whether a command fills it.
    pub fills: fn(&Command) -> bool,
    /// Whether a command empties it.
    pub empties: fn(&Command) -> bool,
}

impl Cleanup {
    /// RUNs that fill the cache and do not empty it afterwards, of those that count.
    pub fn check(&self, flow: &Flow<'_>, counts: impl Fn(&Statement<'_>) -> bool) -> Vec<Diagnostic> {
        let report = Report::new(self.code, self.message)
            .note("later layers cannot take it out again: empty it in the same RUN")
            .fix("empty it at the end", self.applicability);
        report.runs(flow, |run, script| {
            let Some(filled) = script.commands.iter().position(self.fills) else { return Vec::new() };
            let emptied = script.commands.iter().rposition(self.empties);
            if emptied.is_some_and(|emptied| filled < emptied) || !counts(run) {
                return Vec::new();
            }
            let fault = Fault::at(script.commands[filled].range.clone());
            let end = script.text.trim_end().len();
            // Behind a heredoc's text nothing can be added on its line.
            match run.instruction.heredocs.is_empty() {
                true => vec![fault.replace(end..end, format!(" && {}", self.command))],
                false => vec![fault],
            }
        })
    }
}
