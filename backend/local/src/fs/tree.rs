//! Trees of files, by open directories and names: no path is resolved twice, and none leaves the tree.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, Timespec, Timestamps};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::{DEPTH_MAX, open_dir_at};

/// A name in a directory.
pub(crate) struct Entry {
    pub name: CString,
    pub kind: FileType,
}

impl Entry {
    pub(crate) fn name(&self) -> &OsStr {
        OsStr::from_bytes(self.name.to_bytes())
    }
}

/// What is in a directory, sorted by name.
pub(crate) fn list(dir: impl AsFd) -> io::Result<Vec<Entry>> {
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

/// Makes a directory if there is none, and opens it.
pub(crate) fn make_dir(dir: impl AsFd, name: &CStr, mode: u32) -> io::Result<(OwnedFd, bool)> {
    let made = match rustix::fs::mkdirat(dir.as_fd(), name, Mode::from_raw_mode(mode)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(e) => return Err(e.into()),
    };
    Ok((open_dir_at(dir, name)?, made))
}

/// Removes what has a name in a directory, with all that is below it; that there is nothing is fine.
pub(crate) fn remove(dir: impl AsFd, name: &CStr) -> io::Result<()> {
    remove_at(dir.as_fd(), name, 0)
}

fn remove_at(dir: BorrowedFd, name: &CStr, depth: usize) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e.into()),
    }
    if depth > DEPTH_MAX {
        return remove_deep(dir, name);
    }
    {
        let inner = match open_dir_at(dir, name) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                rustix::fs::chmodat(dir, name, Mode::RWXU, AtFlags::empty())?;
                open_dir_at(dir, name)?
            }
            outcome => outcome?,
        };
        for entry in list(&inner)? {
            remove_at(inner.as_fd(), &entry.name, depth + 1)?;
        }
    }
    match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// A directory nested deeper than we hold open directories: what is below moves up until nothing is.
fn remove_deep(dir: BorrowedFd, name: &CStr) -> io::Result<()> {
    let inner = open_dir_at(dir, name)?;
    let mut count = 0_u64;
    loop {
        let entries = list(&inner)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            match rustix::fs::unlinkat(&inner, &entry.name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(e) => return Err(e.into()),
            }
            let below = open_dir_at(&inner, &entry.name)?;
            for lower in list(&below)? {
                count += 1;
                let place = CString::new(format!(".rbc-removed-{count}"))?;
                rustix::fs::renameat(&below, &lower.name, &inner, &place)?;
            }
            rustix::fs::unlinkat(&inner, &entry.name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}

/// Removes a tree of ours by its path; that there is none is fine.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL.into());
    };
    let parent = match super::open_dir(parent) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        outcome => outcome?,
    };
    remove(parent, &CString::new(name.as_bytes())?)
}

/// Sets the times of what has a name in a directory, in seconds and nanoseconds since 1970; a link's own.
pub(crate) fn set_times(dir: impl AsFd, name: &CStr, access: (i64, u32), change: (i64, u32)) -> io::Result<()> {
    let spec = |(seconds, nanos): (i64, u32)| Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    let times = Timestamps { last_access: spec(access), last_modification: spec(change) };
    Ok(rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Gives what has a name in a directory to a user and a group; a link itself. Where there is only one user, that one
/// keeps it.
pub(crate) fn chown_at(dir: impl AsFd, name: &CStr, uid: u32, gid: u32) -> io::Result<()> {
    let (user, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    match rustix::fs::chownat(dir, name, user, group, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::INVAL | Errno::PERM) if crate::sys::has_one_id() => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Whether files can be cloned, as far as is known.
static CLONES: AtomicBool = AtomicBool::new(true);

/// Copies what is left of a file: as shared blocks where the file system can, inside the kernel otherwise. Gives the
/// number of bytes.
pub(crate) fn copy_content(from: &mut File, to: &mut File) -> io::Result<u64> {
    let size = from.metadata()?.len();
    if CLONES.load(Ordering::Relaxed) {
        match rustix::fs::ioctl_ficlone(&*to, &*from) {
            Ok(()) => return Ok(size),
            // It is a matter of the store's file system, so that it is asked once.
            Err(Errno::OPNOTSUPP | Errno::NOTTY) => CLONES.store(false, Ordering::Relaxed),
            Err(_) => {}
        }
    }
    let mut copied = 0;
    loop {
        match rustix::fs::copy_file_range(&*from, None, &*to, None, 1 << 30) {
            // Files of pseudo file systems say they are empty and are not, so that is looked at.
            Ok(0) if copied > 0 => return Ok(copied),
            Ok(0) => break,
            Ok(n) => {
                copied += n as u64;
                // Who reads a file that grows under its hands sees that by its size.
                if copied == size {
                    return Ok(copied);
                }
            }
            Err(Errno::INTR) => {}
            Err(Errno::NOSYS | Errno::XDEV | Errno::PERM | Errno::IO | Errno::OPNOTSUPP | Errno::INVAL)
                if copied == 0 =>
            {
                break;
            }
            Err(e) => return Err(e.into()),
        }
    }
    let mut buffer = vec![0; 128 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(n) => {
                to.write_all(&buffer[..n])?;
                copied += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The extended attributes of what has a name in a directory, sorted; a file system without them has none.
pub(crate) fn xattrs(dir: impl AsFd, name: &CStr) -> io::Result<Vec<(CString, Vec<u8>)>> {
    let path = at_path(dir, name);
    let mut names = vec![0; 1024];
    let names = loop {
        match rustix::fs::llistxattr(&path, &mut names[..]) {
            Ok(0) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Vec::new()),
            Ok(n) => {
                names.truncate(n);
                break names;
            }
            Err(Errno::RANGE) if names.len() < 1 << 20 => names.resize(names.len() * 8, 0),
            Err(e) => return Err(e.into()),
        }
    };
    let mut found = Vec::new();
    for key in names.split(|b| *b == 0).filter(|k| !k.is_empty()) {
        let key = CString::new(key)?;
        let mut value = vec![0; 256];
        loop {
            match rustix::fs::lgetxattr(&path, &key, &mut value[..]) {
                Ok(n) => {
                    value.truncate(n);
                    found.push((key, value));
                    break;
                }
                Err(Errno::RANGE) if value.len() < 1 << 20 => value.resize(value.len() * 8, 0),
                Err(Errno::NODATA | Errno::OPNOTSUPP) => break,
                Err(e) => return Err(e.into()),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A path for the calls that take no directory: the name in an open directory.
pub(crate) fn at_path(dir: impl AsFd, name: &CStr) -> CString {
    use std::os::fd::AsRawFd;
    let mut path = format!("/proc/self/fd/{}/", dir.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    // A C string has no zero inside, and digits neither.
    CString::new(path).unwrap_or_default()
}
