//! `rbc lint`: files found and read, examined on all cores, findings reported in the order of the files.

mod bake;
mod configs;
mod examine;
mod shellcheck;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rbc_lint::LintConfig;
use rbc_source::{Diagnostic, FileId, SourceFile, Sources};

use super::args::{LintArgs, MessageFormat};
use super::messages::Messages;
use super::project::{read, read_optional};
use super::{Failure, files, rewrite, write_output};
pub(super) use bake::bake;
pub(super) use configs::Configs;
pub(super) use examine::findings;
use examine::{Fixes, examine};
use shellcheck::ShellCheck;

/// A file to examine.
struct Unit {
    path: PathBuf,
    file: FileId,
    /// Name and text of the ignore file of its directory.
    ignore: Option<(String, String)>,
    config: LintConfig,
    /// ShellCheck, if this file wants it.
    shellcheck: Option<ShellCheck>,
}

/// What came of examining a file.
struct Examined {
    found: Vec<Diagnostic>,
    /// Its text with fixes applied, if that is another.
    fixed: Option<SourceFile>,
}

/// Runs the command.
pub fn run(args: &LintArgs, messages: &Messages) -> Result<(), Failure> {
    let mut sources = Sources::new();
    let mut configs = Configs::new(args, &mut sources)?;
    let mut units = Vec::new();
    for found in files::find(&args.files, &|name| files::is_recipe(name) || files::is_other(name))? {
        let configured = configs.of(&found.path, &mut sources)?;
        if found.searched && configured.excluded {
            continue;
        }
        let file = sources.add_bytes(found.path.to_string_lossy(), read(&found.path)?);
        units.push(Unit {
            ignore: ignore_file(&found.path)?,
            path: found.path,
            file,
            config: configured.config,
            shellcheck: configured.shellcheck,
        });
    }
    let format = args.format.or_else(|| units.first().and_then(|unit| format_of(&unit.config)));
    let messages = format.map_or(*messages, |format| messages.with_format(format));
    let fixes = match (args.unsafe_fixes, args.fix || args.diff) {
        (true, _) => Fixes::All,
        (false, true) => Fixes::Safe,
        (false, false) => Fixes::None,
    };
    let examined = in_parallel(&units, |unit| examine(unit, sources.get(unit.file), fixes));
    let (mut all, mut changed, mut failed) = (Vec::new(), false, false);
    for (unit, examined) in units.iter().zip(examined) {
        let examined = examined?;
        if let Some(fixed) = &examined.fixed {
            changed = true;
            let original = sources.get(unit.file);
            if args.diff {
                let diff = rewrite::diff(&unit.path.to_string_lossy(), original.text(), fixed.text());
                write_output(None, diff.as_bytes())?;
            } else {
                rewrite::write(&unit.path, fixed.text())?;
            }
        } else if fixes != Fixes::None && !args.diff && unit.path == Path::new("-") {
            rewrite::write(&unit.path, sources.get(unit.file).text())?;
        }
        failed |= examined.found.iter().any(|finding| unit.config.fails(finding.severity.into()));
        all.extend(examined.found);
        if let Some(fixed) = examined.fixed {
            sources.replace(fixed);
        }
    }
    if args.diff {
        failed = changed;
    } else {
        messages.print(&sources, &rbc_render::arrange(all));
        failed &= !messages.never_fails();
    }
    if failed { Err(Failure::default()) } else { Ok(()) }
}

/// The ignore file that a build with the file's directory as its context has.
pub(super) fn ignore_file(path: &Path) -> Result<Option<(String, String)>, Diagnostic> {
    let Some(name) = path.file_name().filter(|_| path != Path::new("-")) else { return Ok(None) };
    let own = read_optional(&path.with_file_name(format!("{}.dockerignore", name.to_string_lossy())))?;
    if own.is_some() { Ok(own) } else { read_optional(&path.with_file_name(".dockerignore")) }
}

/// Works through a list on all cores; the results are in the order of the list.
fn in_parallel<T: Sync, R: Send>(list: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(list.len());
    if threads <= 1 {
        return list.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(list.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| list.get(i).map(|item| (i, item)))
                {
                    let result = work(item);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The format that a configuration file of hadolint names, if rbc has it.
fn format_of(config: &LintConfig) -> Option<MessageFormat> {
    use clap::ValueEnum as _;
    MessageFormat::from_str(config.format.as_deref()?, true).ok()
}
