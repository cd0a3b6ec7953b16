//! Findings in the order of the text, each once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rbc_source::{Diagnostic, FileId, Label, Severity, Span};

/// Sorts findings by file and place, keeping the order of discovery where that is the same, and merges those that say the
/// same of the same place. Those without a place come first: they are about the build as a whole.
///
/// Findings that differ only in how the compiler got there (two targets build one broken stage) become one; the ways of
/// the others are kept as further places.
pub fn arrange(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by_key(place);
    let mut kept: Vec<Diagnostic> = Vec::with_capacity(found.len());
    let mut known = HashMap::new();
    for finding in found {
        match known.entry(Key::of(&finding)) {
            Entry::Vacant(entry) => {
                entry.insert(kept.len());
                kept.push(finding);
            }
            Entry::Occupied(entry) => {
                if let Some(first) = kept.get_mut(*entry.get()) {
                    merge(first, finding);
                }
            }
        }
    }
    kept
}

fn place(finding: &Diagnostic) -> Option<(FileId, u32, u32)> {
    let label = finding.primary.as_ref().or(finding.secondary.first())?;
    Some((label.span.file, label.span.start, label.span.end))
}

/// What makes findings the same for their reader.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    code: &'static str,
    severity: Severity,
    message: String,
    primary: Option<(Span, String)>,
}

impl Key {
    fn of(finding: &Diagnostic) -> Key {
        Key {
            code: finding.code.id,
            severity: finding.severity,
            message: finding.message.clone(),
            primary: finding.primary.as_ref().map(|l| (l.span, l.message.clone())),
        }
    }
}

fn merge(first: &mut Diagnostic, other: Diagnostic) {
    fn add<T: PartialEq>(to: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
        for item in more {
            if !to.contains(&item) {
                to.push(item);
            }
        }
    }
    let other_ways = other.trace.into_iter().filter(|frame| !first.trace.contains(frame));
    let other_ways: Vec<Label> =
        other_ways.map(|frame| Label { span: frame.span, message: format!("also {}", frame.message) }).collect();
    add(&mut first.secondary, other.secondary);
    add(&mut first.secondary, other_ways);
    add(&mut first.notes, other.notes);
    add(&mut first.fixes, other.fixes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::{dockerfile, lint};

    #[test]
    fn order_and_merging() {
        let at = |file, start, end| Span::new(FileId(file), start, end);
        let error = |span| Diagnostic::new(dockerfile::DIRECTIVE, "bad").at(span);
        let found = arrange(vec![
            error(at(1, 0, 1)),
            error(at(0, 9, 12)).note("a").within(at(1, 5, 6), "while building target `x`"),
            Diagnostic::new(lint::UNDEFINED_VAR, "first").at(at(0, 2, 3)),
            Diagnostic::new(lint::UNDEFINED_VAR, "second").at(at(0, 2, 3)),
            error(at(0, 9, 12)).note("a").note("b").within(at(1, 7, 8), "while building target `y`"),
            Diagnostic::new(dockerfile::NO_INSTRUCTION, "nowhere"),
            Diagnostic::new(lint::UNDEFINED_VAR, "first").at(at(0, 2, 3)),
        ]);
        let places: Vec<_> = found.iter().map(|d| (d.message.as_str(), place(d).map(|p| (p.0.0, p.1)))).collect();
        assert_eq!(
            places,
            [
                ("nowhere", None),
                ("first", Some((0, 2))),
                ("second", Some((0, 2))),
                ("bad", Some((0, 9))),
                ("bad", Some((1, 0)))
            ]
        );
        let merged = &found[3];
        assert_eq!(merged.notes, ["a", "b"]);
        assert_eq!(merged.trace.len(), 1);
        assert_eq!(merged.secondary, [Label { span: at(1, 7, 8), message: "also while building target `y`".into() }]);
    }
}
