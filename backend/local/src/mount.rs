//! Mounts that hang nowhere: a file system is mounted, held by a descriptor, and gone when that is closed, so nothing is
//! left behind whenever we are killed. A sandbox moves them to their places in its own mount namespace.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::sys;

/// The most layers that the kernel lays over one another.
pub(crate) const LAYERS_MAX: usize = 500;

/// The longest string that the mount interface takes.
const VALUE_MAX: usize = 255;

/// Layers to be shown as one tree.
pub(crate) struct Overlay<'a> {
    /// The directories below, lowest first.
    pub lower: &'a [PathBuf],
    /// The directory that takes changes and an empty one beside it that the kernel works in; `None` is read-only.
    pub upper: Option<(&'a Path, &'a Path)>,
}

impl Overlay<'_> {
    /// Mounts it.
    ///
    /// # Errors
    /// What the system says; `EINVAL` also where a directory cannot be part of an overlay.
    pub(crate) fn mount(&self) -> io::Result<OwnedFd> {
        let fs = rustix::mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        // Paths that are too long are given by descriptors, which must live until the end.
        let mut held = Vec::new();
        let mut set = |key: &str, path: &Path| -> io::Result<()> {
            let mut value = path.as_os_str().as_bytes().to_vec();
            if value.len() > VALUE_MAX {
                let dir = rustix::fs::openat(
                    CWD,
                    path,
                    rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
                    rustix::fs::Mode::empty(),
                )?;
                value = format!("/proc/self/fd/{}", dir.as_raw_fd()).into_bytes();
                held.push(dir);
            }
            Ok(rustix::mount::fsconfig_set_string(fs.as_fd(), key, CString::new(value)?)?)
        };
        for layer in self.lower.iter().rev() {
            set("lowerdir+", layer)?;
        }
        if let Some((upper, work)) = self.upper {
            set("upperdir", upper)?;
            set("workdir", work)?;
            // What a command wrote is used only when whole, so its calls of fsync buy nothing.
            rustix::mount::fsconfig_set_flag(fs.as_fd(), "volatile")?;
        }
        // A layer must mean the same wherever it is used, so nothing in it may point to what was below.
        for (key, value) in [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off"), ("xino", "off")] {
            match rustix::mount::fsconfig_set_string(fs.as_fd(), key, value) {
                // Without privileges some cannot be set, and are off.
                Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
                Err(e) => return Err(e.into()),
            }
        }
        if sys::in_user_namespace() {
            rustix::mount::fsconfig_set_flag(fs.as_fd(), "userxattr")?;
        }
        finish(fs, MountAttrFlags::empty())
    }
}

/// Mounts an empty file system in memory. `size` is in bytes, 0 for the system's default.
pub(crate) fn tmpfs(size: u64, mode: u32, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let fs = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(fs.as_fd(), "mode", format!("{mode:o}"))?;
    if size > 0 {
        rustix::mount::fsconfig_set_string(fs.as_fd(), "size", size.to_string())?;
    }
    finish(fs, attributes)
}

fn finish(fs: OwnedFd, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    rustix::mount::fsconfig_create(fs.as_fd())?;
    Ok(rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// A second view of a file or directory, with what is mounted below it.
pub(crate) fn bind(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    Ok(rustix::mount::open_tree(CWD, path, flags)?)
}
