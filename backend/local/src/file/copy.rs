//! Copying: BuildKit's `cp -a`, with patterns, owners and modes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rbc_context::{MatchInfo, Matcher};
use rbc_ir::Copy;
use rbc_source::{Diagnostic, execute};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::mode::Symbolic;
use super::{Owner, Source, kind, make_all, open_resolved, set_owner, split, time, unpack, wildcards};
use crate::Cancel;
use crate::error::{failure, reason, show};
use crate::fs::{DEPTH_MAX, clean, copy_content, list, open_dir_at, remove, resolve, set_times, xattrs};
use crate::session::SolveError;
use crate::store::is_overlay_attribute;

/// How modes change.
enum Modes {
    Keep,
    Set(u32),
    Change(Symbolic),
}

struct Copier<'a> {
    source: &'a Source<'a>,
    /// The root of what is copied to.
    root: BorrowedFd<'a>,
    owner: Owner,
    modes: Modes,
    time: Option<(i64, u32)>,
    include: Option<Matcher>,
    exclude: Option<Matcher>,
    replace: bool,
    cancel: &'a [&'a Cancel],
    /// Where the first of several names of a file was copied to.
    links: RefCell<HashMap<(u64, u64), PathBuf>>,
    /// Where we are: below the root of the source, below what is copied, and below the root of the target.
    from: PathBuf,
    inside: PathBuf,
    to: PathBuf,
    /// The directories that lead here, outermost first.
    above: Vec<Above>,
}

/// A directory that is being copied. It is made when something in it is.
struct Above {
    from: OwnedFd,
    stat: Stat,
    name: CString,
    to: Option<OwnedFd>,
    /// Whether it was made here, and what is in it is ours.
    fresh: bool,
    /// Whether owner, mode and times are to be set when all is copied.
    finish: bool,
}

/// How a copy fails: with a path, or by being cancelled.
enum Fault {
    Io(PathBuf, io::Error),
    Said(Box<Diagnostic>),
    Cancelled,
}

impl From<Box<Diagnostic>> for Fault {
    fn from(d: Box<Diagnostic>) -> Self {
        Fault::Said(d)
    }
}

type Try<T> = std::result::Result<T, Fault>;

/// Runs a copy action.
pub(crate) fn run(
    source: &Source,
    root: BorrowedFd,
    copy: &Copy,
    owner: Owner,
    cancel: &[&Cancel],
) -> std::result::Result<(), SolveError> {
    copy_action(source, root, copy, owner, cancel).map_err(|fault| match fault {
        Fault::Cancelled => SolveError::cancelled(),
        Fault::Said(diagnostic) => diagnostic.into(),
        Fault::Io(path, e) => {
            let (src, dest) = (show(&copy.src), show(&copy.dest));
            let message = format!("cannot copy `{src}` to `{dest}`: `/{}`: {}", show(path), reason(&e));
            failure(execute::FILES, message).into()
        }
    })
}

/// Copies all that is in a source to a directory, as it is.
pub(crate) fn copy_all(source: &Source, to: BorrowedFd, cancel: &[&Cancel]) -> std::result::Result<(), SolveError> {
    let mut action = Copy::new("/", "/");
    action.dir_copy_contents = true;
    run(source, to, &action, None, cancel)
}

