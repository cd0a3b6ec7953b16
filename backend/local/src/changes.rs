//! Comparing two trees.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, XattrFlags};

use crate::fs::{DEPTH_MAX, at_path, chown_at, copy_content, list, make_dir, open_dir_at, set_times, xattrs};
use crate::store::{is_overlay_attribute, make_whiteout};

/// Writes what `upper` adds to `lower` to a directory, as a layer.
pub(crate) fn write(lower: BorrowedFd, upper: BorrowedFd, to: BorrowedFd) -> io::Result<()> {
    directory(Some(lower), Some(upper), to, 0).map(|_| ())
}

/// Compares two directories, either of which may be missing. Says whether there was a change.
fn directory(lower: Option<BorrowedFd>, upper: Option<BorrowedFd>, to: BorrowedFd, depth: usize) -> io::Result<bool> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other("directories are nested too deep"));
    }
    let mut names: BTreeMap<CString, (bool, bool)> = BTreeMap::new();
    for entry in lower.map_or_else(|| Ok(Vec::new()), list)? {
        names.entry(entry.name).or_default().0 = true;
    }
    for entry in upper.map_or_else(|| Ok(Vec::new()), list)? {
        names.entry(entry.name).or_default().1 = true;
    }
    let mut changed = false;
    for (name, (in_lower, in_upper)) in names {
        let lower = lower.filter(|_| in_lower);
        let upper = upper.filter(|_| in_upper);
        changed |= entry(lower, upper, to, &name, depth)?;
    }
    Ok(changed)
}

fn entry(
    lower: Option<BorrowedFd>,
    upper: Option<BorrowedFd>,
    to: BorrowedFd,
    name: &CStr,
    depth: usize,
) -> io::Result<bool> {
    let stat = |dir: BorrowedFd| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    let Some(upper) = upper else {
        make_whiteout(to, name)?;
        return Ok(true);
    };
    let new = stat(upper)?;
    let old = lower.map(stat).transpose()?;
    let is_dir = |s: &Stat| FileType::from_raw_mode(s.st_mode) == FileType::Directory;
    if !is_dir(&new) {
        if let (Some(old), Some(lower)) = (&old, lower)
            && same(old, &new)
            && equal(lower, upper, name)?
        {
            return Ok(false);
        }
        copy_one(upper, name, &new, to)?;
        return Ok(true);
    }
    let lower_dir = match (&old, lower) {
        (Some(old), Some(lower)) if is_dir(old) => Some(open_dir_at(lower, name)?),
        _ => None,
    };
    let upper_dir = open_dir_at(upper, name)?;
    let (made, _) = make_dir(to, name, 0o700)?;
    let below = directory(lower_dir.as_ref().map(AsFd::as_fd), Some(upper_dir.as_fd()), made.as_fd(), depth + 1)?;
    let own = lower_dir.is_none() || old.as_ref().is_none_or(|old| !same_attributes(old, &new));
    if !below && !own {
        rustix::fs::unlinkat(to, name, AtFlags::REMOVEDIR)?;
        return Ok(false);
    }
    attributes(upper, name, &new, to)?;
    Ok(true)
}

/// Whether two files are alike as far as their attributes tell.
fn same(a: &Stat, b: &Stat) -> bool {
    same_attributes(a, b)
        && a.st_size == b.st_size
        && (a.st_mtime, a.st_mtime_nsec) == (b.st_mtime, b.st_mtime_nsec)
        && a.st_rdev == b.st_rdev
}

fn same_attributes(a: &Stat, b: &Stat) -> bool {
    (a.st_mode, a.st_uid, a.st_gid) == (b.st_mode, b.st_uid, b.st_gid)
}

fn equal(a: BorrowedFd, b: BorrowedFd, name: &CStr) -> io::Result<bool> {
    if xattrs(a, name)? != xattrs(b, name)? {
        return Ok(false);
    }
    let kind = FileType::from_raw_mode(rustix::fs::statat(a, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
    match kind {
        FileType::Symlink => {
            Ok(rustix::fs::readlinkat(a, name, Vec::new())? == rustix::fs::readlinkat(b, name, Vec::new())?)
        }
        FileType::RegularFile => {
            let open = |dir| {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                rustix::fs::openat(dir, name, flags, Mode::empty()).map(File::from)
            };
            equal_contents(open(a)?, open(b)?)
        }
        _ => Ok(true),
    }
}

fn equal_contents(mut a: File, mut b: File) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let n = a.read(&mut left)?;
        if n == 0 {
            return Ok(b.read(&mut right)? == 0);
        }
        match b.read_exact(&mut right[..n]) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            outcome => outcome?,
        }
        if left[..n] != right[..n] {
            return Ok(false);
        }
    }
}

fn copy_one(from: BorrowedFd, name: &CStr, stat: &Stat, to: BorrowedFd) -> io::Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut read = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut write = File::from(rustix::fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR)?);
            copy_content(&mut read, &mut write)?;
        }
        FileType::Symlink => rustix::fs::symlinkat(rustix::fs::readlinkat(from, name, Vec::new())?, to, name)?,
        FileType::Socket => return Ok(()),
        kind => rustix::fs::mknodat(to, name, kind, Mode::RUSR | Mode::WUSR, stat.st_rdev)?,
    }
    attributes(from, name, stat, to)
}

fn attributes(from: BorrowedFd, name: &CStr, stat: &Stat, to: BorrowedFd) -> io::Result<()> {
    chown_at(to, name, stat.st_uid, stat.st_gid)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        rustix::fs::chmodat(to, name, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    }
    for (key, value) in xattrs(from, name)? {
        if !is_overlay_attribute(&key) {
            let _ = rustix::fs::lsetxattr(at_path(to, name), &key, &value, XattrFlags::empty());
        }
    }
    let access = (stat.st_atime, stat.st_atime_nsec as u32);
    set_times(to, name, access, (stat.st_mtime, stat.st_mtime_nsec as u32))
}
