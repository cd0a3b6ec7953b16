//! Git repositories, by the program `git`.
//!
//! It runs without the user's and the machine's settings, without hooks, and asks nobody; so the result does not depend on
//! who builds. Credentials come from the build's secrets and ssh agents.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rbc_ir::Source;
use rbc_source::{Diagnostic, execute};
use rbc_wire::Digest;

use super::Job;
use crate::error::{Fail, Result, failure, reason, show};
use crate::fs::{clean, open_dir, resolve};
use crate::session::SolveError;
use crate::store::{LayerInfo, Snapshot, hex};

/// The most of git's complaints that is shown.
const COMPLAINT_MAX: usize = 4000;

/// A commit.
pub(crate) struct Pinned {
    remote: String,
    commit: String,
    /// The branch or tag that it was found by; empty if none was asked for.
    reference: String,
    subdir: String,
    keep_git_dir: bool,
    skip_submodules: bool,
    commit_times: bool,
}

impl Pinned {
    pub(crate) fn key(&self) -> Digest {
        let Pinned { remote, commit, reference, subdir, keep_git_dir, skip_submodules, commit_times } = self;
        // Only the folder `.git` tells where a commit came from.
        let from = if *keep_git_dir { (remote.as_str(), reference.as_str()) } else { ("", "") };
        Digest::of(
            format!("git\n{commit}\n{subdir:?} {keep_git_dir} {skip_submodules} {commit_times} {from:?}").as_bytes(),
        )
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Finds out which commit a source is.
pub(super) fn pin(job: &Job, op: &Source) -> Result<Pinned> {
    let rest = op.identifier.split_once("://").map_or(op.identifier.as_str(), |(_, rest)| rest);
    let (base, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
    let attr = |key: &str| op.attrs.get(key).map(String::as_str);
    let remote = attr("git.fullurl").map_or_else(|| format!("https://{base}"), str::to_owned);
    let remote = remote.split('#').next().unwrap_or_default().to_owned();
    for text in [remote.as_str(), reference] {
        // It would be taken for an option.
        if text.starts_with('-') || text.contains(|c: char| c.is_control()) {
            return Err(failure(execute::SOURCE, format!("`{}` is not well formed", show(text))));
        }
    }
    for unknown in ["git.bundle", "git.sig.pubkey"] {
        if op.attrs.contains_key(unknown) {
            return Err(failure(execute::UNSUPPORTED, format!("`{unknown}` is not supported here")));
        }
    }
    let yes = |key: &str| attr(key) == Some("true");
    let wanted = attr("git.checksum").unwrap_or_default();
    let commit = if is_commit(reference) {
        reference.to_owned()
    } else if yes("git.fetchbycommit") && is_commit(wanted) {
        wanted.to_owned()
    } else {
        look_up(job, op, &remote, reference)?
    };
    if !wanted.is_empty() && !commit.starts_with(wanted) {
        let found =
            *failure(execute::SOURCE, format!("`{}` is not at the commit that the build asks for", show(&remote)));
        return Err(Box::new(
            found.note(format!("it is at {commit}")).note(format!("the build wants {}", show(wanted))),
        ));
    }
    Ok(Pinned {
        remote,
        commit,
        reference: if is_commit(reference) { String::new() } else { reference.to_owned() },
        subdir: subdir.to_owned(),
        keep_git_dir: yes("git.keepgitdir"),
        skip_submodules: yes("git.skipsubmodules"),
        commit_times: attr("git.mtime") == Some("commit"),
    })
}

/// Asks a repository which commit a branch or tag is at; branches come first, as in `git checkout`.
fn look_up(job: &Job, op: &Source, remote: &str, reference: &str) -> Result<String> {
    let git = Git::new(job, op, remote);
    let wanted = if reference.is_empty() { "HEAD" } else { reference };
    let tag = format!("{wanted}^{{}}");
    let listed =
        git.run(&[OsStr::new("ls-remote"), "--".as_ref(), remote.as_ref(), wanted.as_ref(), tag.as_ref()], None)?;
    let refs: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once('\t')).collect();
    let names = [
        wanted.to_owned(),
        format!("refs/heads/{wanted}"),
        format!("refs/tags/{wanted}^{{}}"),
        format!("refs/tags/{wanted}"),
        format!("{wanted}^{{}}"),
    ];
    // A tag that is named in full may be an object of its own.
    let peeled = refs.iter().find(|(_, name)| *name == tag);
    let found = peeled.or_else(|| names.iter().find_map(|name| refs.iter().find(|(_, n)| n == name)));
    match found {
        Some((commit, _)) if is_commit(commit) => Ok((*commit).to_owned()),
        _ => Err(failure(
            execute::SOURCE,
            format!("`{}` has no branch or tag `{}`", show(redacted(remote)), show(wanted)),
        )),
    }
}

/// A URL without the password in it.
fn redacted(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => url.to_owned(),
    }
}

struct Git<'a> {
    job: &'a Job<'a>,
    /// Settings, which are given in the environment so that no list of processes shows them.
    settings: Vec<(String, String)>,
    ssh: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
}

