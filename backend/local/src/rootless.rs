//! Building without being root.
//!
//! A process that enters a user namespace of its own is root there: it may mount overlays, make other namespaces, and give
//! files to other users, as far as it has ids to give. With subordinate ids (`/etc/subuid`, `/etc/subgid`, and the programs
//! `newuidmap` and `newgidmap`) it has tens of thousands; without, only its own, and then all files belong to root.

use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use rbc_source::execute;
use rustix::thread::UnshareFlags;

use crate::error::{Fail, Result, failure};

/// Who this process is afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Root, as it was before.
    Root,
    /// Root in a user namespace with subordinate ids.
    Mapped,
    /// Root in a user namespace in which there is nobody else.
    Alone,
}

/// Makes this process root in a namespace of its own, unless it is root. It must have no other thread yet, so this belongs at
/// the beginning of `main`. With `subordinate`, subordinate ids are used if there are any.
///
/// # Errors
/// E0812 if the system does not allow user namespaces, or other threads run.
pub fn enter(subordinate: bool) -> Result<Identity> {
    if rustix::process::geteuid().is_root() {
        return Ok(Identity::Root);
    }
    let tasks =
        fs::read_dir("/proc/self/task").or_fail(execute::SANDBOX, || "count the threads of this process".to_owned())?;
    if tasks.count() != 1 {
        return Err(failure(
            rbc_source::environment::INTERNAL,
            "a user namespace is entered too late: other threads run",
        ));
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // The programs that write the maps must run outside, so they are started before and wait for a line.
    let mut helper = match ranges(uid).filter(|_| subordinate) {
        Some(ranges) => start_helper(uid, gid, &ranges).ok(),
        None => None,
    };
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNS;
    // SAFETY: only the user and the mount namespace change; open files stay what they are, and there is no other thread.
    let entered = unsafe { rustix::thread::unshare_unsafe(flags) };
    if let Err(e) = entered {
        if let Some(mut helper) = helper {
            let _ = helper.kill();
            let _ = helper.wait();
        }
        let found =
            *failure(execute::SANDBOX, format!("cannot make a user namespace: {}", crate::error::reason(&e.into())));
        return Err(Box::new(
            found
                .note("without root, building needs user namespaces: see kernel.unprivileged_userns_clone, user.max_user_namespaces")
                .note("on Ubuntu, an AppArmor profile must allow them: see kernel.apparmor_restrict_unprivileged_userns"),
        ));
    }
    if let Some(helper) = &mut helper {
        let told = helper.stdin.take().map(|mut stdin| stdin.write_all(b"go\n"));
        let done = told.is_some_and(|t| t.is_ok()) && helper.wait().is_ok_and(|status| status.success());
        if done {
            return Ok(Identity::Mapped);
        }
    }
    let write = || -> io::Result<()> {
        // Without this, who has one group could leave the others, which may be what keeps him out.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {uid} 1\n"))?;
        fs::write("/proc/self/gid_map", format!("0 {gid} 1\n"))
    };
    write().or_fail(execute::SANDBOX, || "map this user to root in a user namespace".to_owned())?;
    Ok(Identity::Alone)
}

/// The first range of subordinate user ids and of group ids: where it begins and how many there are.
fn ranges(uid: u32) -> Option<[(u32, u32); 2]> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let number = uid.to_string();
    let range = |file: &str| -> Option<(u32, u32)> {
        fs::read_to_string(file).ok()?.lines().find_map(|line| {
            let mut fields = line.split(':');
            let who = fields.next()?;
            let (begin, count) = (fields.next()?.parse().ok()?, fields.next()?.trim().parse().ok()?);
            (who == number || Some(who) == name.as_deref()).then_some((begin, count))
        })
    };
    Some([range("/etc/subuid")?, range("/etc/subgid")?])
}

/// Starts a shell that maps the ids of this process as soon as it is told to.
fn start_helper(uid: u32, gid: u32, [uids, gids]: &[(u32, u32); 2]) -> io::Result<std::process::Child> {
    let pid = std::process::id();
    let map =
        |program: &str, own: u32, (begin, count): (u32, u32)| format!("{program} {pid} 0 {own} 1 1 {begin} {count}");
    let script = format!("read line && {} && {}", map("newuidmap", uid, *uids), map("newgidmap", gid, *gids));
    Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
