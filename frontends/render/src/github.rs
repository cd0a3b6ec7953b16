//! Findings as workflow commands of GitHub Actions, which shows them beside the lines that they are about.

use std::fmt::Write as _;

use rbc_source::{Diagnostic, Severity, Sources};

use crate::place::Places;
use crate::printable;

/// Renders findings as workflow commands, a line each.
pub fn render(found: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    let mut out = String::new();
    for finding in found {
        out.push_str(match finding.severity {
            Severity::Error => "::error ",
            Severity::Warning => "::warning ",
            Severity::Info | Severity::Hint => "::notice ",
        });
        if let Some(region) = finding.primary.as_ref().and_then(|l| places.region(l.span)) {
            let (start, end) = (region.start, region.end);
            _ = write!(out, "file={},line={},endLine={}", property(region.file.name()), start.line, end.line);
            // Columns are understood within one line only, and the last one is included.
            if start.line == end.line {
                _ = write!(out, ",col={},endColumn={}", start.column, (end.column - 1).max(start.column));
            }
            out.push(',');
        }
        _ = write!(out, "title={}::", property(&format!("{} {}", finding.code.id, finding.code.name)));
        out.push_str(&data(&finding.message));
        let labels = finding.primary.iter().map(|l| &l.message).filter(|m| !m.is_empty());
        for line in labels.chain(&finding.notes).chain(finding.fixes.iter().map(|f| &f.message)) {
            _ = write!(out, "%0A{}", data(line));
        }
        out.push('\n');
    }
    out
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    printable::lines(text).replace('%', "%25").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    printable::line(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}
