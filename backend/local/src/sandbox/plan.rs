//! What a sandbox consists of, with everything prepared, so that setting it up needs neither memory nor decisions.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::Resource;

/// A command and the world that it sees.
pub(crate) struct Plan {
    /// The mount of its root file system.
    pub root: OwnedFd,
    pub root_read_only: bool,
    /// Empty directories of ours: to mount the root on, and to mount something on of which a part is wanted.
    pub stage: CString,
    pub side: CString,
    /// What is mounted, in this order.
    pub mounts: Vec<PlanMount>,
    /// New namespaces (`CLONE_NEW*`).
    pub namespaces: u64,
    /// Set in a new UTS namespace.
    pub hostname: CString,
    /// Whether there is a network namespace of its own, in which only the loopback device is.
    pub lone_network: bool,
    /// Files of cgroups by which the command joins them.
    pub cgroups: Vec<OwnedFd>,
    pub limits: Vec<(Resource, Option<u64>, Option<u64>)>,
    pub uid: u32,
    pub gid: u32,
    /// All groups, the main one included.
    pub groups: Vec<u32>,
    /// Capabilities it keeps, as bits; `None` is all that we have.
    pub capabilities: Option<u64>,
    /// Whether system calls are filtered.
    pub filter: bool,
    pub cwd: CString,
    /// The program's path, or where to look for it in this order.
    pub programs: Vec<CString>,
    pub args: Vec<CString>,
    pub env: Vec<CString>,
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// Whether it gets a session of its own, which has no terminal.
    pub session: bool,
}

/// One mount.
pub(crate) struct PlanMount {
    pub what: What,
    /// Where, by the directories that lead there: `a`, `a/b`, `a/b/c`.
    pub place: Vec<CString>,
    /// What to restrict, as `MOUNT_ATTR_*`.
    pub attributes: u64,
    /// Whether it is left out if there is no such place.
    pub optional: bool,
}

/// What is mounted.
pub(crate) enum What {
    /// A mount, as it is; and whether it is a directory.
    Tree(OwnedFd, bool),
    /// A path of a mount.
    Part(OwnedFd, CString),
    /// A file system that belongs to a namespace of the sandbox.
    Kernel(&'static std::ffi::CStr),
    /// The terminals.
    Terminals,
    /// What is at the place already, to be restricted.
    Again,
}

impl PlanMount {
    pub(crate) fn new(what: What, place: &Path) -> io::Result<PlanMount> {
        Ok(PlanMount { what, place: steps(place)?, attributes: 0, optional: false })
    }

    pub(crate) fn restricted(self, attributes: u64) -> PlanMount {
        PlanMount { attributes, ..self }
    }

    pub(crate) fn if_there(self) -> PlanMount {
        PlanMount { optional: true, ..self }
    }
}

/// `a/b/c` as `a`, `a/b`, `a/b/c`.
fn steps(place: &Path) -> io::Result<Vec<CString>> {
    let mut steps: Vec<CString> = Vec::new();
    let mut so_far = Vec::new();
    for part in place.components() {
        if let std::path::Component::Normal(name) = part {
            if !so_far.is_empty() {
                so_far.push(b'/');
            }
            so_far.extend_from_slice(name.as_bytes());
            steps.push(CString::new(so_far.clone())?);
        }
    }
    if steps.is_empty() {
        return Err(io::Error::other("nothing can be mounted over the root"));
    }
    Ok(steps)
}

/// Declares the stages once: as numbers from 1, and as a list.
macro_rules! stages {
    ($first:ident $(, $other:ident)* $(,)?) => {
        /// Where setting up a sandbox failed, as the child reports it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub(crate) enum Stage {
            $first = 1,
            $($other,)*
        }

        const STAGES: &[Stage] = &[Stage::$first $(, Stage::$other)*];
    };
}

stages!(
    Cgroup,
    Propagation,
    Root,
    Mount,
    Pivot,
    Hostname,
    Network,
    Limits,
    Session,
    Bounding,
    Groups,
    Filter,
    User,
    Capabilities,
    Directory,
    Fork,
    Execute,
);

impl Stage {
    pub(crate) fn from_number(number: u32) -> Option<Stage> {
        STAGES.iter().copied().find(|stage| *stage as u32 == number)
    }
}
