//! This machine, as bake sees it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use rbc_bake::Found;
use rbc_context::GitParse;
use rbc_source::{Diagnostic, environment};

use super::load::{Remote, World};
use crate::cli::project::{self, host_platform};
use crate::cli::remote;

/// This machine.
pub struct Machine;

impl rbc_hcl::Host for Machine {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or_default()
    }

    fn home(&self) -> String {
        std::env::var("HOME").unwrap_or_default()
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        // Without a source of randomness there is still the time.
        if std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).is_err() {
            bytes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_le_bytes();
        }
        bytes
    }
}

impl rbc_bake::Host for Machine {
    fn find(&self, path: &str) -> Found {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Found::Directory,
            Ok(found) if found.file_type().is_socket() => Found::Socket,
            Ok(found) => Found::File(found.len()),
            Err(_) => Found::Nothing,
        }
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

impl World for Machine {
    fn variables(&self) -> BTreeMap<String, String> {
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
    }

    fn platform(&self) -> String {
        host_platform().format()
    }

    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn standard_input(&self) -> Result<Vec<u8>, Diagnostic> {
        project::standard_input()
    }

    fn remote(&self, url: &str, paths: &[&str]) -> Result<Remote, Diagnostic> {
        match rbc_context::git::parse(url) {
            GitParse::Git(repository) => Ok(Remote::Files(remote::files(&repository, paths)?)),
            GitParse::Invalid(why) => Err(Diagnostic::new(environment::FETCH, format!("`{url}`: {why}"))),
            GitParse::NotGit => Ok(Remote::File(remote::download(url)?)),
        }
    }
}
