//! Exec ops: a command with its mounts becomes a sandbox, and what it wrote becomes layers.

mod lines;
mod ssh;
mod world;

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rbc_ir::{CacheSharing, Exec, Meta, Mount, MountKind, NetMode, ROOT_MOUNT, Ref, SecurityMode};
use rbc_source::{Diagnostic, execute};
use rbc_wire::Digest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::process::{Gid, Resource, Uid};

use crate::error::{Fail, Result, failure, reason, show};
use crate::fs::{clean, open_beneath, resolve};
use crate::mount::{bind, tmpfs};
use crate::sandbox::{DEFAULT_CAPABILITIES, Ended, Plan, PlanMount, Stage, What, ours, pipes};
use crate::session::{Reporter, Scene, Session, SolveError};
use crate::store::{Draft, Snapshot, Store, hex};
use crate::sys::mount_attr::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::{Cancel, users};

use lines::Lines;
use ssh::Forward;

/// What the machine is called inside unless the build says otherwise; BuildKit's name, so that results are alike.
const HOSTNAME: &str = "buildkitsandbox";
/// Where programs are looked for if the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an exec op runs with.
pub(crate) struct Job<'a> {
    pub store: &'a Store,
    pub session: &'a Session,
    pub cancel: &'a [&'a Cancel],
    pub report: Reporter<'a>,
    pub inputs: &'a HashMap<Ref, Snapshot>,
    /// Cgroups are made below this, if limits are asked for.
    pub meta: &'a Meta,
    /// A user talks to the command: it has our input and outputs, and these files instead of its own. What it writes is lost.
    pub talk: Option<&'a Snapshot>,
}

/// A mount while the command runs.
#[derive(Default)]
struct Held<'a> {
    /// A layer that takes what is written, and the output that it becomes.
    drafts: Vec<(Option<u32>, Draft<'a>)>,
    /// Outputs that are what they were.
    kept: Vec<(u32, Snapshot)>,
    caches: Vec<File>,
    forwards: Vec<Forward>,
    files: Vec<PathBuf>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for path in &self.files {
            // What remains is removed with the session.
            let _ = crate::fs::remove_tree(path);
        }
    }
}

