//! Files below a root that is not ours to trust: every path is resolved inside it.

mod root;
mod tree;

pub(crate) use root::{clean, open_beneath, open_in, resolve};
pub(crate) use tree::{at_path, chown_at, copy_content, list, make_dir, remove, remove_tree, set_times, xattrs};

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// How deep directories may be nested. Each level holds an open directory while a tree is walked.
pub(crate) const DEPTH_MAX: usize = 512;

/// Opens a directory of ours by its path.
pub(crate) fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, DIR_FLAGS, Mode::empty())?)
}

/// Opens a directory by its name in another.
pub(crate) fn open_dir_at(dir: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, name, DIR_FLAGS.union(OFlags::NOFOLLOW), Mode::empty())?)
}

const DIR_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
