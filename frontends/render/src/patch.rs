//! A fix as the lines that it takes out and puts in.

use rbc_source::{Edit, FileId, Fix, SourceFile, Sources};

use crate::excerpt::cut;
use crate::printable;

/// Lines shown of one change.
const LONGEST: usize = 8;
/// Changes shown of one fix.
const MOST: usize = 8;

/// A line of a preview.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PatchLine {
    /// The changes that follow are in the file of this name.
    File(String),
    /// Line of this number goes.
    Out(usize, String),
    /// A line comes, to stand where this number is.
    In(usize, String),
    /// So many lines or changes more.
    More(usize),
}

/// What a fix changes, each line at most `width` columns wide. Empty if its edits overlap or are in no known file. `home` is
/// the file that need not be named.
pub(crate) fn preview(fix: &Fix, sources: &Sources, home: Option<FileId>, width: usize, dots: &str) -> Vec<PatchLine> {
    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
    edits.sort_by_key(|e| (e.span.file, e.span.start, e.span.end));
    let mut lines = Vec::new();
    let mut changes = 0;
    let mut at = home;
    let mut rest = &edits[..];
    while let Some(first) = rest.first() {
        let Some(file) = sources.find(first.span.file) else { return Vec::new() };
        let count = together(file, rest);
        let (group, others) = rest.split_at(count);
        rest = others;
        let Some(change) = Change::new(file, group) else { return Vec::new() };
        changes += 1;
        if changes > MOST {
            continue;
        }
        if at != Some(file.id()) {
            at = Some(file.id());
            lines.push(PatchLine::File(printable::line(file.name())));
        }
        change.show(&mut lines, |line| cut(line, width, dots));
    }
    if changes > MOST {
        lines.push(PatchLine::More(changes - MOST));
    }
    lines
}

/// How many of the edits, which are sorted, touch lines that lie together.
fn together(file: &SourceFile, edits: &[&Edit]) -> usize {
    let mut last = None;
    edits
        .iter()
        .take_while(|edit| {
            let (first, end) = file.lines_of(edit.span);
            let joins = edit.span.file == file.id() && last.is_none_or(|last| first <= last);
            last = last.max(Some(end));
            joins
        })
        .count()
}

/// A run of lines before and after.
struct Change {
    /// Number of the first line that differs.
    number: usize,
    before: Vec<String>,
    after: Vec<String>,
}

impl Change {
    fn new(file: &SourceFile, edits: &[&Edit]) -> Option<Change> {
        let lines = edits.iter().map(|e| file.lines_of(e.span)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let from = file.line_range(lines.0).start;
        let to = file.line_range(lines.1).end;
        let before = file.text().get(from..to)?;
        let mut after = String::new();
        let mut at = from;
        for edit in edits {
            after.push_str(file.text().get(at..edit.span.start as usize)?);
            after.push_str(&edit.text);
            at = edit.span.end as usize;
        }
        after.push_str(file.text().get(at..to)?);
        let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
        let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
        let (before, after) = (&before[same..], &after[same..]);
        let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
        let own = |lines: &[&str]| lines[..lines.len() - tail].iter().map(|l| (*l).to_owned()).collect();
        Some(Change { number: lines.0 + same + 1, before: own(before), after: own(after) })
    }

    fn show(&self, lines: &mut Vec<PatchLine>, cut: impl Fn(&str) -> String) {
        let mut side = |texts: &[String], make: fn(usize, String) -> PatchLine| {
            for (i, text) in texts.iter().take(LONGEST).enumerate() {
                lines.push(make(self.number + i, cut(text)));
            }
            if texts.len() > LONGEST {
                lines.push(PatchLine::More(texts.len() - LONGEST));
            }
        };
        side(&self.before, PatchLine::Out);
        side(&self.after, PatchLine::In);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::{Applicability, Span};

    fn shown(edits: &[(usize, usize, &str)]) -> Vec<PatchLine> {
        let mut sources = Sources::new();
        let id = sources.add("f", "one\ntwo\nthree\nfour\n");
        let edits = edits.iter().map(|(a, b, t)| Edit { span: Span::new(id, *a, *b), text: (*t).to_owned() }).collect();
        let fix = Fix { message: String::new(), edits, applicability: Applicability::Safe };
        preview(&fix, &sources, Some(id), 80, "…")
    }

    #[test]
    fn changes() {
        let (out, into) = (PatchLine::Out, PatchLine::In);
        assert_eq!(shown(&[(4, 7, "2")]), [out(2, "two".into()), into(2, "2".into())]);
        assert_eq!(shown(&[(4, 8, "")]), [out(2, "two".into())]);
        assert_eq!(shown(&[(4, 4, "new\n")]), [into(2, "new".into())]);
        assert_eq!(shown(&[(19, 19, "new\n")]), [into(5, "new".into())]);
        assert_eq!(
            shown(&[(14, 15, "F"), (0, 1, "O"), (2, 3, "E")]),
            [out(1, "one".into()), into(1, "OnE".into()), out(4, "four".into()), into(4, "Four".into())]
        );
        assert_eq!(shown(&[(0, 3, "a"), (2, 5, "b")]), [], "they overlap");
        assert_eq!(shown(&[(0, 99, "a")]), [], "it is not in the file");
    }
}