/// Runs an exec op, and gives its outputs.
pub(crate) fn run(job: &Job, exec: &Exec) -> std::result::Result<Vec<(u32, Snapshot)>, SolveError> {
    if !exec.cdi_devices.iter().all(|d| d.optional) {
        return Err(failure(execute::UNSUPPORTED, "devices by CDI names are not supported").into());
    }
    let mut held = Held::default();
    let root_mount = exec.mounts.iter().find(|m| m.dest == ROOT_MOUNT && m.kind == MountKind::Bind);
    let root_mount = root_mount.ok_or_else(|| failure(execute::UNSUPPORTED, "the command has no root file system"))?;
    if !clean(&root_mount.selector).as_os_str().is_empty() {
        return Err(failure(execute::UNSUPPORTED, "the root file system is a part of another").into());
    }
    let below = match job.talk {
        Some(root) => root.clone(),
        None => input(job, root_mount)?,
    };
    // A root that is read-only gets a layer as well, for the places that are mounted on, which is thrown away.
    let draft = job.store.draft(below.clone())?;
    let (root_dir, mount) = draft.view()?.into_parts();
    let root = whole(mount, &draft.files())?;
    match root_mount.output {
        Some(output) if root_mount.readonly => {
            held.kept.push((output, below));
            held.drafts.push((None, draft));
        }
        output => held.drafts.push((output, draft)),
    }

    let user = users::find(&root_dir, &exec.meta.user)?;
    let stubs = Stubs::before(root_dir.as_fd(), exec);
    make_cwd(root_dir.as_fd(), &exec.meta.cwd, user.uid, user.gid)?;

    let mut mounts = world::mounts(root_dir.as_fd(), exec)?;
    mounts.extend(world::names(job.store, root_dir.as_fd(), exec, &mut held.files)?);
    for mount in exec.mounts.iter().filter(|m| !std::ptr::eq(*m, root_mount)) {
        mounts.extend(prepare(job, root_dir.as_fd(), mount, &mut held)?);
    }

    let streams = if job.talk.is_some() { ours() } else { pipes() };
    let (pipes, [stdin, stdout, stderr]) = streams.or_fail(execute::SANDBOX, || "make a pipe".to_owned())?;
    let insecure = exec.security == SecurityMode::Insecure;
    let (stage, side) = job.store.mount_points();
    let mut env = environment(job, exec)?;
    if !env.iter().any(|e| e.starts_with("HOME=")) {
        env.push(format!("HOME={}", user.home));
    }
    let programs = programs(&exec.meta.args, &env);
    let text = |s: &str| CString::new(s).or_fail(execute::UNSUPPORTED, || format!("pass `{}` to a command", show(s)));
    let path =
        |p: &Path| CString::new(p.as_os_str().as_bytes()).or_fail(execute::SANDBOX, || format!("use {}", show(p)));
    let places: Vec<String> = mounts
        .iter()
        .map(|m| m.place.last().map_or_else(String::new, |p| format!("/{}", p.to_string_lossy())))
        .collect();
    let plan = Plan {
        root,
        root_read_only: root_mount.readonly,
        stage: path(&stage)?,
        side: path(&side)?,
        mounts,
        namespaces: world::namespaces(exec),
        hostname: text(if exec.meta.hostname.is_empty() { HOSTNAME } else { &exec.meta.hostname })?,
        lone_network: exec.network == NetMode::None,
        cgroups: world::cgroups(job.meta, &job.report)?,
        limits: limits(exec)?,
        uid: user.uid,
        gid: user.gid,
        groups: user.groups.clone(),
        capabilities: (!insecure).then_some(DEFAULT_CAPABILITIES),
        filter: !insecure,
        cwd: text(&exec.meta.cwd)?,
        programs: programs.iter().map(|p| text(p)).collect::<Result<_>>()?,
        args: exec.meta.args.iter().map(|a| text(a)).collect::<Result<_>>()?,
        env: env.iter().map(|e| text(e)).collect::<Result<_>>()?,
        stdin,
        stdout,
        stderr,
        // A shell needs the terminal, and a terminal its session.
        session: job.talk.is_none(),
    };
    let mut lines = Lines::new(&job.report, secrets(job.session, exec));
    let ended = crate::sandbox::run(plan, pipes, job.cancel, &mut |stream, bytes| lines.take(stream, bytes));
    let tail = lines.finish();
    let ended = ended.or_fail(execute::SANDBOX, || "run a command".to_owned())?;
    stubs.after(root_dir.as_fd());
    drop(root_dir);

    match ended {
        Ended::Cancelled => return Err(SolveError::cancelled()),
        Ended::NotStarted(stage, part, errno) => {
            return Err(not_started(exec, stage, errno, places.get(part as usize)).into());
        }
        Ended::Status(status) => {
            let valid = match &exec.meta.valid_exit_codes[..] {
                [] => status == 0,
                codes => codes.contains(&status),
            };
            if job.talk.is_some() {
                return Ok(Vec::new());
            }
            if !valid {
                let root = held.drafts.drain(..).next().and_then(|(_, draft)| draft.commit("a failed step").ok());
                let at = root.map(|root| {
                    Box::new(Scene { exec: exec.clone(), meta: job.meta.clone(), root, inputs: job.inputs.clone() })
                });
                let diagnostic = Box::new(failed(exec, status));
                return Err(SolveError { vertex: None, exit_code: Some(status), tail, at, diagnostic });
            }
        }
    }
    let description = exec.meta.args.join(" ");
    let mut outputs = std::mem::take(&mut held.kept);
    for (output, draft) in held.drafts.drain(..) {
        if let Some(output) = output {
            outputs.push((output, draft.commit(&description)?));
        }
    }
    outputs.sort_by_key(|(output, _)| *output);
    Ok(outputs)
}

fn input(job: &Job, mount: &Mount) -> Result<Snapshot> {
    match mount.input {
        None => Ok(Snapshot::default()),
        Some(r) => job.inputs.get(&r).cloned().ok_or_else(|| {
            failure(
                rbc_source::environment::INTERNAL,
                format!("the input of the mount at `{}` is not there", mount.dest),
            )
        }),
    }
}

