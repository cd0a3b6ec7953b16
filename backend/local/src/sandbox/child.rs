//! The life of a sandbox, from the inside.
//!
//! This runs in a copy of a process that had other threads, so nothing here allocates, locks or panics: it makes system
//! calls with what [`Plan`] holds, and reports the first that fails.
//!
//! The first process of the sandbox sets it up, starts the command, and buries whoever loses its parent. When it goes, the
//! kernel kills whoever is left.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};
use rustix::process::{Rlimit, Signal};

use super::plan::{Plan, PlanMount, Stage, What};
use crate::sys;

/// What could not be done: the stage, which part of it, and the error number.
type Step = Result<(), (Stage, u32, i32)>;

/// Pointers for `execve`, made beforehand; both lists end with null.
pub(super) struct Words {
    pub args: Vec<*const libc::c_char>,
    pub env: Vec<*const libc::c_char>,
}

fn at(stage: Stage) -> impl Fn(Errno) -> (Stage, u32, i32) {
    move |e| (stage, 0, e.raw_os_error())
}

/// Sets up the sandbox and runs the command. Does not return.
pub(super) fn run(plan: &Plan, words: &Words, report: BorrowedFd) -> ! {
    let failed = match set_up(plan) {
        Err(failed) => failed,
        Ok(()) => match fork() {
            Err(e) => (Stage::Fork, 0, e),
            Ok(0) => command(plan, words),
            Ok(child) => exit(bury_until(child)),
        },
    };
    tell(report, failed);
    exit(255)
}

fn command(plan: &Plan, words: &Words) -> (Stage, u32, i32) {
    match become_user(plan) {
        Err(failed) => failed,
        Ok(()) => (Stage::Execute, 0, execute(plan, words)),
    }
}

fn tell(report: BorrowedFd, (stage, part, errno): (Stage, u32, i32)) {
    let mut message = [0; 12];
    message[..4].copy_from_slice(&(stage as u32).to_ne_bytes());
    message[4..8].copy_from_slice(&part.to_ne_bytes());
    message[8..].copy_from_slice(&errno.to_ne_bytes());
    // If this fails nobody is left to be told.
    let _ = rustix::io::write(report, &message);
}

fn set_up(plan: &Plan) -> Step {
    rustix::process::umask(Mode::empty());
    // If we are killed, so is the sandbox: the thread that made it waits for it.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // The command is of the same user and must not look into this copy of us.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    for cgroup in &plan.cgroups {
        rustix::io::write(cgroup, b"0").map_err(at(Stage::Cgroup))?;
    }
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change(c"/", private).map_err(at(Stage::Propagation))?;
    attach(plan.root.as_fd(), CWD, &plan.stage).map_err(at(Stage::Root))?;
    for (part, mount) in plan.mounts.iter().enumerate() {
        match mount_one(plan, mount) {
            Err(Errno::NOENT) if mount.optional => {}
            outcome => outcome.map_err(|e| (Stage::Mount, part as u32, e.raw_os_error()))?,
        }
    }
    rustix::process::fchdir(&plan.root).map_err(at(Stage::Pivot))?;
    rustix::process::pivot_root(c".", c".").map_err(at(Stage::Pivot))?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH).map_err(at(Stage::Pivot))?;
    rustix::process::chdir(c"/").map_err(at(Stage::Pivot))?;
    if plan.root_read_only {
        let done = sys::restrict_mount(&plan.root, sys::mount_attr::RDONLY, false);
        done.map_err(|e| (Stage::Root, 0, e.raw_os_error().unwrap_or(0)))?;
    }
    rustix::system::sethostname(plan.hostname.to_bytes()).map_err(at(Stage::Hostname))?;
    if plan.lone_network {
        raise_loopback().map_err(|e| (Stage::Network, 0, e))?;
    }
    for (resource, soft, hard) in &plan.limits {
        let limit = Rlimit { current: *soft, maximum: *hard };
        rustix::process::setrlimit(*resource, limit).map_err(at(Stage::Limits))?;
    }
    Ok(())
}

fn attach(mount: BorrowedFd, dir: BorrowedFd, place: &CStr) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", dir, place, flags)
}