fn copy_action(source: &Source, root: BorrowedFd, copy: &Copy, owner: Owner, cancel: &[&Cancel]) -> Try<()> {
    if !copy.create_dest_path {
        let found = resolve(root, &clean(&copy.dest), true).map_err(at(&copy.dest))?;
        let above = found.path.parent().unwrap_or(Path::new(""));
        let there = above.as_os_str().is_empty() || rustix::fs::statat(root, above, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        if !there {
            let message = format!("cannot copy to `{}`: there is no directory `/{}`", show(&copy.dest), show(above));
            Err(failure(execute::FILES, message))?;
        }
    }
    for path in &copy.required_paths {
        let found = resolve(source.root, &clean(path), true).map_err(at(path))?;
        if found.stat.is_none() || !source.has(&found.path) {
            Err(absent(path, source))?;
        }
    }
    let paths = if copy.allow_wildcard {
        let found = wildcards(source, &copy.src, copy.follow_symlink).map_err(at(&copy.src))?;
        if found.is_empty() {
            if copy.allow_empty_wildcard {
                return Ok(());
            }
            let message = format!("nothing matches `{}`", show(&copy.src));
            Err(failure(execute::FILES, message))?;
        }
        found
    } else {
        vec![clean(&copy.src)]
    };
    for path in paths {
        if copy.attempt_unpack && unpack::unpack(source, &path, root, copy, owner)? {
            continue;
        }
        one(source, &path, root, copy, owner, cancel)?;
    }
    Ok(())
}

fn at<P: AsRef<Path>>(path: P) -> impl FnOnce(io::Error) -> Fault {
    let path = clean(&path.as_ref().to_string_lossy());
    move |e| Fault::Io(path, e)
}

fn absent(path: impl AsRef<Path>, source: &Source) -> Box<Diagnostic> {
    let path = path.as_ref();
    let found =
        *failure(execute::FILES, format!("there is no `/{}` to copy", show(path.strip_prefix("/").unwrap_or(path))));
    let beneath = clean(&path.to_string_lossy());
    let there = || resolve(source.root, &beneath, false).is_ok_and(|f| f.stat.is_some());
    Box::new(match source.tree {
        Some(tree) if there() => {
            found.note(format!("it is there, and an exclusion of the directory {} leaves it out", show(tree.root())))
        }
        Some(tree) => found.note(format!("it was looked for in {}", show(tree.root()))),
        None => found,
    })
}

/// Copies one path.
fn one(source: &Source, path: &Path, root: BorrowedFd, copy: &Copy, owner: Owner, cancel: &[&Cancel]) -> Try<()> {
    let modes = match (&copy.mode_str[..], copy.mode) {
        ("", -1) => Modes::Keep,
        ("", mode) => Modes::Set(mode as u32 & 0o7777),
        (text, _) => Modes::Change(Symbolic::parse(text).ok_or_else(|| {
            failure(execute::FILES, format!("`{}` is no mode", show(text)))
                .note_boxed("write it as for chmod, such as `u=rwX,go=rX`")
        })?),
    };
    let folder_mode = if let Modes::Set(mode) = modes { mode & 0o777 } else { 0o755 };
    let time = time(copy.timestamp);
    let matcher = |patterns: &[String]| -> Try<Option<Matcher>> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let made = Matcher::new(patterns);
        Ok(Some(made.map_err(|e| failure(execute::FILES, format!("cannot copy `{}`: {e}", show(&copy.src))))?))
    };
    let make = |path: &Path| make_all(root, path, folder_mode, owner, time).map_err(at(path));

    // A destination that ends with a slash is a directory; of another one all but the last name are.
    let ends_open = copy.dest.ends_with('/') || copy.dest.ends_with("/.");
    let dest = clean(&copy.dest);
    let needed = if ends_open { &dest } else { dest.parent().unwrap_or(Path::new("")) };
    let mut created = make(&resolve(root, needed, true).map_err(at(needed))?.path)?;

    let mut to = resolve(root, &dest, true).map_err(at(&dest))?;
    let from = resolve(source.root, path, copy.follow_symlink).map_err(at(path))?;
    let stat = match from.stat {
        Some(stat) if source.has(&from.path) => stat,
        _ => Err(absent(path, source))?,
    };
    let is_dir = kind(&stat) == FileType::Directory;
    let to_dir = to.stat.as_ref().map(|s| kind(s) == FileType::Directory);
    if (is_dir && !copy.dir_copy_contents && to_dir.is_some()) || (!is_dir && to_dir == Some(true)) {
        // The name is the one that was written, not that of what it leads to.
        if let Some(name) = path.file_name() {
            to.path.push(name);
        }
    }
    let target = if is_dir && copy.dir_copy_contents && to_dir.is_none() {
        to.path.clone()
    } else {
        to.path.parent().unwrap_or(Path::new("")).to_owned()
    };
    created.extend(make(&target)?);

    let mut copier = Copier {
        source,
        root,
        owner,
        modes,
        time,
        include: matcher(&copy.include_patterns)?,
        exclude: matcher(&copy.exclude_patterns)?,
        replace: copy.always_replace_existing_dest_paths,
        cancel,
        links: RefCell::default(),
        from: from.path.clone(),
        inside: PathBuf::new(),
        to: to.path.clone(),
        above: Vec::new(),
    };
    copier.top(stat)?;
    if let Some(time) = time {
        for dir in created.iter().rev() {
            let (parent, name) = split(root, dir).map_err(at(dir))?;
            set_times(&parent, &name, time, time).map_err(at(dir))?;
        }
    }
    Ok(())
}