/// The mount of a view, or one of the directory that it is.
fn whole(mount: Option<OwnedFd>, files: &Path) -> Result<OwnedFd> {
    match mount {
        Some(mount) => Ok(mount),
        None => bind(files).or_fail(execute::SANDBOX, || format!("mount {}", show(files))),
    }
}

fn prepare<'a>(job: &Job<'a>, root: BorrowedFd, mount: &Mount, held: &mut Held<'a>) -> Result<Option<PlanMount>> {
    let place = resolve(root, Path::new(&mount.dest), true)
        .or_fail(execute::SANDBOX, || format!("mount something at `{}`", show(&mount.dest)))?
        .path;
    let at = |what: What| {
        PlanMount::new(what, &place).or_fail(execute::SANDBOX, || format!("mount something at `{}`", show(&mount.dest)))
    };
    let read_only = if mount.readonly { RDONLY } else { 0 };
    let selector = clean(&mount.selector);
    let part = |tree: OwnedFd| -> Result<What> {
        if selector.as_os_str().is_empty() {
            return Ok(What::Tree(tree, true));
        }
        let part = CString::new(selector.as_os_str().as_bytes())
            .or_fail(execute::SANDBOX, || format!("mount `{}`", show(&selector)))?;
        Ok(What::Part(tree, part))
    };
    let failed = || format!("prepare the mount at `{}`", show(&mount.dest));
    match &mount.kind {
        MountKind::Bind if mount.readonly => {
            let snapshot = input(job, mount)?;
            if let Some(output) = mount.output {
                held.kept.push((output, snapshot.clone()));
            }
            let (_, own) = job.store.view(&snapshot)?.into_parts();
            let only = snapshot.layers().first();
            let files = only.map_or_else(|| job.store.mount_points().1, |layer| job.store.layer_files(layer));
            let tree = whole(own, &files)?;
            there(tree.as_fd(), &selector, mount)?;
            Ok(Some(at(part(tree)?)?.restricted(read_only)))
        }
        MountKind::Bind => {
            let draft = job.store.draft(input(job, mount)?)?;
            let tree = whole(draft.view()?.into_parts().1, &draft.files())?;
            there(tree.as_fd(), &selector, mount)?;
            held.drafts.push((mount.output, draft));
            Ok(Some(at(part(tree)?)?))
        }
        MountKind::Cache(cache) => {
            let dir = cache_dir(job, mount, &cache.id, cache.sharing, held)?;
            let tree = bind(&dir).or_fail(execute::SANDBOX, failed)?;
            Ok(Some(at(part(tree)?)?.restricted(read_only)))
        }
        MountKind::Tmpfs(options) => {
            let size = u64::try_from(options.size).unwrap_or(0);
            let tree = tmpfs(size, 0o1777, rustix::mount::MountAttrFlags::empty()).or_fail(execute::SANDBOX, failed)?;
            Ok(Some(at(What::Tree(tree, true))?.restricted(NOSUID | read_only)))
        }
        MountKind::Secret(secret) => {
            let Some(value) = job.session.secrets.get(&secret.id) else {
                return missing(secret.optional, "secret", &secret.id).map(|()| None);
            };
            let tree = secret_tree(value, secret.uid, secret.gid, secret.mode).or_fail(execute::SANDBOX, failed)?;
            let no_exec = if secret.mode & 0o111 == 0 { NOEXEC } else { 0 };
            let what = What::Part(tree, c"secret".to_owned());
            Ok(Some(at(what)?.restricted(RDONLY | NOSUID | NODEV | no_exec)))
        }
        MountKind::Ssh(ssh) => {
            let id = if ssh.id.is_empty() { "default" } else { &ssh.id };
            let Some(agent) = job.session.ssh.get(id) else {
                return missing(ssh.optional, "ssh agent", id).map(|()| None);
            };
            let path = job.store.scratch();
            let forward =
                Forward::start(&path, agent, (ssh.uid, ssh.gid, ssh.mode & 0o777)).or_fail(execute::SANDBOX, failed)?;
            held.files.push(path.clone());
            held.forwards.push(forward);
            let tree = bind(&path).or_fail(execute::SANDBOX, failed)?;
            Ok(Some(at(What::Tree(tree, false))?))
        }
    }
}

