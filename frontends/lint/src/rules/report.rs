//! From faults in scripts to diagnostics: one for each RUN, at its first fault.

use std::ops::Range;

use rbc_source::{Applicability, Code, Diagnostic, Edit, Span};

use crate::sheet::{Flow, Statement};
use crate::shell::{Arg, Command, Script};

/// How many places of one RUN a finding points at.
const MOST_PLACES: usize = 8;
/// How many things a message names.
const MOST_NAMES: usize = 3;

/// Something wrong in a script.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// Where.
    range: Range<usize>,
    /// What it is about, for the message.
    name: Option<Box<str>>,
    /// What would mend it: a range of the script and its new text.
    edit: Option<(Range<usize>, String)>,
}

impl Fault {
    /// A fault in a range of the script.
    pub fn at(range: Range<usize>) -> Self {
        Fault { range, name: None, edit: None }
    }

    /// A fault of a command, from its name to one of these arguments.
    pub fn of(command: &Command, up_to: &[&str]) -> Self {
        let end = command.arg(up_to).map_or(command.name_range.end, |arg| arg.range.end);
        Fault::at(command.name_range.start..end.max(command.name_range.end))
    }

    /// An argument that is at fault, and named in the message.
    pub fn named(arg: &Arg) -> Self {
        Fault { range: arg.range.clone(), name: Some(arg.text.clone()), edit: None }
    }

    /// Replacing a range would mend it.
    pub fn replace(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.edit = Some((range, text.into()));
        self
    }

    /// Writing a text behind an argument (the first of these) would mend it.
    pub fn insert_behind(self, command: &Command, args: &[&str], text: &str) -> Self {
        let at = command.arg(args).map_or(command.name_range.end, |arg| arg.range.end);
        self.replace(at..at, text)
    }
}

/// What a rule says of a RUN.
#[derive(Clone, Debug)]
pub(super) struct Report {
    code: &'static Code,
    message: &'static str,
    note: Option<&'static str>,
    fix: Option<(&'static str, Applicability)>,
}

impl Report {
    /// Findings of this code with this message.
    pub fn new(code: &'static Code, message: &'static str) -> Self {
        Report { code, message, note: None, fix: None }
    }

    /// Adds a sentence.
    pub fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// What the faults' edits do together.
    pub fn fix(mut self, does: &'static str, applicability: Applicability) -> Self {
        self.fix = Some((does, applicability));
        self
    }

    /// One finding for each RUN that has faults.
    pub fn runs(
        &self,
        flow: &Flow<'_>,
        mut faults: impl FnMut(&Statement<'_>, &Script<'_>) -> Vec<Fault>,
    ) -> Vec<Diagnostic> {
        flow.runs().filter_map(|(run, script)| self.finding(flow, script, faults(run, script))).collect()
    }

    /// One finding for each RUN with commands that a fault is made of.
    pub fn commands(&self, flow: &Flow<'_>, mut fault: impl FnMut(&Command) -> Option<Fault>) -> Vec<Diagnostic> {
        self.runs(flow, |_, script| script.commands.iter().filter_map(&mut fault).collect())
    }

    /// The same for commands that may be at fault several times.
    pub fn commands_many(&self, flow: &Flow<'_>, mut faults: impl FnMut(&Command) -> Vec<Fault>) -> Vec<Diagnostic> {
        self.runs(flow, |_, script| script.commands.iter().flat_map(&mut faults).collect())
    }

    /// A finding for the faults of one script, if there are any.
    pub fn finding(&self, flow: &Flow<'_>, script: &Script<'_>, faults: Vec<Fault>) -> Option<Diagnostic> {
        let id = flow.file.id();
        let (first, others) = faults.split_first()?;
        let names = names(&faults);
        let message = match names.is_empty() {
            true => self.message.to_owned(),
            false => format!("{}: {names}", self.message),
        };
        let mut finding = Diagnostic::new(self.code, message).at(script.span(id, &first.range));
        for other in others.iter().take(MOST_PLACES) {
            finding = finding.also(script.span(id, &other.range), "here too");
        }
        if let Some(note) = self.note {
            finding = finding.note(note);
        }
        if let Some((does, applicability)) = self.fix
            && let Some(edits) = edits(flow, script, &faults)
        {
            finding = finding.fix(does, edits, applicability);
        }
        Some(finding)
    }
}

/// The edits of all faults, if each has one and the script is text that can be edited.
fn edits(flow: &Flow<'_>, script: &Script<'_>, faults: &[Fault]) -> Option<Vec<Edit>> {
    if script.exec {
        return None;
    }
    faults
        .iter()
        .map(|fault| {
            let (range, text) = fault.edit.clone()?;
            Some(Edit { span: edit_span(flow, script, &range), text })
        })
        .collect()
}

/// The span of a range for an edit. An insertion belongs behind what is before it: where a line is continued, the next
/// byte of the script is on another line.
pub(super) fn edit_span(flow: &Flow<'_>, script: &Script<'_>, range: &Range<usize>) -> Span {
    let id = flow.file.id();
    match range.is_empty() && range.start > 0 {
        true => Span::point(id, script.span(id, &(range.start - 1..range.start)).end as usize),
        false => script.span(id, range),
    }
}

/// What the faults are about, as a list.
fn names(faults: &[Fault]) -> String {
    let names: Vec<&str> = faults.iter().filter_map(|fault| fault.name.as_deref()).collect();
    list(&names)
}

/// Names as a list: "`a`, `b` and 3 more".
pub(super) fn list(names: &[&str]) -> String {
    let shown = if names.len() > MOST_NAMES + 1 { MOST_NAMES } else { names.len() };
    let mut out = String::new();
    for (i, name) in names.iter().take(shown).enumerate() {
        let last = i + 1 == names.len();
        out.push_str(match i {
            0 => "",
            _ if last => " and ",
            _ => ", ",
        });
        out.push('`');
        out.push_str(name);
        out.push('`');
    }
    if shown < names.len() {
        out.push_str(&format!(" and {} more", names.len() - shown));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["a"]), "`a`");
        assert_eq!(list(&["a", "b"]), "`a` and `b`");
        assert_eq!(list(&["a", "b", "c", "d"]), "`a`, `b`, `c` and `d`");
        assert_eq!(list(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
    }
}
