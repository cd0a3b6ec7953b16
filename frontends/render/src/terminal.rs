//! Findings for people at a terminal, with the lines that they are about. This file alone knows codespan-reporting.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;

use codespan_reporting::diagnostic::{Diagnostic as Report, Label as Mark, LabelStyle, Severity as Gravity};
use codespan_reporting::files::{Error, Files, Location};
use codespan_reporting::term::{Chars, Config, WriteStyle, emit_to_write_style};
use rbc_source::{Applicability, Blame, Diagnostic, FileId, Fix, Severity, SourceFile, Sources, Span};

use crate::excerpt::{Excerpt, LINES_AFTER_START, LINES_BEFORE_END, TAB};
use crate::patch::{PatchLine, preview};
use crate::place::Places;
use crate::printable;
use crate::summary::Summary;

/// Places shown of one finding, beside the primary one.
const MOST_LABELS: usize = 12;
/// Notes shown of one finding.
const MOST_NOTES: usize = 12;
/// Fixes shown of one finding.
const MOST_FIXES: usize = 4;
/// Codes named in the last line.
const MOST_CODES: usize = 6;

/// How findings are shown at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours, as ANSI escape sequences.
    pub color: bool,
    /// Lines are drawn with box characters; without, with what ASCII has.
    pub unicode: bool,
    /// Columns of the terminal. Longer lines of sources are cut around their labels.
    pub width: usize,
    /// Findings to show; of further ones only their number is told.
    pub limit: usize,
}

impl Default for Style {
    /// No colours, box characters, 100 columns, 100 findings.
    fn default() -> Self {
        Style { color: false, unicode: true, width: 100, limit: 100 }
    }
}

impl Style {
    fn dots(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    fn config(self) -> Config {
        Config {
            tab_width: TAB,
            chars: if self.unicode { Chars::box_drawing() } else { Chars::ascii() },
            start_context_lines: LINES_AFTER_START,
            end_context_lines: LINES_BEFORE_END,
            ..Config::default()
        }
    }

    /// A text in a colour, if there are colours.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if self.color { format!("{}{text}{}", paint.start(), Paint::END) } else { text.to_owned() }
    }
}

/// The colours in use, from the 16 that follow the terminal's theme.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
    BoldRed,
    BoldYellow,
    BoldCyan,
}

impl Paint {
    const END: &'static str = "\x1b[0m";

    fn start(self) -> &'static str {
        match self {
            Paint::Bold => "\x1b[1m",
            Paint::Dim => "\x1b[2m",
            Paint::Red => "\x1b[31m",
            Paint::Green => "\x1b[32m",
            Paint::Yellow => "\x1b[33m",
            Paint::Cyan => "\x1b[36m",
            Paint::BoldRed => "\x1b[1;31m",
            Paint::BoldYellow => "\x1b[1;33m",
            Paint::BoldCyan => "\x1b[1;36m",
        }
    }
}

/// Renders findings in the given order, each followed by an empty line, and then which codes `rbc explain` tells more about.
pub fn render(found: &[Diagnostic], sources: &Sources, style: &Style) -> String {
    let mut canvas = Canvas { text: Vec::new(), color: style.color };
    let places = Places::new(sources);
    let (shown, hidden) = found.split_at(found.len().min(style.limit));
    for finding in shown {
        View::new(finding, sources, &places, *style).write(&mut canvas);
    }
    let mut out = String::from_utf8(canvas.text).unwrap_or_default();
    if !hidden.is_empty() {
        _ = writeln!(out, "and {} more\n", Summary::of(hidden));
    }
    if let Some(line) = more_about(shown) {
        _ = writeln!(out, "{}", style.paint(Paint::Dim, &line));
    }
    out
}

/// Where there is more to read about these findings.
fn more_about(found: &[Diagnostic]) -> Option<String> {
    let codes: BTreeSet<&str> = found.iter().map(|d| d.code.id).collect();
    let named: Vec<&str> = codes.iter().take(MOST_CODES).copied().collect();
    match &named[..] {
        [] => None,
        [only] => Some(format!("More about this: rbc explain {only}")),
        [first, others @ ..] => {
            let dots = if codes.len() > MOST_CODES { ", ..." } else { "" };
            Some(format!("More about these: rbc explain {first} (or {}{dots})", others.join(", ")))
        }
    }
}

/// One finding with the excerpts that it points into.
struct View<'a> {
    finding: &'a Diagnostic,
    sources: &'a Sources,
    places: &'a Places<'a>,
    style: Style,
    labels: Vec<Pointer>,
    /// Labels in files that are not known, and how many were left out.
    stray: Vec<String>,
    excerpts: Vec<(FileId, Excerpt)>,
}

/// A place of a finding, with what is said about it.
struct Pointer {
    style: LabelStyle,
    span: Span,
    message: String,
}

