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
    for named in files::find(&args.files, &|name| files::is_recipe(name) || files::is_bake(name))? {
        let path = &named.path;
        let mut sources = Sources::new();
        let name = args.stdin_filename.as_ref().filter(|_| path == Path::new("-")).unwrap_or(path);
        let id = sources.add_bytes(name.to_string_lossy(), read(path)?);
        let file = sources.get(id);
        if !file.is_utf8() {
            // A text that had to be mended must not be written over the file's own bytes.
            messages.say(&format!("{}: left as it is: it is not UTF-8", path.display()));
            continue;
        }
        let new = if rbc_lsp::is_bake(file.name()) {
            rbc_fmt::format_hcl(file).text
        } else if files::is_dockerfile(file) {
            rbc_fmt::format(file, &style).text
        } else {
            messages.say(&format!("{}: left as it is: only Dockerfiles and HCL are formatted", path.display()));
            continue;
        };
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
