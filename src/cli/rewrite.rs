//! Changes of recipes in their files, as `rbc fmt` and `rbc lint --fix` make them.

use std::path::Path;

use rbc_source::{Fix, SourceFile};

use super::{Failure, write_output};

/// Applies fixes to a file's text. Of two that change the same place, the first wins; the number of those applied comes back.
pub fn apply<'f>(file: &SourceFile, fixes: impl IntoIterator<Item = &'f Fix>) -> (String, usize) {
    let mut taken: Vec<(usize, usize, &str)> = Vec::new();
    let mut count = 0;
    for fix in fixes {
        let edits: Vec<(usize, usize, &str)> =
            fix.edits.iter().map(|e| (e.span.start as usize, e.span.end as usize, e.text.as_str())).collect();
        let here = fix.edits.iter().all(|e| e.span.file == file.id());
        let free = |&(start, end, _): &(usize, usize, &str)| {
            taken.iter().all(|&(s, e, _)| start != s && (start >= e || end <= s))
        };
        if here && !edits.is_empty() && edits.iter().all(free) {
            taken.extend(edits);
            count += 1;
        }
    }
    taken.sort_by_key(|&(start, end, _)| (start, end));
    let text = file.text();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end, new) in taken {
        out += text.get(at..start).unwrap_or_default();
        out += new;
        at = end.max(at);
    }
    out += text.get(at..).unwrap_or_default();
    (out, count)
}

/// What changes, as a unified diff; empty if nothing does.
pub fn diff(name: &str, old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new)
        .unified_diff()
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

/// Writes a new text where the old one was read from: to the file, or to standard output if it came from standard input.
pub fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let file = (file != Path::new("-")).then_some(file);
    Ok(write_output(file, text.as_bytes())?)
}