impl<'a> Git<'a> {
    fn new(job: &'a Job<'a>, op: &Source, remote: &str) -> Self {
        let mut settings: Vec<(String, String)> = [
            ("core.hooksPath", "/dev/null"),
            ("core.symlinks", "true"),
            ("core.autocrlf", "false"),
            ("credential.helper", ""),
            ("gc.auto", "0"),
            ("protocol.ext.allow", "never"),
            // The clone with a folder `.git` comes from our own copy, and is the only one from a path that is not asked for.
            (
                "protocol.file.allow",
                if remote.starts_with("file://") || remote.starts_with('/') { "always" } else { "user" },
            ),
            ("safe.directory", "*"),
            ("uploadpack.allowAnySHA1InWant", "true"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let host = remote.split_once("://").and_then(|(_, rest)| rest.split(['/', ':']).next()).unwrap_or_default();
        let secret = |key: &str, default: &str| {
            let name = op.attrs.get(key).map_or(default, String::as_str);
            let secrets = &job.session.secrets;
            secrets
                .get(&format!("{name}.{host}"))
                .or_else(|| secrets.get(name))
                .map(|s| String::from_utf8_lossy(s).trim().to_owned())
        };
        let header = secret("git.authheadersecret", "GIT_AUTH_HEADER").or_else(|| {
            secret("git.authtokensecret", "GIT_AUTH_TOKEN")
                .map(|token| format!("basic {}", STANDARD.encode(format!("x-access-token:{token}"))))
        });
        if let (Some(header), Some((scheme, _))) = (header, remote.split_once("://")) {
            settings.push((format!("http.{scheme}://{host}/.extraheader"), format!("Authorization: {header}")));
        }
        let id = op.attrs.get("git.mountsshsock").map_or("default", String::as_str);
        let ssh = job.session.ssh.get(id).or_else(|| job.session.ssh.get("default")).cloned();
        let known_hosts = op.attrs.get("git.knownsshhosts").and_then(|text| {
            let path = job.store.scratch();
            fs::write(&path, text).ok().map(|()| path)
        });
        Git { job, settings, ssh, known_hosts }
    }

    /// Runs git, and gives what it writes.
    fn run(&self, args: &[&OsStr], dir: Option<&Path>) -> Result<String> {
        let mut command = Command::new("git");
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_clear();
        for name in
            ["PATH", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"]
        {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("HOME", "/dev/null").env("LC_ALL", "C").env("GIT_CONFIG_COUNT", self.settings.len().to_string());
        for (at, (key, value)) in self.settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        if let Some(socket) = &self.ssh {
            command.env("SSH_AUTH_SOCK", socket);
        }
        let hosts = match &self.known_hosts {
            Some(path) => format!("-o UserKnownHostsFile={} -o StrictHostKeyChecking=yes", path.display()),
            None => "-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null".to_owned(),
        };
        command.env("GIT_SSH_COMMAND", format!("ssh -F /dev/null -o BatchMode=yes {hosts}"));
        if let Some(dir) = dir {
            command.current_dir(dir);
        }
        let absent = |e: io::Error| -> Box<Diagnostic> {
            let found = *failure(execute::SOURCE, format!("cannot run `git`: {}", reason(&e)));
            Box::new(found.note("sources of git repositories need the program `git`"))
        };
        let mut child = command.spawn().map_err(absent)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let collect = |from: Option<Box<dyn Read + Send>>| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // What cannot be read any more is missed in a message at most.
                let _ = from.map(|mut from| from.read_to_end(&mut bytes));
                bytes
            })
        };
        let out = collect(stdout.map(|s| Box::new(s) as Box<dyn Read + Send>));
        let complaints = collect(stderr.map(|s| Box::new(s) as Box<dyn Read + Send>));
        let status = loop {
            if let Some(status) = child.try_wait().map_err(absent)? {
                break status;
            }
            if self.job.cancel.iter().any(|c| c.is_cancelled()) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(SolveError::cancelled().diagnostic);
            }
            std::thread::sleep(std::time::Duration::from_millis(3));
        };
        let out = out.join().unwrap_or_default();
        let complaints = complaints.join().unwrap_or_default();
        if status.success() {
            return Ok(String::from_utf8_lossy(&out).into_owned());
        }
        let text: String = String::from_utf8_lossy(&complaints).trim().chars().take(COMPLAINT_MAX).collect();
        let what = args
            .iter()
            .find(|a| !a.to_string_lossy().starts_with('-'))
            .map_or_else(String::new, |a| show(Path::new(a)));
        Err(Box::new((*failure(execute::SOURCE, format!("`git {what}` failed"))).note(redact_all(&text))))
    }
}