fn mount_one(plan: &Plan, mount: &PlanMount) -> Result<(), Errno> {
    let root = plan.root.as_fd();
    match &mount.what {
        What::Tree(tree, is_dir) => {
            let place = place(root, &mount.place, *is_dir, mount.optional)?;
            restricted(tree.as_fd(), mount.attributes)?;
            attach(tree.as_fd(), place.as_fd(), c"")
        }
        What::Part(whole, part) => {
            attach(whole.as_fd(), CWD, &plan.side)?;
            let part = open_in(whole.as_fd(), part, OFlags::PATH)?;
            let is_dir = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&part)?.st_mode)
                == rustix::fs::FileType::Directory;
            let tree = copy_of(part.as_fd())?;
            let place = place(root, &mount.place, is_dir, mount.optional)?;
            restricted(tree.as_fd(), mount.attributes)?;
            attach(tree.as_fd(), place.as_fd(), c"")?;
            rustix::mount::unmount(&*plan.side, UnmountFlags::DETACH)
        }
        What::Kernel(kind) => {
            let place = place(root, &mount.place, true, mount.optional)?;
            let fs = rustix::mount::fsopen(*kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
            finish(fs, mount.attributes, place)
        }
        What::Terminals => {
            let place = place(root, &mount.place, true, mount.optional)?;
            let fs = rustix::mount::fsopen(c"devpts", FsOpenFlags::FSOPEN_CLOEXEC)?;
            rustix::mount::fsconfig_set_flag(fs.as_fd(), c"newinstance")?;
            rustix::mount::fsconfig_set_string(fs.as_fd(), c"ptmxmode", c"0666")?;
            rustix::mount::fsconfig_set_string(fs.as_fd(), c"mode", c"0620")?;
            // The group of terminals; a user namespace with one id only has none.
            match rustix::mount::fsconfig_set_string(fs.as_fd(), c"gid", c"5") {
                Ok(()) | Err(Errno::INVAL) => {}
                Err(e) => return Err(e),
            }
            finish(fs, mount.attributes, place)
        }
        What::Again => {
            let place = place(root, &mount.place, true, true)?;
            let tree = copy_of(place.as_fd())?;
            restricted(tree.as_fd(), mount.attributes)?;
            attach(tree.as_fd(), place.as_fd(), c"")
        }
    }
}

fn finish(fs: OwnedFd, attributes: u64, place: OwnedFd) -> Result<(), Errno> {
    rustix::mount::fsconfig_create(fs.as_fd())?;
    let tree = rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    restricted(tree.as_fd(), attributes)?;
    attach(tree.as_fd(), place.as_fd(), c"")
}

fn copy_of(tree: BorrowedFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(tree, c"", flags)
}

fn restricted(tree: BorrowedFd, attributes: u64) -> Result<(), Errno> {
    if attributes == 0 {
        return Ok(());
    }
    sys::restrict_mount(tree, attributes, true)
        .map_err(|e| Errno::from_raw_os_error(e.raw_os_error().unwrap_or(libc::EINVAL)))
}

/// Opens the place for a mount inside the root; what is missing is made, unless nothing may be.
fn place(root: BorrowedFd, steps: &[std::ffi::CString], is_dir: bool, only_if_there: bool) -> Result<OwnedFd, Errno> {
    let mut above: Option<OwnedFd> = None;
    for (at, step) in steps.iter().enumerate() {
        let last = at + 1 == steps.len();
        let opened = match open_in(root, step, OFlags::PATH) {
            Err(Errno::NOENT) if !only_if_there => {
                let dir = above.as_ref().map_or(root, |dir| dir.as_fd());
                let full = step.as_bytes_with_nul();
                let begin = full.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
                let name = CStr::from_bytes_with_nul(full.get(begin..).unwrap_or(full)).map_err(|_| Errno::INVAL)?;
                if last && !is_dir {
                    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                    rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o755))?;
                } else {
                    rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755))?;
                }
                open_in(root, step, OFlags::PATH)?
            }
            outcome => outcome?,
        };
        above = Some(opened);
    }
    above.ok_or(Errno::INVAL)
}

fn open_in(root: BorrowedFd, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), how)
}

fn become_user(plan: &Plan) -> Step {
    if plan.session {
        rustix::process::setsid().map_err(at(Stage::Session))?;
    }
    for (from, to) in [(&plan.stdin, 0), (&plan.stdout, 1), (&plan.stderr, 2)] {
        duplicate(from.as_raw_fd(), to).map_err(|e| (Stage::Session, 0, e))?;
    }
    reset_signals();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    if let Some(keep) = plan.capabilities {
        for capability in 0..64_u32 {
            if keep & (1 << capability) == 0 {
                drop_from_bounding_set(capability).map_err(|e| (Stage::Bounding, capability, e))?;
            }
        }
    }
    if plan.filter {
        // Without "no new privileges", for the sake of sudo, this needs CAP_SYS_ADMIN, which goes next.
        install_filter(super::seccomp::filter()).map_err(|e| (Stage::Filter, 0, e))?;
    }
    // So that changing the user takes no capability before it is time.
    keep_capabilities().map_err(|e| (Stage::Capabilities, 0, e))?;
    set_groups(&plan.groups).map_err(|e| (Stage::Groups, 0, e))?;
    set_ids(plan.uid, plan.gid).map_err(|e| (Stage::User, 0, e))?;
    if let Some(keep) = plan.capabilities {
        set_capabilities(keep).map_err(|e| (Stage::Capabilities, 0, e))?;
    } else if plan.uid != 0 {
        set_capabilities(0).map_err(|e| (Stage::Capabilities, 0, e))?;
    }
    rustix::process::chdir(&*plan.cwd).map_err(at(Stage::Directory))?;
    close_the_rest();
    Ok(())
}

