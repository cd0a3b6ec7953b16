//! Files below a directory, whatever names come from elsewhere: no path leads out of it, and no link is followed.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// How deep directories may be nested. Each level holds an open directory while a tree is walked.
pub(super) const DEPTH_MAX: usize = 512;

/// A name in a directory.
pub(super) struct Entry {
    pub name: CString,
    pub kind: FileType,
}

impl Entry {
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(self.name.to_bytes())
    }
}

/// Opens a directory of the user's.
pub(super) fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Opens a directory by its name in another.
pub(super) fn open_dir_at(dir: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?)
}

/// Opens a path below a directory. It must have no links, and not lead out.
pub(super) fn open_beneath(root: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    loop {
        match rustix::fs::openat2(root.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
            // The kernel says so when something was renamed meanwhile.
            Err(Errno::AGAIN | Errno::INTR) => {}
            outcome => return Ok(outcome?),
        }
    }
}

/// What is in a directory, sorted by name.
pub(super) fn list(dir: impl AsFd) -> io::Result<Vec<Entry>> {
    let dir = dir.as_fd();
    let mut entries = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                FileType::from_raw_mode(rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            kind => kind,
        };
        entries.push(Entry { name: name.to_owned(), kind });
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Removes what has a name in a directory, with all that is below it; that there is nothing is fine.
pub(super) fn remove(dir: impl AsFd, name: &CStr, depth: usize) -> io::Result<()> {
    let dir = dir.as_fd();
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) if depth < DEPTH_MAX => {}
        Err(e) => return Err(e.into()),
    }
    let inner = open_dir_at(dir, name)?;
    for entry in list(&inner)? {
        remove(&inner, &entry.name, depth + 1)?;
    }
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}

/// The directory of a path from elsewhere, and its name there, if it is one that stays below: relative, without `.` and `..`.
pub(super) fn parts(path: &str) -> Option<(&Path, CString)> {
    let whole = Path::new(path);
    let normal = whole.components().all(|part| matches!(part, Component::Normal(_)));
    // `a//b`, `a/./b` and `a/` have the same components as others, and are not what a sender writes.
    let plain = path.split('/').all(|part| !part.is_empty() && part != ".");
    if !normal || !plain {
        return None;
    }
    let name = CString::new(whole.file_name()?.as_bytes()).ok()?;
    Some((whole.parent().unwrap_or(Path::new("")), name))
}