/// Adds a note in place.
trait Noted {
    fn note_boxed(self, note: &str) -> Self;
}

impl Noted for Box<Diagnostic> {
    fn note_boxed(self, note: &str) -> Self {
        Box::new((*self).note(note))
    }
}

impl Copier<'_> {
    fn fault(&self, e: impl Into<io::Error>) -> Fault {
        Fault::Io(self.from.clone(), e.into())
    }

    /// Copies what is at the paths that we begin with.
    fn top(&mut self, stat: Stat) -> Try<()> {
        let is_dir = kind(&stat) == FileType::Directory;
        if !is_dir {
            let (from, name) = split(self.source.root, &self.from).map_err(|e| self.fault(e))?;
            let (to, to_name) = match split(self.root, &self.to) {
                // A file over the root of a file system.
                Err(_) if self.to.as_os_str().is_empty() => return Err(self.fault(Errno::ISDIR)),
                outcome => outcome.map_err(|e| self.fault(e))?,
            };
            return self.file(from.as_fd(), &name, stat, to.as_fd(), &to_name, false);
        }
        let from = open_resolved(self.source.root, &self.from).map_err(|e| self.fault(e))?;
        let there = self.target_stat()?;
        let (made, to) = match &there {
            Some(s) if kind(s) == FileType::Directory => {
                (false, open_resolved(self.root, &self.to).map_err(|e| self.fault(e))?)
            }
            Some(_) if !self.replace => return Err(self.fault(Errno::NOTDIR)),
            _ => {
                let (dir, name) = split(self.root, &self.to).map_err(|e| self.fault(e))?;
                if there.is_some() {
                    remove(&dir, &name).map_err(|e| self.fault(e))?;
                }
                rustix::fs::mkdirat(&dir, &name, Mode::RWXU).map_err(|e| self.fault(e))?;
                (true, open_dir_at(&dir, &name).map_err(|e| self.fault(e))?)
            }
        };
        self.above.push(Above { from, stat, name: c".".to_owned(), to: Some(to), fresh: made, finish: false });
        self.directory(MatchInfo::default(), MatchInfo::default())?;
        let Some(top) = self.above.pop() else { return Ok(()) };
        let Some(to) = top.to else { return Ok(()) };
        if made {
            self.attributes(top.from.as_fd(), c".", &top.stat, to.as_fd(), c".")
        } else {
            // What was there keeps its owner and mode, and gets the times of what was copied into it.
            self.times(&top.stat, to.as_fd(), c".")
        }
    }

    fn target_stat(&self) -> Try<Option<Stat>> {
        let at: &Path = if self.to.as_os_str().is_empty() { Path::new(".") } else { &self.to };
        match rustix::fs::statat(self.root, at, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(self.fault(e)),
        }
    }

    /// Copies what is in the innermost directory.
    fn directory(&mut self, include: MatchInfo, exclude: MatchInfo) -> Try<()> {
        if self.above.len() > DEPTH_MAX {
            return Err(self.fault(io::Error::other("directories are nested too deep")));
        }
        let Some(here) = self.above.last() else { return Ok(()) };
        let entries = list(&here.from).map_err(|e| self.fault(e))?;
        for entry in entries {
            self.from.push(entry.name());
            self.inside.push(entry.name());
            self.to.push(entry.name());
            let done = if self.source.has(&self.from) { self.entry(&entry.name, &include, &exclude) } else { Ok(()) };
            // After a failure the path says where.
            done?;
            self.from.pop();
            self.inside.pop();
            self.to.pop();
        }
        Ok(())
    }

    fn entry(&mut self, name: &CStr, include: &MatchInfo, exclude: &MatchInfo) -> Try<()> {
        if self.cancel.iter().any(|c| c.is_cancelled()) {
            return Err(Fault::Cancelled);
        }
        let path = self.inside.to_string_lossy();
        let bad = |e| Fault::Said(failure(execute::FILES, format!("a pattern cannot be matched: {e}")));
        let (included, include) = match &self.include {
            None => (true, MatchInfo::default()),
            Some(m) => m.matches_using_parent_results(&path, include).map_err(bad)?,
        };
        let (excluded, exclude) = match &self.exclude {
            None => (false, MatchInfo::default()),
            Some(m) => m.matches_using_parent_results(&path, exclude).map_err(bad)?,
        };
        let wanted = included && !excluded;
        let pardons = self.exclude.as_ref().is_some_and(Matcher::exclusions);
        let Some(here) = self.above.last() else { return Ok(()) };
        let stat = rustix::fs::statat(&here.from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| self.fault(e))?;
        if kind(&stat) != FileType::Directory {
            if !wanted {
                return Ok(());
            }
            self.make_above()?;
            let Some(Above { from, to: Some(to), fresh, .. }) = self.above.last() else { return Ok(()) };
            return self.file(from.as_fd(), name, stat, to.as_fd(), name, *fresh);
        }
        if excluded && !pardons {
            return Ok(());
        }
        let from = open_dir_at(&here.from, name).map_err(|e| self.fault(e))?;
        self.above.push(Above { from, stat, name: name.to_owned(), to: None, fresh: false, finish: false });
        if wanted {
            self.make_above()?;
        }
        self.directory(include, exclude)?;
        let Some(done) = self.above.pop() else { return Ok(()) };
        match (done.to, done.finish || wanted) {
            (Some(to), true) => self.attributes(done.from.as_fd(), c".", &done.stat, to.as_fd(), c"."),
            _ => Ok(()),
        }
    }

    /// Makes the directories that lead here and are not there yet.
    fn make_above(&mut self) -> Try<()> {
        for at in 1..self.above.len() {
            if self.above[at].to.is_some() {
                continue;
            }
            let Some(parent) = self.above[at - 1].to.as_ref() else { continue };
            let name = self.above[at].name.clone();
            let make = || -> io::Result<(OwnedFd, bool)> {
                loop {
                    match rustix::fs::mkdirat(parent, &name, Mode::RWXU) {
                        Ok(()) => return Ok((open_dir_at(parent, &name)?, true)),
                        Err(Errno::EXIST) => match open_dir_at(parent, &name) {
                            Err(e) if self.replace && is_other(&e) => remove(parent, &name)?,
                            outcome => return Ok((outcome?, false)),
                        },
                        Err(e) => return Err(e.into()),
                    }
                }
            };
            let (to, fresh) = make().map_err(|e| self.fault(e))?;
            let above = &mut self.above[at];
            (above.to, above.fresh, above.finish) = (Some(to), fresh, fresh);
        }
        Ok(())
    }

    /// Copies what is no directory.
    fn file(&self, from: BorrowedFd, name: &CStr, stat: Stat, to: BorrowedFd, to_name: &CStr, fresh: bool) -> Try<()> {
        if !fresh {
            self.clear(to, to_name)?;
        }
        match kind(&stat) {
            FileType::RegularFile => {
                let key = (stat.st_dev, stat.st_ino);
                let first = if stat.st_nlink > 1 { self.links.borrow().get(&key).cloned() } else { None };
                if let Some(first) = first {
                    let linked = rustix::fs::linkat(self.root, &first, to, to_name, AtFlags::empty());
                    linked.map_err(|e| self.fault(e))?;
                } else if self.lent(&stat, to, to_name) {
                    // A file that is the same has the same owner, mode and times.
                    return Ok(());
                } else {
                    self.regular(from, name, &stat, to, to_name)?;
                    if stat.st_nlink > 1 {
                        self.links.borrow_mut().insert(key, self.to.clone());
                    }
                }
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new()).map_err(|e| self.fault(e))?;
                rustix::fs::symlinkat(&target, to, to_name).map_err(|e| self.fault(e))?;
            }
            FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo => {
                let made = rustix::fs::mknodat(to, to_name, kind(&stat), Mode::RUSR | Mode::WUSR, stat.st_rdev);
                made.map_err(|e| self.fault(e))?;
            }
            // Of a socket the name is kept, as an empty file.
            FileType::Socket if self.source.tree.is_none() => {
                let made = rustix::fs::mknodat(to, to_name, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0);
                made.map_err(|e| self.fault(e))?;
            }
            _ => return Ok(()),
        }
        self.attributes(from, name, &stat, to, to_name)
    }

    /// Whether the file was taken from an earlier copy of its directory.
    fn lent(&self, stat: &Stat, to: BorrowedFd, name: &CStr) -> bool {
        let (Some(donor), Some(tree)) = (self.source.donor, self.source.tree) else { return false };
        let entry = tree.entry(&self.from).filter(|_| stat.st_nlink == 1 && tree.is_as_hashed(&self.from, stat));
        entry.is_some_and(|entry| donor.lend(&self.from, entry, to, name))
    }

    fn clear(&self, to: BorrowedFd, name: &CStr) -> Try<()> {
        match rustix::fs::unlinkat(to, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR | Errno::PERM) if self.replace => remove(to, name).map_err(|e| self.fault(e)),
            Err(Errno::ISDIR | Errno::PERM) => {
                let message = format!("cannot put a file in place of the directory `/{}`", show(&self.to));
                Err(Fault::Said(failure(execute::FILES, message)))
            }
            Err(e) => Err(self.fault(e)),
        }
    }

    fn regular(&self, from: BorrowedFd, name: &CStr, stat: &Stat, to: BorrowedFd, to_name: &CStr) -> Try<()> {
        let copy = || -> io::Result<()> {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let mut read = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut write = File::from(rustix::fs::openat(to, to_name, flags, Mode::RUSR | Mode::WUSR)?);
            if stat.st_size > 0 || self.source.tree.is_none() {
                copy_content(&mut read, &mut write)?;
            }
            // A directory of the user's may change under our hands, and the cache must not believe otherwise.
            if self.source.tree.is_some() {
                let after = rustix::fs::fstat(&read)?;
                if !same(&after, stat) {
                    return Err(io::Error::other("it changed while it was read"));
                }
            }
            Ok(())
        };
        copy().map_err(|e| self.fault(e))?;
        match self.source.tree {
            Some(tree) if !tree.is_as_hashed(&self.from, stat) => {
                Err(self.fault(io::Error::other("it changed while the build ran")))
            }
            _ => Ok(()),
        }
    }

    /// Owner, mode, times and extended attributes.
    fn attributes(&self, from: BorrowedFd, name: &CStr, stat: &Stat, to: BorrowedFd, to_name: &CStr) -> Try<()> {
        // Who owns a directory of the user's means nothing in an image.
        let own = if self.source.tree.is_some() { (0, 0) } else { (stat.st_uid, stat.st_gid) };
        set_owner(to, to_name, Some(self.owner.unwrap_or(own))).map_err(|e| self.fault(e))?;
        if kind(stat) != FileType::Symlink {
            let mode = match &self.modes {
                Modes::Keep => stat.st_mode & 0o7777,
                Modes::Set(mode) => *mode,
                Modes::Change(changes) => changes.apply(stat.st_mode, kind(stat) == FileType::Directory),
            };
            rustix::fs::chmodat(to, to_name, Mode::from_raw_mode(mode), AtFlags::empty()).map_err(|e| self.fault(e))?;
        }
        for (key, value) in xattrs(from, name).map_err(|e| self.fault(e))? {
            if !is_overlay_attribute(&key) {
                let path = crate::fs::at_path(to, to_name);
                // What the file system or the user may not have is left out.
                let _ = rustix::fs::lsetxattr(&path, &key, &value, XattrFlags::empty());
            }
        }
        self.times(stat, to, to_name)
    }

    fn times(&self, stat: &Stat, to: BorrowedFd, name: &CStr) -> Try<()> {
        let own = |seconds: i64, nanos: u64| (seconds, nanos as u32);
        let access = self.time.unwrap_or(own(stat.st_atime, stat.st_atime_nsec));
        let change = self.time.unwrap_or(own(stat.st_mtime, stat.st_mtime_nsec));
        set_times(to, name, access, change).map_err(|e| self.fault(e))
    }
}

fn is_other(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOTDIR | libc::ELOOP))
}

/// Whether a file is as it was.
pub(crate) fn same(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino, a.st_size) == (b.st_dev, b.st_ino, b.st_size)
        && (a.st_mtime, a.st_mtime_nsec, a.st_ctime, a.st_ctime_nsec)
            == (b.st_mtime, b.st_mtime_nsec, b.st_ctime, b.st_ctime_nsec)
}
