//! Formats with a line for each finding.

use super::{FileReport, Finding, Options, all};
use crate::Level;

/// `file:line code level: message`.
pub(super) fn tty(files: &[FileReport], options: &Options<'_>) -> String {
    let line = |(file, finding): (&FileReport, &Finding)| {
        let level = match options.color {
            true => coloured(finding.level),
            false => finding.level.name().to_owned(),
        };
        format!("{}:{} {} {level}: {}\n", file.file, finding.start.line, finding.code, finding.message)
    };
    all(files).map(line).collect()
}

fn coloured(level: Level) -> String {
    let sequence = match level {
        Level::Error => "1;31",
        Level::Warning => "1;33",
        Level::Info => "32",
        Level::Style => "36",
        Level::Ignore => "0",
    };
    format!("\u{1B}[{sequence}m{}\u{1B}[0m", level.name())
}

/// `program:file:line: message`, as <https://www.gnu.org/prep/standards/html_node/Errors.html> has it.
pub(super) fn gnu(files: &[FileReport], options: &Options<'_>) -> String {
    let line = |(file, finding): (&FileReport, &Finding)| {
        let Finding { code, level, message, start, .. } = finding;
        format!("{}:{}:{}: {code} {}: {message}\n", options.tool.id, file.file, start.line, level.name())
    };
    all(files).map(line).collect()
}
