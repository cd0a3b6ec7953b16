//! From flags to definitions: which files there are, and what they say.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use rbc_bake::{DEFAULT_FILES, Definitions, Environment, Planned, Rights};
use rbc_source::{Diagnostic, Sources, environment, lower};

use super::args::BakeArgs;
use crate::cli::Failure;

/// The world as bake sees it.
pub trait World: rbc_bake::Host {
    /// Variables of the process.
    fn variables(&self) -> BTreeMap<String, String>;

    /// The platform of this machine: `linux/amd64`.
    fn platform(&self) -> String;

    /// A file of this machine.
    ///
    /// # Errors
    /// It cannot be read.
    fn file(&self, path: &str) -> std::io::Result<Vec<u8>>;

    /// All of standard input.
    ///
    /// # Errors
    /// It cannot be read.
    fn standard_input(&self) -> Result<Vec<u8>, Diagnostic>;

    /// What lies behind the URL of a remote definition: of a repository these files, none where there is no such.
    ///
    /// # Errors
    /// It cannot be fetched.
    fn remote(&self, url: &str, paths: &[&str]) -> Result<Remote, Diagnostic>;
}

/// What lies behind the URL of a remote definition.
#[derive(Debug)]
pub enum Remote {
    /// The definition itself.
    File(Vec<u8>),
    /// Files of a repository, in the order in which they were asked for.
    Files(Vec<Option<Vec<u8>>>),
}

/// All that the flags name, read and evaluated.
#[derive(Debug)]
pub struct Loaded {
    /// The texts.
    pub sources: Sources,
    /// What was given besides.
    pub env: Environment,
    /// What the files declare.
    pub definitions: Definitions,
    /// Targets that were asked for.
    pub targets: Vec<String>,
    /// What may be done.
    pub rights: Rights,
}

impl Loaded {
    /// What the flags ask for. Unless there are errors, among them such as concern only other targets if `all` is set.
    ///
    /// # Errors
    /// All findings, if one of them is an error.
    pub fn plan(&self, args: &BakeArgs, all: bool) -> Result<Planned, Failure> {
        let mut planned = self.definitions.plan(&args.request(self.targets.clone()), &self.env);
        if all {
            planned.diagnostics.append(&mut planned.elsewhere);
        }
        if planned.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(Failure::new(&self.sources, planned.diagnostics));
        }
        Ok(planned)
    }
}

/// Reads and evaluates what the flags name.
///
/// # Errors
/// A flag or a variable is at fault, or a file cannot be read. Faults of the files themselves are among the definitions.
pub fn load(args: &BakeArgs, world: &dyn World) -> Result<Loaded, Failure> {
    let one = |problem: Box<Diagnostic>| Failure::from(*problem);
    let rights = Rights::parse(&args.allow).map_err(one)?;
    let mut env = Environment::new(world.variables(), world.platform()).map_err(one)?;
    env.set_vars(&args.vars).map_err(one)?;
    match world.file(".env") {
        Ok(bytes) => env.set_dot_env(&String::from_utf8_lossy(&bytes)).map_err(one)?,
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(unreadable(".env", &e).into()),
    }
    for path in &args.env_files {
        let bytes = world.file(path).map_err(|e| unreadable(path, &e))?;
        env.add_file(path, &String::from_utf8_lossy(&bytes)).map_err(one)?;
    }
    let words = rbc_bake::split_arguments(&args.words);
    if let Some(url) = words.context {
        env.command_context = url;
    }
    let names = names(args, &env, words.remote.is_some());
    let (sources, is_file) = read(&names, words.remote.as_deref(), world)?;
    if sources.iter().next().is_none() {
        let problem = Diagnostic::new(environment::READ, "there is no bake file here");
        return Err(problem.note(format!("name one with `--file`, or as one of {}", DEFAULT_FILES.join(", "))).into());
    }
    // A single file has no directory that paths could lie in.
    env.remote = words.remote.filter(|_| !is_file);
    let files: Vec<_> = sources.iter().map(|f| &**f).collect();
    let definitions = rbc_bake::evaluate(&files, &env, world);
    Ok(Loaded { sources, env, definitions, targets: words.targets, rights })
}

/// Names of files; those that may be absent are marked.
fn names(args: &BakeArgs, env: &Environment, remote: bool) -> Vec<(String, bool)> {
    let mut names = args.files.clone();
    if names.is_empty()
        && let Some(value) = env.process.get("BUILDX_BAKE_FILE")
    {
        let separator = env.process.get("BUILDX_BAKE_PATH_SEPARATOR").map_or("", String::as_str);
        names = rbc_bake::files_of_variable(value, separator);
    }
    // Local files beside a remote definition add to it, and do not take its place.
    let defaults = names.is_empty() || remote && names.iter().all(|n| n.starts_with("cwd://"));
    let usual = DEFAULT_FILES.iter().filter(|_| defaults).map(|n| ((*n).to_owned(), true));
    usual.chain(names.into_iter().map(|n| (n, false))).collect()
}

/// Reads files, and says whether the remote definition is a single one.
fn read(names: &[(String, bool)], url: Option<&str>, world: &dyn World) -> Result<(Sources, bool), Failure> {
    let is_local = |name: &str| url.is_none() || name == "-" || name.starts_with("cwd://");
    let mut sources = Sources::new();
    let mut add = |name: &str, bytes: Vec<u8>| {
        // Nothing at all is as if it were not there.
        if !bytes.is_empty() {
            sources.add_bytes(name, bytes);
        }
    };
    let paths: Vec<&str> = names.iter().map(|(n, _)| n.as_str()).filter(|n| !is_local(n)).collect();
    let mut is_file = false;
    let mut fetched = match url.map(|url| (url, world.remote(url, &paths))) {
        None => Vec::new().into_iter(),
        Some((_, Ok(Remote::Files(files)))) => files.into_iter(),
        Some((url, Ok(Remote::File(bytes)))) => {
            if let Some((name, _)) = names.iter().find(|(n, usual)| !is_local(n) && !usual) {
                let problem = format!("`{url}` is a single file, so there is no `{name}` beside it");
                return Err(Diagnostic::new(lower::CONTEXT, problem).note("`cwd://` names a local file").into());
            }
            is_file = true;
            add(url, bytes);
            Vec::new().into_iter()
        }
        Some((_, Err(problem))) => return Err(problem.into()),
    };
    for (name, may_be_absent) in names {
        let path = name.strip_prefix("cwd://").unwrap_or(name);
        if name == "-" {
            add(name, world.standard_input()?);
        } else if is_local(name) {
            match world.file(path) {
                Ok(bytes) => add(path, bytes),
                Err(e) if *may_be_absent && e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(unreadable(path, &e).into()),
            }
        } else {
            match fetched.next().flatten() {
                Some(bytes) => add(path, bytes),
                None if *may_be_absent => {}
                None => {
                    let problem = format!("there is no `{path}` in `{}`", url.unwrap_or_default());
                    return Err(Diagnostic::new(environment::READ, problem).note("`cwd://` names a local file").into());
                }
            }
        }
    }
    Ok((sources, is_file))
}

fn unreadable(path: &str, error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(environment::READ, format!("`{path}` cannot be read: {error}"))
}