fn missing(optional: bool, what: &str, id: &str) -> Result<()> {
    if optional {
        return Ok(());
    }
    let found = *failure(execute::SOURCE, format!("the build was not given the {what} `{}`", show(id)));
    Err(Box::new(
        found.note(format!("a step needs it; give it with `--{}`", if what == "secret" { "secret" } else { "ssh" })),
    ))
}

/// That what is selected exists is said here, where it can be said well.
fn there(tree: BorrowedFd, selector: &Path, mount: &Mount) -> Result<()> {
    let found = resolve(tree, selector, true).or_fail(execute::SANDBOX, || format!("find `{}`", show(selector)))?;
    match found.stat {
        Some(_) => Ok(()),
        None => {
            let message = format!("there is no `/{}` to mount at `{}`", show(selector), show(&mount.dest));
            Err(failure(execute::FILES, message))
        }
    }
}

/// A directory that outlives the build. Who may use it alone waits, or gets another.
fn cache_dir(job: &Job, mount: &Mount, id: &str, sharing: CacheSharing, held: &mut Held) -> Result<PathBuf> {
    let base = input(job, mount)?;
    let mut key = format!("cache\n{id}\n");
    if mount.input.is_some() {
        key.push_str(&base.identity().to_string());
    }
    let name = hex(&Digest::of(key.as_bytes()));
    let failed = || format!("use the cache `{}`", show(id));
    for number in 0.. {
        let name = if number == 0 { name.clone() } else { format!("{name}-{number}") };
        let dir = job.store.root().join("caches").join(&name);
        let lock = File::options()
            .create(true)
            .append(true)
            .open(dir.with_extension("lock"))
            .or_fail(execute::STORE, failed)?;
        let mut said = false;
        let got = loop {
            let tried = match sharing {
                CacheSharing::Shared => lock.try_lock_shared(),
                CacheSharing::Private | CacheSharing::Locked => lock.try_lock(),
            };
            match tried {
                Ok(()) => break true,
                Err(std::fs::TryLockError::Error(e)) => return Err(e).or_fail(execute::STORE, failed),
                Err(std::fs::TryLockError::WouldBlock) if sharing == CacheSharing::Private => break false,
                Err(std::fs::TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut said, true) {
                        job.report.status(&format!("waiting for the cache `{}`", show(id)), 0, 0);
                    }
                    if job.cancel.iter().any(|c| c.is_cancelled()) {
                        return Err(SolveError::cancelled().diagnostic);
                    }
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            }
        };
        if got {
            // By this it is known which caches are worth keeping; without it, they seem older than they are.
            let _ = lock.set_modified(std::time::SystemTime::now());
            if !dir.is_dir() {
                make_cache(job, &dir, &base)?;
            }
            held.caches.push(lock);
            return Ok(dir);
        }
    }
    Err(failure(execute::STORE, "there are too many private caches"))
}

/// Begins a cache as a copy of what it shall start from.
fn make_cache(job: &Job, dir: &Path, base: &Snapshot) -> Result<()> {
    let draft = job.store.scratch();
    let failed = || format!("begin a cache in {}", show(dir));
    std::fs::create_dir(&draft).or_fail(execute::STORE, failed)?;
    let to = crate::fs::open_dir(&draft).or_fail(execute::STORE, failed)?;
    rustix::fs::fchmod(&to, Mode::from_raw_mode(0o755)).or_fail(execute::STORE, failed)?;
    if !base.layers().is_empty() {
        let from = job.store.view(base)?;
        let source = crate::file::Source { root: from.root(), tree: None, donor: None };
        crate::file::copy_all(&source, to.as_fd(), job.cancel).map_err(|e| e.diagnostic)?;
    }
    match std::fs::rename(&draft, dir) {
        // Another one was faster.
        Err(_) if dir.is_dir() => Ok(()),
        outcome => outcome.or_fail(execute::STORE, failed),
    }
}

/// A file in memory that holds a secret, which is called `secret`.
fn secret_tree(value: &[u8], uid: u32, gid: u32, mode: u32) -> io::Result<OwnedFd> {
    let tree = tmpfs(0, 0o711, rustix::mount::MountAttrFlags::empty())?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(&tree, c"secret", flags, Mode::from_raw_mode(0o600))?);
    file.write_all(value)?;
    rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
    Ok(tree)
}

