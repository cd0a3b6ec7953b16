//! Findings in hadolint's output formats, as hadolint writes them: for the tools that read those.
//!
//! All are functions from findings to text. hadolint tells of each finding the line of its instruction and the column 1;
//! [`Finding::by_instruction`] does the same, [`Finding::exact`] tells the true place.

mod json;
mod text;
mod xml;

use rbc_grammar::Document;
use rbc_source::{Diagnostic, LineCol, SourceFile, practice};

use crate::{Level, line_of};

/// A finding in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule: hadolint's id or BuildKit's name if it is theirs, ShellCheck's id, or our code.
    pub code: String,
    /// How much it counts.
    pub level: Level,
    /// What it says.
    pub message: String,
    /// Where it begins.
    pub start: Place,
    /// Where it ends: behind its last character.
    pub end: Place,
}

/// A place, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in bytes.
    pub column: usize,
}

/// The findings in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file's name.
    pub file: String,
    /// What was found, in the order of the file.
    pub findings: Vec<Finding>,
}

/// Who writes a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool<'a> {
    /// Its name: `Hadolint`.
    pub name: &'a str,
    /// The name in lower case, for identifiers.
    pub id: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its full name.
    pub full_name: &'a str,
    /// What it does, in one sentence.
    pub description: &'a str,
    /// Where to get it.
    pub url: &'a str,
}

/// How to write a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// Who writes it.
    pub tool: Tool<'a>,
    /// With colours, where the format has them.
    pub color: bool,
    /// The file's name to report, in the formats that take one.
    pub path_in_report: Option<&'a str>,
    /// The time of the run as `2026-11-23 19:46:43`, in the format that tells it.
    pub time: &'a str,
}

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A line each, for people.
    Tty,
    /// An array of objects.
    Json,
    /// Checkstyle's XML.
    Checkstyle,
    /// Objects of Code Climate, each with a zero byte behind it.
    CodeClimate,
    /// An array of the same with fingerprints.
    GitLabCodeClimate,
    /// A line each, by the GNU coding standards.
    Gnu,
    /// Objects of Codacy.
    Codacy,
    /// SonarQube's generic issues.
    SonarQube,
    /// SARIF 2.1.0.
    Sarif,
    /// JUnit's XML.
    JUnit,
}

impl Format {
    /// All, by hadolint's names.
    pub const ALL: [(&'static str, Format); 10] = [
        ("tty", Format::Tty),
        ("json", Format::Json),
        ("checkstyle", Format::Checkstyle),
        ("codeclimate", Format::CodeClimate),
        ("gitlab_codeclimate", Format::GitLabCodeClimate),
        ("gnu", Format::Gnu),
        ("codacy", Format::Codacy),
        ("sonarqube", Format::SonarQube),
        ("sarif", Format::Sarif),
        ("junit", Format::JUnit),
    ];

    /// The format of a name.
    pub fn find(name: &str) -> Option<Format> {
        Self::ALL.into_iter().find(|(n, _)| *n == name).map(|(_, format)| format)
    }

    /// Whether findings in this format never fail the run: it is for services that judge themselves.
    pub fn never_fails(self) -> bool {
        matches!(self, Format::CodeClimate | Format::Codacy)
    }

    /// Writes a report.
    pub fn render(self, files: &[FileReport], options: &Options<'_>) -> String {
        match self {
            Format::Tty => text::tty(files, options),
            Format::Gnu => text::gnu(files, options),
            Format::Json => json::plain(files),
            Format::CodeClimate => json::code_climate(files, options),
            Format::GitLabCodeClimate => json::gitlab(files, options),
            Format::Codacy => json::codacy(files),
            Format::SonarQube => json::sonarqube(files, options),
            Format::Sarif => json::sarif(files, options),
            Format::Checkstyle => xml::checkstyle(files, options),
            Format::JUnit => xml::junit(files, options),
        }
    }
}

impl Finding {
    /// A diagnostic at the true place of what is wrong.
    pub fn exact(file: &SourceFile, diagnostic: &Diagnostic) -> Self {
        let place = |at: LineCol| Place { line: at.line as usize + 1, column: at.col as usize + 1 };
        let span = diagnostic.primary.as_ref().map_or(file.span(0, 0), |label| label.span);
        let start = place(file.line_col(span.start as usize));
        let end = place(file.line_col(span.end as usize));
        Finding { start, end, ..Self::at(diagnostic, start) }
    }

    /// A diagnostic at the beginning of its instruction's first line.
    pub fn by_instruction(file: &SourceFile, document: &Document<'_>, diagnostic: &Diagnostic) -> Self {
        Self::at(diagnostic, Place { line: line_of(file, document, diagnostic) + 1, column: 1 })
    }

    fn at(diagnostic: &Diagnostic, place: Place) -> Self {
        let code = diagnostic.code;
        // BuildKit calls its checks by name.
        let own = if code.id.starts_with("W01") { code.name } else { code.id };
        let id = code.aliases.iter().find(|alias| alias.starts_with("DL")).copied().unwrap_or(own);
        // ShellCheck's ids stand in front of its messages.
        let (id, message) = match diagnostic.message.split_once(": ") {
            Some((id, message)) if code.id == practice::SHELLCHECK.id => (id, message),
            _ => (id, &*diagnostic.message),
        };
        Finding {
            code: id.to_owned(),
            level: diagnostic.severity.into(),
            message: message.to_owned(),
            start: place,
            end: place,
        }
    }

    /// Whether it is ShellCheck's, about a script.
    fn is_about_shell(&self) -> bool {
        self.code.starts_with("SC")
    }
}

impl<'a> Options<'a> {
    /// The name by which to report a file.
    fn path(&self, file: &'a FileReport) -> &'a str {
        self.path_in_report.unwrap_or(&file.file)
    }
}

/// All findings with their files.
fn all(files: &[FileReport]) -> impl Iterator<Item = (&FileReport, &Finding)> {
    files.iter().flat_map(|file| file.findings.iter().map(move |finding| (file, finding)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::{FileId, by_name};

    #[test]
    fn places() {
        let file = SourceFile::new(FileId(0), "Dockerfile", "FROM a\nRUN x && \\\n  cd /y\n");
        let document = Document::parse(file.text());
        let code = by_name("DL3003").unwrap();
        let diagnostic = Diagnostic::new(code, "m").at(file.span(20, 25));
        let exact = Finding::exact(&file, &diagnostic);
        assert_eq!((exact.start.line, exact.start.column, exact.end.line, exact.end.column), (3, 3, 3, 8));
        let coarse = Finding::by_instruction(&file, &document, &diagnostic);
        assert_eq!((coarse.start, coarse.end), (Place { line: 2, column: 1 }, Place { line: 2, column: 1 }));
        assert_eq!((&*coarse.code, coarse.level), ("DL3003", Level::Warning));
    }

    #[test]
    fn names() {
        for (name, format) in Format::ALL {
            assert_eq!(Format::find(name), Some(format));
        }
        assert_eq!(Format::find("yaml"), None);
    }
}
