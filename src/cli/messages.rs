//! Findings on their way to the user.

use std::io::{IsTerminal as _, Write as _};

use rbc_lint::formats::{FileReport, Finding, Format, Options, Tool};
use rbc_render::Style;
use rbc_source::{Diagnostic, FileId, SourceFile, Sources};

use super::args::{Cli, MessageFormat, When};
use super::{Failure, write_output};

/// How findings are shown.
#[derive(Clone, Copy)]
pub struct Messages {
    format: MessageFormat,
    style: Style,
}

impl Messages {
    /// As the flags say.
    pub fn new(cli: &Cli) -> Self {
        Messages { format: cli.message_format, style: style(cli.color, std::io::stderr().is_terminal()) }
    }

    /// The same in another form.
    pub fn with_format(self, format: MessageFormat) -> Self {
        Messages { format, ..self }
    }

    /// Whether the form is for services that judge by themselves, so that findings do not make a command fail.
    pub fn never_fails(&self) -> bool {
        self.report_format().is_some_and(Format::never_fails)
    }

    fn report_format(&self) -> Option<Format> {
        Some(match self.format {
            MessageFormat::Text | MessageFormat::Json | MessageFormat::Sarif | MessageFormat::Github => return None,
            MessageFormat::Gitlab => Format::GitLabCodeClimate,
            MessageFormat::Checkstyle => Format::Checkstyle,
            MessageFormat::Junit => Format::JUnit,
            MessageFormat::Sonarqube => Format::SonarQube,
            MessageFormat::Codeclimate => Format::CodeClimate,
            MessageFormat::Codacy => Format::Codacy,
            MessageFormat::Gnu => Format::Gnu,
        })
    }

    /// Tells people what was done.
    pub fn say(&self, text: &str) {
        if self.format == MessageFormat::Text {
            _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    /// Shows findings: for people on standard error, for programs on standard output.
    pub fn print(&self, sources: &Sources, found: &[Diagnostic]) {
        if found.is_empty() && matches!(self.format, MessageFormat::Text | MessageFormat::Github) {
            return;
        }
        let text = match self.format {
            MessageFormat::Text => {
                let mut text = rbc_render::terminal(found, sources, &self.style);
                text += &format!("{}\n", rbc_render::Summary::of(found));
                _ = std::io::stderr().lock().write_all(text.as_bytes());
                return;
            }
            MessageFormat::Json => rbc_render::json_report(found, sources),
            MessageFormat::Sarif => rbc_render::sarif(found, sources),
            MessageFormat::Github => rbc_render::github(found, sources),
            _ => self.report_format().map_or(String::new(), |format| report(format, sources, found)),
        };
        // A reader that is gone needs no message.
        _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}

/// Findings in a form of other tools, file by file.
fn report(format: Format, sources: &Sources, found: &[Diagnostic]) -> String {
    let mut files: Vec<FileReport> = Vec::new();
    for finding in found {
        let nowhere = SourceFile::new(FileId(0), "", "");
        let file = finding.primary.as_ref().and_then(|label| sources.find(label.span.file)).map(|file| &**file);
        let file = file.unwrap_or(&nowhere);
        if files.last().is_none_or(|report| report.file != file.name()) {
            files.push(FileReport { file: file.name().to_owned(), findings: Vec::new() });
        }
        if let Some(report) = files.last_mut() {
            report.findings.push(Finding::exact(file, finding));
        }
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let now = rbc_oci::Time::from_unix(now.try_into().unwrap_or_default());
    let time = now.as_ref().and_then(|now| now.as_str().get(..19)).unwrap_or_default().replace('T', " ");
    let tool = Tool {
        name: "rbc",
        id: "rbc",
        version: env!("CARGO_PKG_VERSION"),
        full_name: "rbc",
        description: "A compiler toolchain for container builds",
        url: "",
    };
    format.render(&files, &Options { tool, color: false, path_in_report: None, time: &time })
}

/// The style of a stream.
fn style(color: When, terminal: bool) -> Style {
    let color = match color {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|v| std::env::var(v).ok().filter(|v| !v.is_empty()));
    let unicode = locale.is_none_or(|l| l.to_uppercase().contains("UTF"));
    let width = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    Style { color, unicode, width: width.unwrap_or(Style::default().width), ..Style::default() }
}

/// `rbc explain`.
pub fn explain(name: Option<&str>, color: When) -> Result<(), Failure> {
    let Some(name) = name else {
        let mut out = String::new();
        for code in rbc_source::CODES.iter().copied().flatten() {
            out += &format!("{}  {:<34} {}\n", code.id, code.name, code.summary);
        }
        return Ok(write_output(None, out.as_bytes())?);
    };
    match rbc_render::explain(name) {
        Some(page) => {
            let style = style(color, std::io::stdout().is_terminal());
            Ok(write_output(None, page.render(&style).as_bytes())?)
        }
        None => {
            let names = rbc_source::CODES.iter().copied().flatten().flat_map(|c| [c.id, c.name]);
            let found = Diagnostic::new(rbc_source::lower::OPTION, format!("there is no diagnostic `{name}`"));
            Err(found.suggest(name, names).note("`rbc explain` lists them all").into())
        }
    }
}
