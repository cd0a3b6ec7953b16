//! Which configuration a file has: `rbc.toml` and `.hadolint.yaml`, found upward from it, and the flags on top.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rbc_lint::{LintConfig, Settings};
use rbc_source::{Diagnostic, Sources, environment, lower};

use super::super::Failure;
use super::super::args::LintArgs;
use super::super::project::cannot_read;
use super::shellcheck::ShellCheck;

/// The names of the project's own file, and of hadolint's.
const OWN: [&str; 1] = ["rbc.toml"];
const HADOLINTS: [&str; 2] = [".hadolint.yaml", ".hadolint.yml"];

/// What a file is examined with.
pub struct Configured {
    pub config: LintConfig,
    pub shellcheck: Option<ShellCheck>,
    /// The file is not wanted unless it is named.
    pub excluded: bool,
}

/// The configurations met so far.
pub struct Configs<'a> {
    args: &'a LintArgs,
    /// What `--config` names, for all files.
    named: Option<Arc<Level>>,
    /// By directory.
    directories: HashMap<PathBuf, Arc<Level>>,
    shellcheck: Option<ShellCheck>,
}

/// What the files above a directory say.
#[derive(Default)]
struct Level {
    hadolint: LintConfig,
    /// Settings, and the directory that their paths are seen from.
    own: Option<(Settings, PathBuf)>,
}

impl<'a> Configs<'a> {
    pub fn new(args: &'a LintArgs, sources: &mut Sources) -> Result<Self, Failure> {
        for name in args.ignore.iter().chain(&args.select) {
            if LintConfig::named(name).is_empty() {
                let found = Diagnostic::new(lower::OPTION, format!("there is no rule `{name}`"));
                return Err(found.note("`rbc explain` lists the rules").into());
            }
        }
        let named = match &args.config {
            None => None,
            Some(path) if path.extension().is_some_and(|e| e == "toml") => {
                Some(Level { own: Some(read_own(path, sources)?), ..Level::default() })
            }
            Some(path) => Some(Level { hadolint: read_hadolint(path)?, own: None }),
        };
        let wanted = !args.no_shell && !args.no_shellcheck;
        Ok(Configs {
            args,
            named: named.map(Arc::new),
            directories: HashMap::new(),
            shellcheck: if wanted { ShellCheck::find() } else { None },
        })
    }

    /// The configuration of a file.
    pub fn of(&mut self, path: &Path, sources: &mut Sources) -> Result<Configured, Failure> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let level = match &self.named {
            Some(named) => Arc::clone(named),
            None => self.above(absolute.parent().unwrap_or(Path::new("/")), sources)?,
        };
        let mut config = level.hadolint.clone();
        let (mut excluded, mut shellcheck) = (false, None);
        if let Some((settings, base)) = &level.own {
            let seen = absolute.strip_prefix(base).unwrap_or(&absolute).to_string_lossy().into_owned();
            config = settings.apply(config, &seen);
            excluded = settings.excludes(&seen);
            shellcheck = settings.shellcheck;
        }
        let args = self.args;
        if !args.select.is_empty() {
            config.select(&args.select);
        }
        config.ignored.extend(args.ignore.iter().flat_map(|name| LintConfig::named(name)));
        config.shell &= !args.no_shell;
        config.no_fail |= args.no_fail;
        if let Some(level) = args.failure_threshold {
            config.failure_threshold = level.into();
        }
        let shellcheck = self.shellcheck.clone().filter(|_| shellcheck != Some(false) && config.shell);
        Ok(Configured { config, shellcheck, excluded })
    }

    fn above(&mut self, dir: &Path, sources: &mut Sources) -> Result<Arc<Level>, Failure> {
        if let Some(known) = self.directories.get(dir) {
            return Ok(Arc::clone(known));
        }
        let nearest = |names: &[&str]| {
            dir.ancestors().find_map(|dir| names.iter().map(|name| dir.join(name)).find(|path| path.is_file()))
        };
        let level = Level {
            hadolint: nearest(&HADOLINTS).map(|path| read_hadolint(&path)).transpose()?.unwrap_or_default(),
            own: nearest(&OWN).map(|path| read_own(&path, sources)).transpose()?,
        };
        let level = Arc::new(level);
        self.directories.insert(dir.to_path_buf(), Arc::clone(&level));
        Ok(level)
    }
}

fn read_hadolint(path: &Path) -> Result<LintConfig, Diagnostic> {
    let text = std::fs::read_to_string(path).map_err(|e| cannot_read(path, &e))?;
    LintConfig::from_hadolint_yaml(&text).map_err(|e| {
        let place = e.place.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
        Diagnostic::new(lower::OPTION, format!("`{}{place}`: {}", path.display(), e.message))
    })
}

fn read_own(path: &Path, sources: &mut Sources) -> Result<(Settings, PathBuf), Failure> {
    let bytes = std::fs::read(path).map_err(|e| cannot_read(path, &e))?;
    let absolute = std::path::absolute(path)
        .map_err(|e| Diagnostic::new(environment::READ, format!("`{}`: {e}", path.display())))?;
    let id = sources.add_bytes(path.to_string_lossy(), bytes);
    let read = Settings::read(sources.get(id));
    if read.has_errors() {
        return Err(Failure::new(sources, read.diagnostics));
    }
    Ok((read.value, absolute.parent().unwrap_or(Path::new("/")).to_path_buf()))
}
