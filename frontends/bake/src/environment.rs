//! What a run is given besides the files: environment, flags, and what the machine is.

use rbc_source::{Diagnostic, bake as codes, go_bool};
use std::collections::BTreeMap;

/// The names of the variables that bake itself defines.
const COMMAND_CONTEXT: &str = "BAKE_CMD_CONTEXT";
const LOCAL_PLATFORM: &str = "BAKE_LOCAL_PLATFORM";
const NO_LOOKUP: &str = "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP";
const RELATIVE: &str = "BUILDX_BAKE_FILE_RELATIVE_PATHS";

/// What a run is given besides the files.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Variables of the process.
    pub process: BTreeMap<String, String>,
    /// Variables of `./.env`, for compose files.
    pub(crate) dot_env: BTreeMap<String, String>,
    /// Variables of `--env-file`, each with the file's name.
    pub(crate) files: BTreeMap<String, (String, String)>,
    /// `--var name=value`; a later one wins.
    pub vars: BTreeMap<String, String>,
    /// The context of the command: `cwd://`, or the URL given behind that of a remote definition.
    pub command_context: String,
    /// The platform of this machine: `linux/amd64`.
    pub platform: String,
    /// URL of a remote definition: its local paths lie there.
    pub remote: Option<String>,
    /// Relative paths start from the file that they are written in and not from the working directory.
    pub file_relative: bool,
    /// Variables of the process do not count.
    pub no_lookup: bool,
}

impl Environment {
    /// An environment of process variables on a platform; what those variables say about bake itself is taken from them.
    ///
    /// # Errors
    /// If one of those has a value that it cannot have.
    pub fn new(process: BTreeMap<String, String>, platform: impl Into<String>) -> Result<Self, Box<Diagnostic>> {
        let relative = process.get(RELATIVE).map_or("", |v| v.trim());
        let file_relative = match go_bool(relative) {
            _ if relative.is_empty() => false,
            Some(on) => on,
            None => {
                let message = format!("the variable {RELATIVE} is true or false, not `{relative}`");
                return Err(Box::new(Diagnostic::new(codes::OVERRIDE, message)));
            }
        };
        let no_lookup = process.get(NO_LOOKUP).and_then(|v| go_bool(v)).unwrap_or(false);
        Ok(Environment {
            process,
            dot_env: BTreeMap::new(),
            files: BTreeMap::new(),
            vars: BTreeMap::new(),
            command_context: "cwd://".into(),
            platform: platform.into(),
            remote: None,
            file_relative,
            no_lookup,
        })
    }

    /// Takes in the values of `--var`.
    ///
    /// # Errors
    /// If one is not of the form `name=value`.
    pub fn set_vars<S: AsRef<str>>(&mut self, flags: impl IntoIterator<Item = S>) -> Result<(), Box<Diagnostic>> {
        for flag in flags {
            let flag = flag.as_ref();
            if flag.is_empty() {
                continue;
            }
            match flag.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    self.vars.insert(name.into(), value.into());
                }
                _ => {
                    let message = format!("`--var {flag}` does not say which variable has which value");
                    let problem = Diagnostic::new(codes::OVERRIDE, message).note("write `--var NAME=value`");
                    return Err(Box::new(problem));
                }
            }
        }
        Ok(())
    }

    /// Takes in the text of `./.env`, whose variables compose files can refer to.
    ///
    /// # Errors
    /// If a line cannot be understood.
    pub fn set_dot_env(&mut self, text: &str) -> Result<(), Box<Diagnostic>> {
        match crate::compose::read_dot_env(text, self) {
            Ok(variables) => {
                self.dot_env = variables;
                Ok(())
            }
            Err(why) => Err(Box::new(Diagnostic::new(codes::COMPOSE, format!("`.env`: {why}")))),
        }
    }

    /// Takes in a file of variables, which count where neither a flag nor the process sets them; a later file wins. Compose
    /// files can refer to them, too.
    ///
    /// # Errors
    /// If a line cannot be understood.
    pub fn add_file(&mut self, name: &str, text: &str) -> Result<(), Box<Diagnostic>> {
        match crate::compose::read_dot_env(text, self) {
            Ok(variables) => {
                self.dot_env.extend(variables.clone());
                self.files.extend(variables.into_iter().map(|(k, v)| (k, (name.to_owned(), v))));
                Ok(())
            }
            Err(why) => Err(Box::new(Diagnostic::new(codes::OVERRIDE, format!("`{name}`: {why}")))),
        }
    }

    /// Variables that nothing can set from outside.
    pub(crate) fn builtins(&self) -> [(&'static str, &str); 2] {
        [(COMMAND_CONTEXT, &self.command_context), (LOCAL_PLATFORM, &self.platform)]
    }

    /// A variable of the process, if those count.
    pub(crate) fn process(&self, name: &str) -> Option<&str> {
        if self.no_lookup { None } else { self.process.get(name).map(String::as_str) }
    }

    /// What a flag or the process gives for a variable, and a word for where from.
    pub(crate) fn lookup(&self, name: &str) -> Option<(String, String)> {
        if let Some(value) = self.vars.get(name) {
            return Some((format!("`--var {name}`"), value.clone()));
        }
        if let Some(value) = self.process(name) {
            return Some((format!("`{name}` of the environment"), value.to_owned()));
        }
        self.files.get(name).map(|(file, value)| (format!("`{name}` of `{file}`"), value.clone()))
    }
}