impl<'a> View<'a> {
    fn new(finding: &'a Diagnostic, sources: &'a Sources, places: &'a Places<'a>, style: Style) -> Self {
        let mut view =
            View { finding, sources, places, style, labels: Vec::new(), stray: Vec::new(), excerpts: Vec::new() };
        view.collect();
        view.cut();
        view
    }

    /// Gathers the places: the primary one, others that explain it, and the way there from the inside out.
    fn collect(&mut self) {
        let finding = self.finding;
        if let Some(label) = &finding.primary {
            self.point(LabelStyle::Primary, label.span, &label.message);
        }
        let mut room = MOST_LABELS;
        for label in finding.secondary.iter().take(room) {
            room -= 1;
            self.point(LabelStyle::Secondary, label.span, &label.message);
        }
        for frame in finding.trace.iter().rev().take(room) {
            room -= 1;
            // Its keyword says enough: the whole step would hide what within it the finding is about.
            let span = self.sources.find(frame.span.file).map_or(frame.span, |file| first_word(file, frame.span));
            self.point(LabelStyle::Secondary, span, &frame.message);
        }
        let left_out = finding.secondary.len() + finding.trace.len() - (MOST_LABELS - room);
        if left_out > 0 {
            self.stray.push(format!("further places: {left_out}"));
        }
    }

    fn point(&mut self, style: LabelStyle, span: Span, message: &str) {
        let message = printable::line(message);
        if self.sources.find(span.file).is_some() {
            self.labels.push(Pointer { style, span, message });
        } else if !message.is_empty() {
            self.stray.push(message);
        }
    }

    fn cut(&mut self) {
        let mut files: Vec<FileId> = Vec::new();
        for label in &self.labels {
            if !files.contains(&label.span.file) {
                files.push(label.span.file);
            }
        }
        let highest = |span: Span| self.places.region(span).map_or(1, |r| r.end.line);
        let digits = self.labels.iter().map(|l| highest(l.span)).max().unwrap_or(1).ilog10() as usize + 1;
        for id in files {
            let Some(file) = self.sources.find(id) else { continue };
            let spans: Vec<Span> = self.labels.iter().map(|l| l.span).filter(|s| s.file == id).collect();
            let long = spans.iter().filter(|s| file.lines_of(**s).0 != file.lines_of(**s).1).count();
            // Beside the text: the number, the border with a space on each side, and two columns for each long label.
            let width = self.style.width.saturating_sub(digits + 3 + 2 * long).max(20);
            self.excerpts.push((id, Excerpt::new(file, &spans, width, self.style.dots())));
        }
    }

    fn write(&self, canvas: &mut Canvas) {
        let gravity = match self.finding.severity {
            Severity::Error => Gravity::Error,
            Severity::Warning => Gravity::Warning,
            Severity::Info => Gravity::Note,
            Severity::Hint => Gravity::Help,
        };
        let marks = self.labels.iter().filter_map(|label| {
            let file = self.sources.find(label.span.file)?;
            let range = self.excerpt(file.id()).ok()?.range(file, label.span);
            Some(Mark::new(label.style, file.id(), range).with_message(&label.message))
        });
        let report = Report::new(gravity)
            .with_code(self.finding.code.id)
            .with_message(printable::line(&self.finding.message))
            .with_labels(marks.collect())
            .with_notes(self.notes());
        // It fails for lack of a file or a line only, and `Files` below has those of every mark.
        _ = emit_to_write_style(canvas, &self.style.config(), self, &report);
    }

    fn notes(&self) -> Vec<String> {
        let finding = self.finding;
        let mut notes = self.stray.clone();
        notes.extend(finding.notes.iter().take(MOST_NOTES).map(|note| printable::lines(note)));
        notes.extend(finding.fixes.iter().take(MOST_FIXES).map(|fix| self.fix(fix)));
        let more = |all: usize, most: usize, what| (all > most).then(|| format!("further {what}: {}", all - most));
        notes.extend(more(finding.notes.len(), MOST_NOTES, "notes"));
        notes.extend(more(finding.fixes.len(), MOST_FIXES, "fixes"));
        if finding.code.blame == Blame::Internal {
            notes.push("this is a fault of rbc and not of your files; please report it".to_owned());
        }
        notes
    }

    fn fix(&self, fix: &Fix) -> String {
        let mut out = match fix.applicability {
            Applicability::Safe => String::from("fix: "),
            Applicability::Unsafe => String::from("fix that may change what is built: "),
        };
        out.push_str(&printable::line(&fix.message));
        let home = self.finding.primary.as_ref().map(|l| l.span.file);
        let width = self.style.width.saturating_sub(16).max(20);
        let lines = preview(fix, self.sources, home, width, self.style.dots());
        let number = |line: &PatchLine| match line {
            PatchLine::Out(n, _) | PatchLine::In(n, _) => *n,
            PatchLine::File(_) | PatchLine::More(_) => 1,
        };
        let digits = lines.iter().map(number).max().unwrap_or(1).ilog10() as usize + 1;
        for line in &lines {
            _ = match line {
                PatchLine::File(name) => write!(out, "\n  {name}:"),
                PatchLine::Out(n, text) => {
                    write!(out, "\n  {}", self.style.paint(Paint::Red, &format!("{n:digits$} - {text}")))
                }
                PatchLine::In(n, text) => {
                    write!(out, "\n  {}", self.style.paint(Paint::Green, &format!("{n:digits$} + {text}")))
                }
                PatchLine::More(n) => write!(out, "\n  {:digits$}   and {n} more", ""),
            };
        }
        out
    }

