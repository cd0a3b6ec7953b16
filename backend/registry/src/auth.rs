//! Credentials: Docker's `config.json` and its credential helpers.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rbc_source::image;
use serde_json::Value;

use crate::error::{Result, failure, tame};

/// The key under which Docker keeps the credentials of its Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// Where the Hub answers; and the other names that people write into their configuration for it.
const HUB_HOSTS: [&str; 3] = ["registry-1.docker.io", "index.docker.io", "docker.io"];
/// How long a credential helper may take: it may ask the user to unlock a key ring.
const HELPER_TIMEOUT: Duration = Duration::from_secs(120);

/// How to prove who one is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password, or a personal access token.
        secret: String,
    },
    /// An identity token, which gives access tokens (OAuth 2 refresh).
    Refresh(String),
    /// An access token.
    Access(String),
}

impl fmt::Debug for Credential {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Password { user, .. } => write!(f, "Password({user})"),
            Credential::Refresh(_) => f.write_str("Refresh"),
            Credential::Access(_) => f.write_str("Access"),
        }
    }
}

/// Credentials by registry. A helper is asked when, and only when, a registry demands credentials.
#[derive(Default)]
pub struct Credentials {
    /// The configuration file, for messages.
    file: Option<PathBuf>,
    config: Value,
    /// Where helpers are looked for, in the form of `$PATH`; if not said, in `$PATH`.
    helper_path: Option<OsString>,
    /// Those given by the caller, and the answers so far.
    known: Mutex<HashMap<String, Option<Credential>>>,
}

impl fmt::Debug for Credentials {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Credentials {
    /// No credentials: every registry is asked as nobody.
    pub fn none() -> Self {
        Credentials::default()
    }

    /// Those of a Docker configuration, usually `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. A file that
    /// does not exist gives none.
    pub fn from_docker_config(path: &Path) -> Result<Self> {
        let message = |what: String| failure(image::CREDENTIALS, format!("cannot read {}: {what}", path.display()));
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Credentials::none()),
            Err(e) => return Err(message(e.to_string()).into()),
        };
        let config: Value = serde_json::from_slice(&bytes).map_err(|e| message(format!("it is not JSON: {e}")))?;
        Ok(Credentials { file: Some(path.to_owned()), config, ..Credentials::default() })
    }

    /// Looks for credential helpers in these folders (separated as in `$PATH`) instead of those in `$PATH`.
    #[must_use]
    pub fn with_helper_path(mut self, path: impl Into<OsString>) -> Self {
        self.helper_path = Some(path.into());
        self
    }

    /// Adds a credential for `host[:port]`; it comes before those of the configuration.
    #[must_use]
    pub fn with(self, host: &str, credential: Credential) -> Self {
        self.known.lock().unwrap_or_else(|e| e.into_inner()).insert(host.to_owned(), Some(credential));
        self
    }

    /// The credential for a registry, `host[:port]`.
    pub(crate) fn get(&self, host: &str) -> Result<Option<Credential>> {
        // Held while a helper runs, so that a user is asked once and not once a thread.
        let mut known = self.known.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(answer) = known.get(host) {
            return Ok(answer.clone());
        }
        let answer = self.look_up(host)?;
        known.insert(host.to_owned(), answer.clone());
        Ok(answer)
    }

    /// What to tell a user who lacks credentials.
    pub(crate) fn advice(&self, host: &str) -> String {
        let login = match HUB_HOSTS.contains(&host) {
            true => "docker login".to_owned(),
            false => format!("docker login {host}"),
        };
        match &self.file {
            Some(file) => format!("{} has no credentials for it; `{login}` adds them", file.display()),
            None => format!("there is no Docker configuration with credentials; `{login}` makes one"),
        }
    }

    fn look_up(&self, host: &str) -> Result<Option<Credential>> {
        let names: Vec<&str> = match HUB_HOSTS.contains(&host) {
            true => [HUB_KEY].into_iter().chain(HUB_HOSTS).collect(),
            false => vec![host],
        };
        let helpers = self.config.get("credHelpers");
        let own = names.iter().find_map(|name| Some((*name, helpers?.get(*name)?.as_str()?)));
        let common = || Some((names[0], self.config.get("credsStore")?.as_str()?));
        if let Some((name, helper)) = own.or_else(common).filter(|(_, helper)| !helper.is_empty())
            && let Some(credential) = self.ask_helper(helper, name)?
        {
            return Ok(Some(credential));
        }
        let Some(auths) = self.config.get("auths").and_then(Value::as_object) else { return Ok(None) };
        let entry = names.iter().find_map(|name| auths.get(*name)).or_else(|| {
            let same = |key: &String| names.contains(&bare_host(key));
            auths.iter().find(|(key, _)| same(key)).map(|(_, entry)| entry)
        });
        entry.map_or(Ok(None), |entry| self.read_entry(host, entry))
    }

    fn read_entry(&self, host: &str, entry: &Value) -> Result<Option<Credential>> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credential::Refresh(token)));
        }
        if let Some(token) = text("registrytoken") {
            return Ok(Some(Credential::Access(token)));
        }
        if let Some(encoded) = text("auth") {
            let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|d| d.split_once(':'));
            let (user, secret) = pair.ok_or_else(|| {
                let file = self.file.as_deref().unwrap_or(Path::new("the configuration")).display();
                let message = format!("{file}: the field `auth` of {host} must be `user:password` in base64");
                failure(image::CREDENTIALS, message)
            })?;
            let secret = secret.trim_end_matches('\0');
            return Ok(Some(Credential::Password { user: user.to_owned(), secret: secret.to_owned() }));
        }
        let pair = text("username").zip(text("password"));
        Ok(pair.map(|(user, secret)| Credential::Password { user, secret }))
    }

    /// Runs `docker-credential-HELPER get` with the name of the registry on its input.
    fn ask_helper(&self, helper: &str, name: &str) -> Result<Option<Credential>> {
        let program = format!("docker-credential-{helper}");
        let wrong = |what: String| failure(image::CREDENTIALS, format!("the credential helper `{program}` {what}"));
        if helper.contains(['/', '\\']) {
            return Err(wrong("is a path; it must be the end of a program's name".to_owned()).into());
        }
        let (success, said) = run_helper(&self.find_helper(&program), name).map_err(wrong)?;
        if !success {
            let said = String::from_utf8_lossy(&said);
            return match said.contains("credentials not found") {
                true => Ok(None),
                false => Err(wrong(format!("fails: {}", tame(&said))).into()),
            };
        }
        let answer: Value =
            serde_json::from_slice(&said).map_err(|e| wrong(format!("does not answer in JSON: {e}")))?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(match (text("Username"), text("Secret")) {
            (_, secret) if secret.is_empty() => None,
            (user, secret) if user == "<token>" => Some(Credential::Refresh(secret)),
            (user, secret) => Some(Credential::Password { user, secret }),
        })
    }

    fn find_helper(&self, program: &str) -> PathBuf {
        let folders = self.helper_path.iter().flat_map(std::env::split_paths);
        folders.map(|folder| folder.join(program)).find(|path| path.is_file()).unwrap_or_else(|| program.into())
    }
}

