//! Looking at what a URL or repository holds, as far as compiling must know it.

use std::io::Read as _;
use std::process::Command;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rbc_context::{Context, GitRef, classify};
use rbc_lower::questions::SourceQuestion;
use rbc_source::{Diagnostic, environment};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much of a file tells whether it is an archive.
pub const HEAD: usize = 1024;

fn unreachable(what: &str, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::new(environment::FETCH, format!("`{what}` cannot be fetched: {why}"))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into()
}

/// Whether the file behind a URL is an archive, by its first bytes.
///
/// # Errors
/// It cannot be fetched.
pub fn is_archive(url: &str) -> Result<bool, Diagnostic> {
    let response = agent().get(url).call().map_err(|e| unreachable(url, e))?;
    let mut head = Vec::with_capacity(HEAD);
    let body = response.into_body().into_reader();
    body.take(HEAD as u64).read_to_end(&mut head).map_err(|e| unreachable(url, e))?;
    Ok(begins_archive(&head))
}

/// Whether a file that begins in this way is an archive.
pub fn begins_archive(head: &[u8]) -> bool {
    is_compressed(head) || is_tar(head)
}

/// bzip2, gzip or xz.
fn is_compressed(head: &[u8]) -> bool {
    [&b"BZh"[..], &[0x1f, 0x8b, 0x08], &[0xfd, b'7', b'z', b'X', b'Z', 0]].iter().any(|magic| head.starts_with(magic))
}

/// Whether it begins with the header of a tar archive, whose checksum is right.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<512>() else { return false };
    if header.iter().all(|b| *b == 0) {
        return head.len() >= HEAD && head.iter().all(|b| *b == 0);
    }
    let field = String::from_utf8_lossy(&header[148..156]);
    let written = i64::from_str_radix(field.trim_matches([' ', '\0']), 8);
    // The field itself counts as spaces; old writers summed signed bytes.
    let sum = |value: fn(u8) -> i64| -> i64 {
        header.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { value(*b) }).sum()
    };
    written.is_ok_and(|written| written == sum(i64::from) || written == sum(|b| i64::from(b as i8)))
}

/// The time of a git commit or download in seconds since 1970, if it has one.
///
/// # Errors
/// It cannot be fetched.
pub fn time(source: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
    if let Some(repository) = source.identifier.strip_prefix("git://") {
        let reference = repository.split_once('#').map_or("", |(_, fragment)| fragment.split(':').next().unwrap_or(""));
        let remote = source.attrs.get("git.fullurl").map_or(repository, String::as_str);
        let wanted = source.attrs.get("git.checksum").map_or(reference, String::as_str);
        return commit_time(remote, if wanted.is_empty() { "HEAD" } else { wanted }).map(Some);
    }
    let response = agent().head(&source.identifier).call().map_err(|e| unreachable(&source.identifier, e))?;
    let header = response.headers().get("last-modified").and_then(|v| v.to_str().ok());
    Ok(header.and_then(|text| httpdate::parse_http_date(text).ok()).and_then(|time| {
        let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    }))
}

/// How git tells a server who asks.
#[derive(Default)]
struct Identity {
    /// The header `Authorization`.
    header: Option<String>,
    /// The socket of an SSH agent; none for that of the environment.
    agent: Option<String>,
}

impl Identity {
    /// What buildx's variables say for remote definitions. It is for no other repository.
    fn for_definitions() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let basic = |token: String| format!("basic {}", BASE64_STANDARD.encode(format!("x-access-token:{token}")));
        let token = variable("BUILDX_BAKE_GIT_AUTH_TOKEN").map(basic);
        Identity { header: variable("BUILDX_BAKE_GIT_AUTH_HEADER").or(token), agent: variable("BUILDX_BAKE_GIT_SSH") }
    }
}

/// How large a file may be that is taken as a definition.
const LARGEST_DEFINITION: u64 = 16 << 20;

/// The file behind a URL.
///
/// # Errors
/// It cannot be fetched, or is larger than a definition is.
pub fn download(url: &str) -> Result<Vec<u8>, Diagnostic> {
    let response = agent().get(url).call().map_err(|e| unreachable(url, e))?;
    let body = response.into_body().into_with_config().limit(LARGEST_DEFINITION);
    let bytes = body.read_to_vec().map_err(|e| unreachable(url, e))?;
    if begins_archive(&bytes) {
        return Err(unreachable(url, "it is an archive").note("name a repository, or the file itself"));
    }
    Ok(bytes)
}