    fn excerpt(&self, id: FileId) -> Result<&Excerpt, Error> {
        self.excerpts.iter().find(|(file, _)| *file == id).map(|(_, excerpt)| excerpt).ok_or(Error::FileMissing)
    }

    fn line(&self, id: FileId, index: usize) -> Result<(Range<usize>, usize), Error> {
        let excerpt = self.excerpt(id)?;
        let end = || (excerpt.text().len()..excerpt.text().len(), excerpt.highest_number());
        Ok(excerpt.line(index).unwrap_or_else(end))
    }
}

/// The part of a span up to the first space.
fn first_word(file: &SourceFile, span: Span) -> Span {
    let end = file.slice(span).find(char::is_whitespace).map_or(span.end as usize, |at| span.start as usize + at);
    Span::new(span.file, span.start as usize, end)
}

/// The excerpts as files, with the numbers that lines and columns have in the real ones.
impl<'v> Files<'v> for View<'_> {
    type FileId = FileId;
    type Name = String;
    type Source = &'v str;

    fn name(&'v self, id: FileId) -> Result<String, Error> {
        self.sources.find(id).map(|file| printable::line(file.name())).ok_or(Error::FileMissing)
    }

    fn source(&'v self, id: FileId) -> Result<&'v str, Error> {
        Ok(self.excerpt(id)?.text())
    }

    fn line_index(&'v self, id: FileId, offset: usize) -> Result<usize, Error> {
        Ok(self.excerpt(id)?.line_at(offset))
    }

    fn line_number(&'v self, id: FileId, index: usize) -> Result<usize, Error> {
        Ok(self.line(id, index)?.1)
    }

    fn line_range(&'v self, id: FileId, index: usize) -> Result<Range<usize>, Error> {
        Ok(self.line(id, index)?.0)
    }

    /// The place of the label that begins there.
    fn location(&'v self, id: FileId, offset: usize) -> Result<Location, Error> {
        let excerpt = self.excerpt(id)?;
        let file = self.sources.find(id).ok_or(Error::FileMissing)?;
        let begins = |label: &&Pointer| label.span.file == id && excerpt.range(file, label.span).start == offset;
        let start = self.labels.iter().find(begins).and_then(|label| self.places.region(label.span)).map(|r| r.start);
        Ok(match start {
            Some(start) => Location { line_number: start.line, column_number: start.column },
            None => Location { line_number: self.line(id, excerpt.line_at(offset))?.1, column_number: 1 },
        })
    }
}

/// Where codespan-reporting writes.
struct Canvas {
    text: Vec<u8>,
    color: bool,
}

impl Canvas {
    fn set(&mut self, code: &str) -> io::Result<()> {
        if self.color {
            self.text.extend_from_slice(code.as_bytes());
        }
        Ok(())
    }
}

impl io::Write for Canvas {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteStyle for Canvas {
    fn set_header(&mut self, severity: Gravity) -> io::Result<()> {
        self.set(match severity {
            Gravity::Bug | Gravity::Error => Paint::BoldRed.start(),
            Gravity::Warning => Paint::BoldYellow.start(),
            Gravity::Note | Gravity::Help => Paint::BoldCyan.start(),
        })
    }

    fn set_header_message(&mut self) -> io::Result<()> {
        self.set(Paint::END)?;
        self.set(Paint::Bold.start())
    }

    fn set_line_number(&mut self) -> io::Result<()> {
        self.set(Paint::Cyan.start())
    }

    fn set_note_bullet(&mut self) -> io::Result<()> {
        self.set(Paint::Cyan.start())
    }

    fn set_source_border(&mut self) -> io::Result<()> {
        self.set(Paint::Cyan.start())
    }

    fn set_label(&mut self, severity: Gravity, style: LabelStyle) -> io::Result<()> {
        self.set(match (style, severity) {
            (LabelStyle::Primary, Gravity::Bug | Gravity::Error) => Paint::Red.start(),
            (LabelStyle::Primary, Gravity::Warning) => Paint::Yellow.start(),
            (LabelStyle::Primary, Gravity::Note | Gravity::Help) | (LabelStyle::Secondary, _) => Paint::Cyan.start(),
        })
    }

    fn reset(&mut self) -> io::Result<()> {
        self.set(Paint::END)
    }
}