/// Makes the working directory if there is none.
fn make_cwd(root: BorrowedFd, cwd: &str, uid: u32, gid: u32) -> Result<()> {
    let make = || -> io::Result<()> {
        let found = resolve(root, Path::new(cwd), true)?;
        if found.stat.is_some() {
            return Ok(());
        }
        let mut dir = root.try_clone_to_owned()?;
        for name in found.path.components() {
            let name = CString::new(name.as_os_str().as_bytes())?;
            let (inner, made) = crate::fs::make_dir(&dir, &name, 0o755)?;
            if made {
                rustix::fs::fchmod(&inner, Mode::from_raw_mode(0o755))?;
                rustix::fs::fchown(&inner, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            }
            dir = inner;
        }
        Ok(())
    };
    make().or_fail(execute::SANDBOX, || format!("make the working directory `{}`", show(cwd)))
}

fn environment(job: &Job, exec: &Exec) -> Result<Vec<String>> {
    let mut env = exec.meta.env.clone();
    if let Some(proxy) = &exec.meta.proxy_env {
        let all = [
            ("HTTP_PROXY", &proxy.http_proxy),
            ("HTTPS_PROXY", &proxy.https_proxy),
            ("FTP_PROXY", &proxy.ftp_proxy),
            ("NO_PROXY", &proxy.no_proxy),
            ("ALL_PROXY", &proxy.all_proxy),
        ];
        for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
            env.push(format!("{name}={value}"));
            env.push(format!("{}={value}", name.to_ascii_lowercase()));
        }
    }
    if !env.iter().any(|e| e.starts_with("PATH=")) {
        env.push(format!("PATH={DEFAULT_PATH}"));
    }
    for secret in &exec.secret_env {
        match job.session.secrets.get(&secret.id) {
            Some(value) => {
                let value = std::str::from_utf8(value).map_err(|_| {
                    failure(
                        execute::UNSUPPORTED,
                        format!("the secret `{}` is not text, and cannot be a variable", show(&secret.id)),
                    )
                })?;
                env.push(format!("{}={value}", secret.name));
            }
            None => missing(secret.optional, "secret", &secret.id)?,
        }
    }
    Ok(env)
}

/// The values that must not be shown.
fn secrets(session: &Session, exec: &Exec) -> Vec<Vec<u8>> {
    let mounted = exec.mounts.iter().filter_map(|m| match &m.kind {
        MountKind::Secret(secret) => Some(&secret.id),
        _ => None,
    });
    let ids = mounted.chain(exec.secret_env.iter().map(|s| &s.id));
    ids.filter_map(|id| session.secrets.get(id)).cloned().collect()
}

/// Where the program of a command may be.
fn programs(args: &[String], env: &[String]) -> Vec<String> {
    let Some(name) = args.first() else { return Vec::new() };
    if name.contains('/') {
        return vec![name.clone()];
    }
    // Of a variable that is set twice the last value holds.
    let path = env.iter().rev().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    path.split(':')
        .filter(|dir| dir.starts_with('/'))
        .map(|dir| format!("{}/{name}", dir.trim_end_matches('/')))
        .collect()
}

fn limits(exec: &Exec) -> Result<Vec<(Resource, Option<u64>, Option<u64>)>> {
    let mut limits = Vec::new();
    for limit in &exec.meta.ulimits {
        let resource = match limit.name.to_ascii_lowercase().as_str() {
            "as" => Resource::As,
            "core" => Resource::Core,
            "cpu" => Resource::Cpu,
            "data" => Resource::Data,
            "fsize" => Resource::Fsize,
            "locks" => Resource::Locks,
            "memlock" => Resource::Memlock,
            "msgqueue" => Resource::Msgqueue,
            "nice" => Resource::Nice,
            "nofile" => Resource::Nofile,
            "nproc" => Resource::Nproc,
            "rss" => Resource::Rss,
            "rtprio" => Resource::Rtprio,
            "rttime" => Resource::Rttime,
            "sigpending" => Resource::Sigpending,
            "stack" => Resource::Stack,
            other => return Err(failure(execute::UNSUPPORTED, format!("there is no ulimit `{}`", show(other)))),
        };
        limits.push((resource, u64::try_from(limit.soft).ok(), u64::try_from(limit.hard).ok()));
    }
    Ok(limits)
}

