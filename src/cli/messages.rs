//! Findings on their way to the user.

use std::io::{IsTerminal as _, Write as _};

use rbc_render::Style;
use rbc_source::{Diagnostic, Sources};

use super::args::{Cli, MessageFormat, When};
use super::{Failure, write_output};

/// How findings are shown.
pub struct Messages {
    format: MessageFormat,
    style: Style,
}

impl Messages {
    /// As the flags say.
    pub fn new(cli: &Cli) -> Self {
        Messages { format: cli.message_format, style: style(cli.color, std::io::stderr().is_terminal()) }
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
        };
        // A reader that is gone needs no message.
        _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
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
