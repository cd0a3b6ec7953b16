//! What of a directory is sent, and how it is described.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use rbc_context::{IgnoreError, MatchInfo, Matcher};
use rbc_proto::session::{Stat, mode};
use rustix::fs::{AtFlags, FileType, OFlags};

use super::files::{DEPTH_MAX, list, open_beneath, open_dir_at};

/// Where links lead more ways than this, everything is taken.
const WAYS_MAX: usize = 10_000;

/// What of a directory is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only what one of these matches; empty is everything.
    pub include: Vec<String>,
    /// Nothing that these match, read as a `.dockerignore` is.
    pub exclude: Vec<String>,
    /// Only these paths, and what the links lead to by which they go; empty is everything.
    pub follow: Vec<String>,
}

/// Tells `found` of all that a filter lets through: directories before what is in them, siblings in the order of their
/// names. A directory that is not asked for is told of before something in it that is.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    filter: &Filter,
    found: &mut dyn FnMut(Stat) -> io::Result<()>,
) -> io::Result<()> {
    let mut include = filter.include.clone();
    if !filter.follow.is_empty() {
        match follow(root, &filter.follow)? {
            Some(paths) => include.extend(paths),
            None => include.clear(),
        }
    }
    let matcher = |patterns: &[String]| match patterns.is_empty() {
        true => Ok(None),
        false => Matcher::new(patterns).map(Some).map_err(bad),
    };
    let mut walk = Walk {
        include: matcher(&include)?,
        exclude: matcher(&filter.exclude)?,
        path: PathBuf::new(),
        above: Vec::new(),
        links: HashMap::new(),
        found,
    };
    walk.directory(root, &MatchInfo::default(), &MatchInfo::default(), 0)
}

fn bad(error: IgnoreError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("a pattern cannot be used: {error}"))
}

struct Walk<'a> {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
    path: PathBuf,
    /// The directories that lead here and were not told of yet.
    above: Vec<Stat>,
    /// The first name of each file that has several.
    links: HashMap<(u64, u64), String>,
    found: &'a mut dyn FnMut(Stat) -> io::Result<()>,
}

impl Walk<'_> {
    fn directory(
        &mut self,
        dir: BorrowedFd<'_>,
        include: &MatchInfo,
        exclude: &MatchInfo,
        depth: usize,
    ) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!("{}: directories are nested too deep", self.path.display())));
        }
        for entry in list(dir)? {
            self.path.push(entry.name());
            let text = self.path.to_string_lossy();
            let (included, include) = match &self.include {
                None => (true, MatchInfo::default()),
                Some(m) => m.matches_using_parent_results(&text, include).map_err(bad)?,
            };
            let (excluded, exclude) = match &self.exclude {
                None => (false, MatchInfo::default()),
                Some(m) => m.matches_using_parent_results(&text, exclude).map_err(bad)?,
            };
            let is_dir = entry.kind == FileType::Directory;
            let wanted = included && !excluded && entry.kind != FileType::Socket;
            // Nothing below can be part of it.
            let closed = excluded && !self.exclude.as_ref().is_some_and(Matcher::exclusions);
            if wanted || (is_dir && !closed) {
                match self.stat(dir, &entry.name) {
                    // Removed since the directory was listed.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    stat => self.take(dir, &entry.name, stat?, wanted, (&include, &exclude), depth)?,
                }
            }
            self.path.pop();
        }
        Ok(())
    }

    fn take(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &std::ffi::CStr,
        stat: Stat,
        wanted: bool,
        (include, exclude): (&MatchInfo, &MatchInfo),
        depth: usize,
    ) -> io::Result<()> {
        let is_dir = stat.mode & mode::DIR != 0;
        if wanted {
            for above in self.above.drain(..) {
                (self.found)(above)?;
            }
            (self.found)(stat)?;
        } else {
            self.above.push(stat);
        }
        if is_dir {
            match open_dir_at(dir, name) {
                // A directory that nothing is wanted of need not be readable.
                Err(e) if !wanted && e.kind() == io::ErrorKind::PermissionDenied => {}
                inner => self.directory(inner?.as_fd(), include, exclude, depth + 1)?,
            }
            if self.above.last().is_some_and(|last| Path::new(&last.path) == self.path) {
                self.above.pop();
            }
        }
        Ok(())
    }

    /// Describes an entry. Who owns it is not told: it belongs to root there.
    fn stat(&mut self, dir: BorrowedFd<'_>, name: &std::ffi::CStr) -> io::Result<Stat> {
        let found = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let path = self.path.to_str().map(str::to_owned);
        let path = path.ok_or_else(|| {
            io::Error::other(format!("{}: a name that is not UTF-8 cannot be sent", self.path.display()))
        })?;
        let kind = FileType::from_raw_mode(found.st_mode);
        let mut stat = Stat {
            mode: mode::from_st_mode(found.st_mode),
            mod_time: found.st_mtime.saturating_mul(1_000_000_000).saturating_add(found.st_mtime_nsec as i64),
            ..Stat::default()
        };
        match kind {
            FileType::Directory => {}
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new())?;
                stat.size = found.st_size;
                stat.linkname = target.into_string().map_err(io::Error::other)?;
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                stat.devmajor = rustix::fs::major(found.st_rdev).into();
                stat.devminor = rustix::fs::minor(found.st_rdev).into();
            }
            _ => stat.size = found.st_size,
        }
        if kind == FileType::RegularFile && found.st_nlink > 1 {
            let first = self.links.entry((found.st_dev, found.st_ino)).or_insert_with(|| path.clone());
            if *first != path {
                stat.linkname.clone_from(first);
            }
        }
        stat.path = path;
        Ok(stat)
    }
}

