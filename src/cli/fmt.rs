//! `rbc fmt`.

use std::io::Read as _;
use std::path::Path;

use rbc_fmt::{KeywordCase, Style};
use rbc_source::{Diagnostic, Sources, environment};

use super::args::{FmtArgs, Keywords};
use super::messages::Messages;
use super::{Failure, rewrite, write_output};

/// Runs the command.
pub fn run(args: &FmtArgs, messages: &Messages) -> Result<(), Failure> {
    let style = Style {
        keywords: match args.keywords {
            Keywords::Majority => KeywordCase::Majority,
            Keywords::Upper => KeywordCase::Upper,
            Keywords::Lower => KeywordCase::Lower,
        },
        indent: " ".repeat(args.indent.into()),
    };
    let mut changed = 0;
    for path in &args.files {
        let mut sources = Sources::new();
        let id = sources.add_bytes(path.to_string_lossy(), read(path)?);
        let file = sources.get(id);
        if !file.is_utf8() {
            // A text that had to be mended must not be written over the file's own bytes.
            messages.say(&format!("{}: left as it is: it is not UTF-8", path.display()));
            continue;
        }
        let new = rbc_fmt::format(file, &style).text;
        let differs = new != file.text();
        changed += usize::from(differs);
        if args.diff {
            write_output(None, rewrite::diff(&path.to_string_lossy(), file.text(), &new).as_bytes())?;
        } else if args.check {
            if differs {
                messages.say(&format!("{}: would be formatted", path.display()));
            }
        } else if path == Path::new("-") || differs {
            rewrite::write(path, &new)?;
        }
    }
    if changed > 0 && (args.check || args.diff) { Err(Failure::default()) } else { Ok(()) }
}

fn read(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|e| Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", path.display())))
}
