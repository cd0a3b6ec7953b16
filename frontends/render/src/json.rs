//! Findings for programs. `docs/diagnostics.md` promises this form: fields are added, never renamed or removed.

use rbc_source::{Applicability, Blame, Diagnostic, Severity, Sources, Span};
use serde::Serialize;

use crate::place::{Places, Point};
use crate::printable::stand_in;
use crate::summary::{Summary, exit_code};

/// Version of the form; it changes only if the promise must be broken.
const VERSION: u32 = 1;

/// Renders findings as JSON objects, each in a line of its own.
pub fn lines(found: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    found.iter().map(|finding| to_text(&Finding::new(finding, &places), false) + "\n").collect()
}

/// Renders findings as one JSON object, with their number and the exit status that they call for.
pub fn report(found: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    let Summary { errors, warnings, remarks } = Summary::of(found);
    let report = Report {
        version: VERSION,
        errors,
        warnings,
        remarks,
        exit_code: exit_code(found),
        diagnostics: found.iter().map(|finding| Finding::new(finding, &places)).collect(),
    };
    to_text(&report, true) + "\n"
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    errors: usize,
    warnings: usize,
    remarks: usize,
    exit_code: u8,
    diagnostics: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'a str,
    name: &'a str,
    severity: &'a str,
    blame: &'a str,
    message: &'a str,
    /// The primary place: name of its file, range, and what is said about it.
    file: Option<&'a str>,
    span: Option<Range>,
    label: Option<&'a str>,
    labels: Vec<Place<'a>>,
    trace: Vec<Place<'a>>,
    notes: &'a [String],
    fixes: Vec<Change<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: Option<&'a str>,
    span: Option<Range>,
    message: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    message: &'a str,
    applicability: &'a str,
    edits: Vec<Replacement<'a>>,
}

#[derive(Serialize)]
struct Replacement<'a> {
    file: Option<&'a str>,
    span: Option<Range>,
    text: &'a str,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Position {
    byte: usize,
    line: usize,
    column: usize,
    column_utf16: usize,
}

impl<'a> Finding<'a> {
    fn new(finding: &'a Diagnostic, places: &Places<'a>) -> Self {
        let (file, span) = finding.primary.as_ref().map_or((None, None), |label| range(label.span, places));
        let place = |span, message| {
            let (file, span) = range(span, places);
            Place { file, span, message }
        };
        Finding {
            code: finding.code.id,
            name: finding.code.name,
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "info",
                Severity::Hint => "hint",
            },
            blame: match finding.code.blame {
                Blame::Input => "input",
                Blame::Environment => "environment",
                Blame::Internal => "internal",
            },
            message: &finding.message,
            file,
            span,
            label: finding.primary.as_ref().map(|l| l.message.as_str()).filter(|m| !m.is_empty()),
            labels: finding.secondary.iter().map(|l| place(l.span, l.message.as_str())).collect(),
            trace: finding.trace.iter().map(|f| place(f.span, f.message.as_str())).collect(),
            notes: &finding.notes,
            fixes: finding
                .fixes
                .iter()
                .map(|fix| Change {
                    message: &fix.message,
                    applicability: match fix.applicability {
                        Applicability::Safe => "safe",
                        Applicability::Unsafe => "unsafe",
                    },
                    edits: fix
                        .edits
                        .iter()
                        .map(|edit| {
                            let (file, span) = range(edit.span, places);
                            Replacement { file, span, text: &edit.text }
                        })
                        .collect(),
                })
                .collect(),
        }
    }
}

fn range<'a>(span: Span, places: &Places<'a>) -> (Option<&'a str>, Option<Range>) {
    let Some(region) = places.region(span) else { return (None, None) };
    (Some(region.file.name()), Some(Range { start: region.start.into(), end: region.end.into() }))
}

impl From<Point> for Position {
    fn from(point: Point) -> Self {
        Position { byte: point.byte, line: point.line, column: point.column, column_utf16: point.utf16 }
    }
}

/// JSON that is safe to print: characters that steer or hide are written as escapes, which mean the same.
pub(crate) fn to_text(value: &impl Serialize, pretty: bool) -> String {
    // Only maps with odd keys and failing `Serialize` implementations can fail, and there are neither.
    let plain =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap_or_default();
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        // Outside of strings there are no such characters but the line feeds of the layout.
        if c == '\n' || stand_in(c).is_none() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_mean_the_same() {
        let text = "a\u{1b}\u{9b}\u{202e}\u{e0041}\n\u{1f600}";
        let json = to_text(&text, true);
        assert_eq!(json, r#""a\u001b\u009b\u202e\udb40\udc41\n😀""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