/// Files of a repository, below the directory that the reference names; none where there is no such file.
///
/// # Errors
/// It cannot be fetched, or is at another commit than the reference says.
pub fn files(repository: &GitRef, paths: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Diagnostic> {
    files_as(Identity::for_definitions(), repository, paths)
}

/// The recipe of a remote context: a file of a repository, or what a URL leads to.
///
/// # Errors
/// It cannot be fetched, there is no such file, or it is an archive that would have to be unpacked.
pub fn recipe(url: &str, file: &str) -> Result<Vec<u8>, Diagnostic> {
    let Context::Git(repository) = classify(url) else {
        let about = |found: Diagnostic| found.note("name a local one with `--file`: its context stays the remote one");
        return download(url).map_err(about);
    };
    let found = files_as(Identity::default(), &repository, &[file])?.into_iter().next().flatten();
    found.ok_or_else(|| unreachable(url, format!("it has no file `{file}`")).note("name another file with `--file`"))
}

fn files_as(identity: Identity, repository: &GitRef, paths: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Diagnostic> {
    let wanted = match (&*repository.reference, &*repository.checksum) {
        ("", "") => "HEAD",
        (reference, checksum) if reference.is_empty() || repository.fetch_by_commit => checksum,
        (reference, _) => reference,
    };
    let fetched = Repository::fetch(&repository.remote, wanted, identity)?;
    let commit = fetched.git(&["rev-parse", "FETCH_HEAD^{commit}"])?;
    if !text(&commit).starts_with(&repository.checksum) {
        let problem = format!("{wanted} is the commit {}, not {}", text(&commit), repository.checksum);
        return Err(unreachable(&repository.remote, problem));
    }
    let read = |path: &&str| {
        let object = format!("FETCH_HEAD:{}", rbc_context::path::join(&[&repository.subdir, path]));
        match fetched.git(&["rev-parse", "-q", "--verify", &object]) {
            Ok(_) => fetched.git(&["cat-file", "blob", &object]).map(Some),
            Err(_) => Ok(None),
        }
    };
    paths.iter().map(read).collect()
}

/// Asks git for the time of one commit.
fn commit_time(remote: &str, reference: &str) -> Result<i64, Diagnostic> {
    let fetched = Repository::fetch(remote, reference, Identity::default())?;
    let time = fetched.git(&["show", "-s", "--no-show-signature", "--format=%ct", "FETCH_HEAD^{commit}"])?;
    let time = text(&time);
    time.parse().map_err(|_| unreachable(remote, format!("git gives `{time}` as the time of {reference}")))
}

/// One commit of a repository. The remote runs nothing here: only its objects are taken, into an empty repository that is gone
/// afterwards.
struct Repository<'r> {
    remote: &'r str,
    identity: Identity,
    dir: Draft,
}

impl<'r> Repository<'r> {
    fn fetch(remote: &'r str, reference: &str, identity: Identity) -> Result<Self, Diagnostic> {
        let out = Repository { remote, identity, dir: Draft::new().map_err(|e| unreachable(remote, e))? };
        out.git(&["init", "-q"])?;
        out.git(&["fetch", "-q", "--depth=1", "--no-tags", "--", remote, reference])?;
        Ok(out)
    }

    /// What a command of git prints.
    fn git(&self, args: &[&str]) -> Result<Vec<u8>, Diagnostic> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir.0).args(args);
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", "http:https:ssh:git");
        if let Some(header) = &self.identity.header {
            // By the environment, where other users cannot see it.
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "http.extraHeader");
            command.env("GIT_CONFIG_VALUE_0", format!("Authorization: {header}"));
        }
        if let Some(agent) = &self.identity.agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        let output = command.output().map_err(|e| unreachable(self.remote, format!("git cannot be run: {e}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(unreachable(self.remote, said.lines().last().unwrap_or("git failed")));
        }
        Ok(output.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// A directory of our own that is gone afterwards.
struct Draft(std::path::PathBuf);

impl Draft {
    fn new() -> std::io::Result<Draft> {
        use std::os::unix::fs::DirBuilderExt as _;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let dir = std::env::temp_dir().join(format!("rbc-git-{}-{now}", std::process::id()));
        // Made by us and nobody else, or not at all.
        std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Draft(dir))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What is left behind is in the directory for such things.
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_by_their_first_bytes() {
        assert!(is_compressed(&[0x1f, 0x8b, 0x08, 0]) && !is_compressed(b"FROM scratch"));
        let mut tar = vec![0u8; 1024];
        tar[..1].copy_from_slice(b"a");
        tar[148..156].copy_from_slice(b"        ");
        let sum: u32 = tar[..512].iter().map(|b| u32::from(*b)).sum();
        tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(is_tar(&tar));
        tar[1] = b'b';
        assert!(!is_tar(&tar));
    }
}
