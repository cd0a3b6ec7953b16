//! Paths inside a root.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// How many symbolic links a path may lead through, as in the kernel with some room.
const LINKS_MAX: usize = 255;

/// Where a path leads.
pub(crate) struct Found {
    /// The path below the root, without links, `.` and `..`; empty for the root itself.
    pub path: PathBuf,
    /// What is there, if anything.
    pub stat: Option<Stat>,
}

/// Follows `path` inside `root`: absolute links and `..` stay within it, and what does not exist is taken by its letters.
/// The last component is followed if `follow` says so.
///
/// # Errors
/// `ELOOP` for too many links, and what the system says.
pub(crate) fn resolve(root: impl AsFd, path: &Path, follow: bool) -> io::Result<Found> {
    let root = root.as_fd();
    let mut queue: VecDeque<OsString> = components(path.as_os_str());
    let mut found = PathBuf::new();
    let mut stat = None;
    let mut links = 0;
    while let Some(name) = queue.pop_front() {
        if name == ".." {
            found.pop();
            stat = None;
            continue;
        }
        found.push(&name);
        stat = match rustix::fs::statat(root, &found, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT | Errno::NOTDIR) => None,
            Err(e) => return Err(e.into()),
        };
        let is_link = stat.as_ref().is_some_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Symlink);
        if is_link && (follow || !queue.is_empty()) {
            links += 1;
            if links > LINKS_MAX {
                return Err(Errno::LOOP.into());
            }
            let target = OsString::from_vec(rustix::fs::readlinkat(root, &found, Vec::new())?.into_bytes());
            if target.as_bytes().first() == Some(&b'/') {
                found.clear();
            } else {
                found.pop();
            }
            for part in components(&target).into_iter().rev() {
                queue.push_front(part);
            }
            stat = None;
        }
    }
    if stat.is_none() {
        // The root, what `..` or a link led back to, or nothing.
        let at: &Path = if found.as_os_str().is_empty() { Path::new(".") } else { &found };
        stat = rustix::fs::statat(root, at, AtFlags::SYMLINK_NOFOLLOW).ok();
    }
    Ok(Found { path: found, stat })
}

fn components(path: &OsStr) -> VecDeque<OsString> {
    let parts = path.as_bytes().split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".");
    parts.map(|p| OsStr::from_bytes(p).to_owned()).collect()
}

/// A path of a build, which always counts from the root: without `.`, `..` and a leading slash.
pub(crate) fn clean(path: &str) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

/// Opens what [`resolve`] found. A link that has come in its way since then is refused.
pub(crate) fn open_beneath(root: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    open2(root, path, flags, how)
}

/// Opens a path inside a root, following links there.
pub(crate) fn open_in(root: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    open2(root, path, flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

fn open2(root: impl AsFd, path: &Path, flags: OFlags, how: ResolveFlags) -> io::Result<OwnedFd> {
    loop {
        match rustix::fs::openat2(root.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
            // The kernel says so when something was renamed meanwhile.
            Err(Errno::AGAIN | Errno::INTR) => {}
            outcome => return Ok(outcome?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_inside() {
        let folder = Folder::new();
        let root = crate::fs::open_dir(folder.path()).unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        symlink("/a", folder.path().join("abs")).unwrap();
        symlink("../../../../etc", folder.path().join("a/up")).unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        symlink("/gone/x", folder.path().join("dangling")).unwrap();
        let path = |p: &str| resolve(&root, Path::new(p), true).map(|f| f.path.to_str().unwrap().to_owned());
        assert_eq!(path("/abs/b").unwrap(), "a/b");
        assert_eq!(path("abs/up/passwd").unwrap(), "etc/passwd");
        assert_eq!(path("../../a/./b/../b").unwrap(), "a/b");
        assert_eq!(path("dangling/y").unwrap(), "gone/x/y");
        assert_eq!(path("/").unwrap(), "");
        assert!(path("loop").is_err());
        assert_eq!(resolve(&root, Path::new("abs"), false).unwrap().path, Path::new("abs"));
        assert!(resolve(&root, Path::new("a/b/.."), true).unwrap().stat.is_some());
        assert!(open_beneath(&root, Path::new("abs/b"), OFlags::PATH).is_err());
        assert!(open_in(&root, Path::new("a/up"), OFlags::PATH).is_err());
        assert!(open_in(&root, Path::new("abs/b"), OFlags::PATH).is_ok());
        assert_eq!(clean("/a/../../b/./c/"), Path::new("b/c"));
    }
}