/// Gives whether it succeeded, and its output.
fn run_helper(program: &Path, input: &str) -> std::result::Result<(bool, Vec<u8>), String> {
    const OUTPUT_MAX: u64 = 1 << 20;
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|e| format!("cannot be run: {e}"))?;
    // A helper that does not read its input is free to, so a broken pipe is no error.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let mut output = Vec::new();
        let _ = stdout.map(|stdout| stdout.take(OUTPUT_MAX).read_to_end(&mut output));
        let _ = sender.send(output);
    });
    let Ok(output) = receiver.recv_timeout(HELPER_TIMEOUT) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("does not answer within {} seconds", HELPER_TIMEOUT.as_secs()));
    };
    let status = child.wait().map_err(|e| format!("is lost: {e}"))?;
    Ok((status.success(), output))
}

/// The host of a key as people wrote it over the years: with a scheme, with a path.
fn bare_host(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or(key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(json: Value) -> Credentials {
        Credentials { config: json, ..Credentials::default() }
    }

    fn password(user: &str, secret: &str) -> Option<Credential> {
        Some(Credential::Password { user: user.into(), secret: secret.into() })
    }

    #[test]
    fn entries_of_the_file() {
        let c = credentials(serde_json::json!({"auths": {
            "a.io": {"auth": STANDARD.encode("me:p:w\0\0")},
            "https://b.io/v1/": {"username": "me", "password": "x"},
            "https://index.docker.io/v1/": {"auth": STANDARD.encode("hub:x")},
            "c.io": {"identitytoken": "t", "auth": STANDARD.encode("me:")},
            "d.io": {"registrytoken": "t"},
            "e.io": {},
            "f.io": {"auth": "%"},
        }}));
        assert_eq!(c.get("a.io").unwrap(), password("me", "p:w"));
        assert_eq!(c.get("b.io").unwrap(), password("me", "x"));
        assert_eq!(c.get("registry-1.docker.io").unwrap(), password("hub", "x"));
        assert_eq!(c.get("c.io").unwrap(), Some(Credential::Refresh("t".into())));
        assert_eq!(c.get("d.io").unwrap(), Some(Credential::Access("t".into())));
        assert_eq!(c.get("e.io").unwrap(), None);
        assert_eq!(c.get("g.io").unwrap(), None);
        assert!(c.get("f.io").unwrap_err().message.contains("base64"));
    }

    #[test]
    fn the_caller_comes_first() {
        let c = credentials(serde_json::json!({"credsStore": "does-not-exist"}));
        let c = c.with("a.io", Credential::Access("t".into()));
        assert_eq!(c.get("a.io").unwrap(), Some(Credential::Access("t".into())));
        assert!(c.get("b.io").unwrap_err().message.contains("`docker-credential-does-not-exist` cannot be run"));
        let c = credentials(serde_json::json!({"credHelpers": {"a.io": "../../bin/sh"}}));
        assert!(c.get("a.io").unwrap_err().message.contains("is a path"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?} {:?}", password("me", "hush"), Credential::Access("hush".into()));
        assert_eq!(shown, "Some(Password(me)) Access");
        let credentials = credentials(serde_json::json!({"auths": {"a.io": {"auth": "hush"}}}));
        assert_eq!(format!("{credentials:?}"), "Credentials { file: None, .. }");
    }

    #[test]
    fn advice() {
        let advice = Credentials::none().advice("docker.io");
        assert_eq!(advice, "there is no Docker configuration with credentials; `docker login` makes one");
    }
}