fn failed(exec: &Exec, status: i32) -> Diagnostic {
    let command = show(exec.meta.args.join(" "));
    let found = Diagnostic::new(execute::STEP, format!("step failed: `{command}` exited with code {status}"));
    match status {
        126 => found.note("126 is what a shell gives if a file is there and cannot be executed"),
        127 => found.note("127 is what a shell gives if there is no such command"),
        129.. => found.note(format!("{status} is 128 and the signal {} that ended it", status - 128)),
        _ => found,
    }
}

fn not_started(exec: &Exec, stage: Stage, errno: i32, place: Option<&String>) -> Box<Diagnostic> {
    let why = reason(&io::Error::from_raw_os_error(errno));
    let program = exec.meta.args.first().map_or_else(String::new, show);
    let found = match stage {
        Stage::Execute => {
            let found = Diagnostic::new(execute::STEP, format!("step failed: `{program}` cannot be executed: {why}"));
            match errno {
                libc::ENOENT if program.contains('/') => {
                    found.note("the file system has no such file, or it has not the interpreter that the file names")
                }
                libc::ENOENT => found.note("no directory in PATH has it"),
                libc::ENOEXEC => {
                    found.note("it is for another architecture, or a script without `#!` in its first line")
                }
                _ => found,
            }
        }
        Stage::Directory => Diagnostic::new(
            execute::STEP,
            format!("step failed: the working directory `{}` cannot be entered: {why}", show(&exec.meta.cwd)),
        ),
        Stage::Mount => Diagnostic::new(
            execute::SANDBOX,
            format!("cannot mount something at `{}`: {why}", place.map_or_else(String::new, show)),
        ),
        Stage::Limits => Diagnostic::new(execute::SANDBOX, format!("cannot set the limits of a command: {why}")),
        Stage::User | Stage::Groups => {
            Diagnostic::new(execute::SANDBOX, format!("cannot become the user `{}`: {why}", show(&exec.meta.user)))
                .note("without subordinate ids (/etc/subuid, newuidmap) there is no user but root")
        }
        other => {
            Diagnostic::new(execute::SANDBOX, format!("cannot set up the sandbox of a command ({other:?}): {why}"))
        }
    };
    Box::new(found)
}

/// Files and directories that are made to be mounted on, and are in no layer.
struct Stubs(Vec<PathBuf>);

impl Stubs {
    /// Notes what is not there yet.
    fn before(root: BorrowedFd, exec: &Exec) -> Stubs {
        let own = ["/etc/resolv.conf", "/etc/hosts"].into_iter();
        let mut missing = Vec::new();
        for dest in own.chain(exec.mounts.iter().map(|m| m.dest.as_str())) {
            let Ok(found) = resolve(root, Path::new(dest), true) else { continue };
            if found.stat.is_some() {
                continue;
            }
            missing.push(found.path.clone());
            if exec.meta.remove_mount_stubs_recursive {
                let above = found.path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty());
                for dir in above.take_while(|dir| rustix::fs::statat(root, *dir, AtFlags::SYMLINK_NOFOLLOW).is_err()) {
                    missing.push(dir.to_owned());
                }
            }
        }
        Stubs(missing)
    }

    /// Removes those that are still empty; the times of what they lie in stay.
    fn after(self, root: BorrowedFd) {
        for path in self.0 {
            // What cannot be removed stays, as a file that the command made would.
            let _ = remove_stub(root, &path);
        }
    }
}

fn remove_stub(root: BorrowedFd, path: &Path) -> io::Result<()> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let dir = open_beneath(root, above, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let name = CString::new(name.as_bytes())?;
    let stat = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if !is_dir && stat.st_size != 0 {
        return Ok(());
    }
    let times = rustix::fs::fstat(&dir)?;
    let flags = if is_dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    rustix::fs::unlinkat(&dir, &name, flags)?;
    let access = (times.st_atime, times.st_atime_nsec as u32);
    crate::fs::set_times(&dir, c".", access, (times.st_mtime, times.st_mtime_nsec as u32))
}