/// The paths and, of links among what they consist of, those that they lead to. `None` is everything. Nothing outside of
/// the directory is looked at: there, its root is the root of everything.
fn follow(root: BorrowedFd<'_>, paths: &[String]) -> io::Result<Option<Vec<String>>> {
    let mut following = Following { root, seen: BTreeSet::new(), found: BTreeSet::new() };
    for path in paths {
        following.path(clean(Path::new(path)), 0)?;
    }
    let Following { seen, found, .. } = following;
    if seen.len() > WAYS_MAX || found.iter().any(|p| p.as_os_str().is_empty()) {
        return Ok(None);
    }
    // What is below another need not be named.
    let covered = |p: &Path| p.ancestors().skip(1).any(|above| found.contains(above));
    Ok(Some(found.iter().filter(|p| !covered(p)).map(|p| p.to_string_lossy().into_owned()).collect()))
}

/// A path that counts from the root: without `.`, `..` and a leading slash.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
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

struct Following<'a> {
    root: BorrowedFd<'a>,
    /// The ways that were gone.
    seen: BTreeSet<PathBuf>,
    /// The paths and links that they consist of.
    found: BTreeSet<PathBuf>,
}

impl Following<'_> {
    fn path(&mut self, path: PathBuf, depth: usize) -> io::Result<()> {
        if depth > 255 || self.seen.len() > WAYS_MAX || !self.seen.insert(path.clone()) {
            return Ok(());
        }
        let mut current = PathBuf::new();
        let mut parts = path.components();
        while let Some(part) = parts.next() {
            current.push(part);
            let targets = targets(self.root, &current, true)?;
            if !targets.is_empty() {
                let rest = parts.as_path();
                self.found.insert(current);
                for target in targets {
                    self.path(target.join(rest), depth + 1)?;
                }
                return Ok(());
            }
        }
        self.found.insert(current);
        Ok(())
    }
}

/// Where the link at a path leads, or the links that a pattern in its last component matches.
fn targets(root: BorrowedFd<'_>, path: &Path, patterns: bool) -> io::Result<Vec<PathBuf>> {
    let above = path.parent().unwrap_or(Path::new(""));
    let Some(name) = path.file_name() else { return Ok(Vec::new()) };
    let Ok(dir) = open_beneath(root, above, OFlags::RDONLY | OFlags::DIRECTORY) else { return Ok(Vec::new()) };
    let text = name.to_string_lossy();
    if patterns && text.contains(['*', '?', '[']) {
        let mut all = Vec::new();
        for entry in list(&dir)?.into_iter().filter(|e| e.kind == FileType::Symlink) {
            if rbc_context::path::matches(&text, &entry.name().to_string_lossy()).unwrap_or(false) {
                all.extend(targets(root, &above.join(entry.name()), false)?);
            }
        }
        return Ok(all);
    }
    let Ok(link) = rustix::fs::readlinkat(&dir, name.as_bytes(), Vec::new()) else { return Ok(Vec::new()) };
    let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
    Ok(vec![clean(&if link.is_absolute() { link } else { above.join(link) })])
}