/// Words that are URLs, without passwords.
fn redact_all(text: &str) -> String {
    text.lines()
        .map(|line| {
            line.split(' ')
                .map(|word| if word.contains("://") { redacted(word) } else { word.to_owned() })
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Fetches a commit, and makes a layer of its files.
pub(super) fn fetch(job: &Job, op: &Source, pinned: &Pinned) -> Result<Snapshot> {
    let git = Git::new(job, op, &pinned.remote);
    let about = |e: Box<Diagnostic>| Box::new((*e).note(format!("it is for `{}`", show(redacted(&pinned.remote)))));
    let bare = job.store.root().join("git").join(hex(&Digest::of(pinned.remote.as_bytes())));
    let failed = || format!("keep a repository in {}", show(&bare));
    fs::create_dir_all(&bare).or_fail(execute::STORE, failed)?;
    let lock = File::create(bare.with_extension("lock")).or_fail(execute::STORE, failed)?;
    lock.lock().or_fail(execute::STORE, failed)?;
    let git_dir = format!("--git-dir={}", bare.display());
    let in_bare = |args: &[&str]| -> Result<String> {
        let args: Vec<&OsStr> = std::iter::once(git_dir.as_str()).chain(args.iter().copied()).map(OsStr::new).collect();
        git.run(&args, None)
    };
    if !bare.join("HEAD").exists() {
        in_bare(&["init", "--bare", "--quiet"])?;
    }
    let commit = pinned.commit.as_str();
    let object = format!("{commit}^{{commit}}");
    let has = || in_bare(&["cat-file", "-e", &object]).is_ok();
    if !has() {
        job.report.status(&format!("fetching {}", show(redacted(&pinned.remote))), 0, 0);
        let remote = pinned.remote.as_str();
        let by_commit = in_bare(&["fetch", "--quiet", "--depth=1", "--no-tags", "--", remote, commit]);
        // Some servers give only what has a name.
        let by_name = by_commit.or_else(|e| match pinned.reference.as_str() {
            "" => Err(e),
            name => in_bare(&["fetch", "--quiet", "--depth=1", "--no-tags", "--", remote, name]),
        });
        if by_name.is_err() || !has() {
            in_bare(&["fetch", "--quiet", "--tags", "--", remote, "+refs/heads/*:refs/remotes/origin/*"])
                .map_err(about)?;
        }
        if !has() {
            return Err(failure(execute::SOURCE, format!("`{}` has no commit {commit}", show(redacted(remote)))));
        }
    }
    in_bare(&["update-ref", "refs/heads/rbc", commit])?;

    let work = job.store.scratch();
    fs::create_dir(&work).or_fail(execute::STORE, failed)?;
    let in_work = |args: &[&str]| -> Result<String> {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
        git.run(&args, Some(&work))
    };
    let source = format!("file://{}", bare.display());
    in_work(&["init", "--quiet"])?;
    in_work(&["-c", "protocol.file.allow=always", "fetch", "--quiet", "--depth=1", "--", &source, "refs/heads/rbc"])?;
    in_work(&["checkout", "--quiet", "--force", "FETCH_HEAD"])?;
    in_work(&["remote", "add", "origin", &redacted(&pinned.remote)])?;
    if !pinned.skip_submodules && work.join(".gitmodules").exists() {
        in_work(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"]).map_err(about)?;
    }
    let committed = in_work(&["log", "-1", "--format=%ct"])?.trim().parse::<i64>().unwrap_or(0);
    if pinned.keep_git_dir {
        in_work(&["reflog", "expire", "--all", "--expire=now"])?;
        // Both tell of our own copy.
        for name in ["FETCH_HEAD", "ORIG_HEAD"] {
            let _ = fs::remove_file(work.join(".git").join(name));
        }
    } else {
        remove_git(&work, 0).or_fail(execute::STORE, failed)?;
    }
    let kept = keep(job, pinned, &work, pinned.commit_times.then_some(committed));
    // What remains is removed with the session.
    let _ = crate::fs::remove_tree(&work);
    kept
}

/// Removes `.git` of a work tree and of its submodules.
fn remove_git(dir: &Path, depth: usize) -> io::Result<()> {
    crate::fs::remove_tree(&dir.join(".git"))?;
    if depth > 16 {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_git(&entry.path(), depth + 1)?;
        }
    }
    Ok(())
}

fn keep(job: &Job, pinned: &Pinned, work: &Path, time: Option<i64>) -> Result<Snapshot> {
    let draft = job.store.draft(Snapshot::default())?;
    let root = open_dir(work).or_fail(execute::STORE, || format!("read {}", show(work)))?;
    let failed = || format!("find `{}` in the repository", show(&pinned.subdir));
    let found = resolve(&root, &clean(&pinned.subdir), true).or_fail(execute::SOURCE, failed)?;
    if found.stat.is_none() {
        return Err(failure(execute::SOURCE, format!("the repository has no `{}`", show(&pinned.subdir))));
    }
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
    let dir = crate::fs::open_beneath(&root, &found.path, flags).or_fail(execute::SOURCE, failed)?;
    let view = draft.view()?;
    let mut action = rbc_ir::Copy::new("/", "/");
    action.dir_copy_contents = true;
    action.timestamp = time.map_or(-1, |seconds| seconds * 1_000_000_000);
    let owner = Some((0, 0));
    crate::file::copy(
        &crate::file::Source { root: dir.as_fd(), tree: None, donor: None },
        view.root(),
        &action,
        owner,
        job.cancel,
    )
    .map_err(|e| e.diagnostic)?;
    drop(view);
    let description = format!("git {}", redacted(&pinned.remote));
    draft.commit_as(crate::store::Layer::random(), LayerInfo { description, ..LayerInfo::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(redacted("https://user:pass@host/x.git"), "https://host/x.git");
        assert_eq!(redacted("git@host:x.git"), "git@host:x.git");
        assert_eq!(redact_all("fatal: https://a:b@c/d failed\nx"), "fatal: https://c/d failed\nx");
    }
}
