//! `rbc fmt`.

use std::path::Path;

use rbc_fmt::{KeywordCase, Style};
use rbc_source::Sources;

use super::args::{FmtArgs, Keywords};
use super::messages::Messages;
use super::project::read;
use super::{Failure, files, rewrite, write_output};

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
    for named in files::find(&args.files, &files::is_recipe)? {
        let path = &named.path;
        let mut sources = Sources::new();
        let id = sources.add_bytes(path.to_string_lossy(), read(path)?);
        let file = sources.get(id);
        if !file.is_utf8() {
            // A text that had to be mended must not be written over the file's own bytes.
            messages.say(&format!("{}: left as it is: it is not UTF-8", path.display()));
            continue;
        }
        let is_dockerfile = files::is_dockerfile(file);
        if !is_dockerfile {
            messages.say(&format!("{}: left as it is: only Dockerfiles are formatted", path.display()));
        }
        let new = if is_dockerfile { rbc_fmt::format(file, &style).text } else { file.text().to_owned() };
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
