//! System calls that no library gives, and facts about this process. The only unsafe code besides the sandbox's child.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::Errno;

/// Whether we are in a user namespace that is not the first, where some things are not allowed even to root.
pub(crate) fn in_user_namespace() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let mut words = map.split_ascii_whitespace();
        map.is_empty() || [words.next(), words.next(), words.next()] != [Some("0"), Some("0"), Some("4294967295")]
    })
}

/// Whether there is but one user and one group here: a user namespace without subordinate ids.
pub(crate) fn has_one_id() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let counts = map.lines().map(|line| line.split_ascii_whitespace().nth(2).and_then(|n| n.parse::<u64>().ok()));
        counts.map(|n| n.unwrap_or(0)).sum::<u64>() == 1
    })
}

/// Which start of the machine this is.
pub(crate) fn boot_id() -> &'static str {
    static KNOWN: OnceLock<String> = OnceLock::new();
    KNOWN.get_or_init(|| fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned())
}

/// Bytes that nobody can guess, as hexadecimal digits.
pub(crate) fn random_name() -> String {
    let mut bytes = [0_u8; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            Err(Errno::INTR) => {}
            // Without the call (Linux before 3.17) nothing else of this crate would work.
            Err(_) => break,
        }
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// As many open files as we may have: layers and directories are held open.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// Flags of [`restrict_mount`].
pub(crate) mod mount_attr {
    pub(crate) const RDONLY: u64 = 0x1;
    pub(crate) const NOSUID: u64 = 0x2;
    pub(crate) const NODEV: u64 = 0x4;
    pub(crate) const NOEXEC: u64 = 0x8;
}

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Adds restrictions to a mount, and to those below it if `below` says so. Allocates nothing.
pub(crate) fn restrict_mount(mount: impl AsFd, attributes: u64, below: bool) -> io::Result<()> {
    let attr = MountAttr { set: attributes, clear: 0, propagation: 0, userns_fd: 0 };
    const AT_EMPTY_PATH: libc::c_long = 0x1000;
    const AT_RECURSIVE: libc::c_long = 0x8000;
    let empty: &CStr = c"";
    // SAFETY: the path is a C string and `attr` has the layout and the size that are passed; both outlive the call, which
    // keeps neither.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            empty.as_ptr(),
            if below { AT_EMPTY_PATH | AT_RECURSIVE } else { AT_EMPTY_PATH },
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `struct clone_args` of `clone3(2)`, its first version with the cgroup field.
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The two sides of [`clone`].
pub(crate) enum Cloned {
    Parent { pidfd: OwnedFd },
    Child,
}

/// Makes a process like this one, in new namespaces (`CLONE_NEW*`).
///
/// # Safety
/// This process has other threads, and the child has only this one: until it executes a program or exits, the child may
/// call only what is safe in a signal handler. So it must not allocate, take a lock or panic.
pub(crate) unsafe fn clone(namespaces: u64) -> io::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    let args = CloneArgs {
        flags: namespaces | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the arguments have the layout and size passed, and live until the call returns; no stack is given and memory
    // is not shared, so the child goes on with a copy of this stack. What it may do then is the caller's promise.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match pid {
        0 => Ok(Cloned::Child),
        1.. => {
            // SAFETY: the kernel has just stored a new descriptor there, which nobody else owns.
            Ok(Cloned::Parent { pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
        }
        _ => Err(io::Error::last_os_error()),
    }
}