/// Executes the first program that is there. Gives the error number if none can be.
fn execute(plan: &Plan, words: &Words) -> i32 {
    let mut worst = libc::ENOENT;
    for program in &plan.programs {
        // SAFETY: the path is a C string, and both lists hold pointers to C strings of the plan, which lives, and end with
        // null.
        unsafe { libc::execve(program.as_ptr(), words.args.as_ptr(), words.env.as_ptr()) };
        match errno() {
            libc::ENOENT | libc::ENOTDIR => {}
            other => {
                worst = other;
                if other != libc::EACCES {
                    break;
                }
            }
        }
    }
    worst
}

fn errno() -> i32 {
    // SAFETY: it gives the address of this thread's error number.
    unsafe { *libc::__errno_location() }
}

fn check(done: libc::c_long) -> Result<(), i32> {
    if done < 0 { Err(errno()) } else { Ok(()) }
}

fn fork() -> Result<libc::pid_t, i32> {
    // SAFETY: without CLONE_VM this is a fork; the child goes on under the same rules as this process.
    match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
        pid if pid < 0 => Err(errno()),
        pid => Ok(pid as libc::pid_t),
    }
}

/// Waits for children until one of them ends, and gives the exit status that a shell would give for it.
fn bury_until(child: libc::pid_t) -> i32 {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a local variable.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if pid == child {
            return if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
        }
        if pid < 0 && errno() != libc::EINTR {
            return 255;
        }
    }
}

fn exit(status: i32) -> ! {
    // SAFETY: it only ends this process, without running what the other threads' process would run at exit.
    unsafe { libc::_exit(status) }
}

fn duplicate(from: RawFd, to: RawFd) -> Result<(), i32> {
    // SAFETY: both are numbers; what was open at `to` is nobody's any more in this process.
    check(unsafe { libc::dup2(from, to) }.into())
}

fn reset_signals() {
    // SAFETY: no handlers are set, only defaults; the set is initialised before it is used.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn drop_from_bounding_set(capability: u32) -> Result<(), i32> {
    // SAFETY: the arguments are numbers.
    match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) }.into()) {
        // There are fewer than 64 capabilities.
        Err(libc::EINVAL) => Ok(()),
        outcome => outcome,
    }
}

fn keep_capabilities() -> Result<(), i32> {
    // SAFETY: the arguments are numbers.
    check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }.into())
}

fn set_groups(groups: &[u32]) -> Result<(), i32> {
    // SAFETY: pointer and length are of one slice. The raw call, because the library's would tell other threads.
    let done = check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) });
    match done {
        // A user namespace with one id only forbids it, and there is one group anyway.
        Err(libc::EPERM) if sys::in_user_namespace() && groups.len() <= 1 => Ok(()),
        outcome => outcome,
    }
}

fn set_ids(uid: u32, gid: u32) -> Result<(), i32> {
    // SAFETY: the arguments are numbers. The raw calls, because the library's would tell other threads.
    unsafe {
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))
    }
}

fn set_capabilities(keep: u64) -> Result<(), i32> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let header = Header { version: 0x2008_0522, pid: 0 };
    let half = |bits: u64| Data { effective: bits as u32, permitted: bits as u32, inheritable: 0 };
    // What we do not have ourselves cannot be kept.
    let mut have = [half(0); 2];
    let data = [half(keep), half(keep >> 32)];
    // SAFETY: header and data have the layouts of version 3 of the interface, which takes two data structures.
    unsafe {
        check(libc::syscall(libc::SYS_capget, &raw const header, have.as_mut_ptr()))?;
        let limited = [and(data[0], have[0]), and(data[1], have[1])];
        return check(libc::syscall(libc::SYS_capset, &raw const header, limited.as_ptr()));
    }
    fn and(a: Data, b: Data) -> Data {
        let bits = a.permitted & b.permitted;
        Data { effective: bits, permitted: bits, inheritable: 0 }
    }
}

fn install_filter(filter: &[libc::sock_filter]) -> Result<(), i32> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    const SET_MODE_FILTER: libc::c_uint = 1;
    // SAFETY: the program points to as many instructions as it says, which the kernel only reads.
    check(unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, 0, &raw const program) })
}

fn raise_loopback() -> Result<(), i32> {
    // SAFETY: the request is a zeroed structure with a name and flags, as the call wants it; the socket is closed.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check(socket.into())?;
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let done = check(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request).into());
        libc::close(socket);
        done
    }
}

/// Whatever else is open does not reach the command.
fn close_the_rest() {
    const ON_EXEC: libc::c_uint = 4;
    // SAFETY: the arguments are numbers; nothing is closed before the program is executed.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, ON_EXEC) };
}
