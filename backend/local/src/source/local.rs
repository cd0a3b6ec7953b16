//! Directories of the user's, read where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Bound;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rbc_context::{MatchInfo, Matcher};
use rbc_source::execute;
use rbc_wire::Digest;
use rustix::fs::{AtFlags, FileType, OFlags, Stat};
use sha2::{Digest as _, Sha256};

use super::Donor;
use super::index::{Index, Mark};
use crate::Cancel;
use crate::error::{Fail, Result, failure, reason, show};
use crate::file::{Source, copy_all};
use crate::fs::{DEPTH_MAX, list, open_dir, open_dir_at};
use crate::store::{Layer, LayerInfo, Snapshot, Store, hex};

/// What of a directory is part of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only what one of these matches; empty is everything.
    pub include: Vec<String>,
    /// Nothing that these match, read as a `.dockerignore` is.
    pub exclude: Vec<String>,
    /// Only these paths, and what the links lead to by which they go; empty is everything.
    pub follow: Vec<String>,
}

/// Something in a directory of the user's.
#[derive(Clone, Debug)]
pub(crate) struct LocalEntry {
    pub kind: FileType,
    /// Permission bits, with set-user-id and the like.
    pub mode: u32,
    /// Where a link leads.
    pub link: Vec<u8>,
    pub device: u64,
    /// The hash of a file's contents.
    pub hash: [u8; 32],
    mark: Mark,
}

impl LocalEntry {
    /// When it was modified, in nanoseconds since 1970.
    pub(super) fn modified(&self) -> i128 {
        self.mark.modified()
    }
}

/// A directory of the user's, as it was when the build began. Nothing is copied.
#[derive(Debug)]
pub(crate) struct LocalTree {
    root: PathBuf,
    entries: BTreeMap<PathBuf, LocalEntry>,
    digest: Digest,
}

impl LocalTree {
    /// Looks at a directory, and hashes the files that are not known from before.
    pub(crate) fn read(store: &Store, root: &Path, filter: &Filter, cancel: &[&Cancel]) -> Result<LocalTree> {
        let failed = |e: io::Error| {
            failure(execute::SOURCE, format!("cannot read the directory {}: {}", show(root), reason(&e)))
        };
        let root = root.canonicalize().map_err(failed)?;
        let dir = open_dir(&root).map_err(failed)?;
        let bad = |e: rbc_context::IgnoreError| {
            failure(execute::SOURCE, format!("a pattern for {} cannot be used: {e}", show(&root)))
        };
        let mut include = filter.include.clone();
        if !filter.follow.is_empty() {
            match follow(dir.as_fd(), &filter.follow).map_err(failed)? {
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
            entries: BTreeMap::new(),
            path: PathBuf::new(),
            above: Vec::new(),
        };
        walk.directory(dir.as_fd(), &MatchInfo::default(), &MatchInfo::default()).map_err(|e| match e {
            Trouble::Io(path, e) => {
                failure(execute::SOURCE, format!("cannot read {}: {}", show(root.join(path)), reason(&e)))
            }
            Trouble::Pattern(e) => bad(e),
        })?;
        let mut entries = walk.entries;

        let key = Digest::of(root.as_os_str().as_bytes());
        let file = store.root().join("contexts").join(hex(&key));
        let mut index = Index::load(&file, dir.as_fd());
        hash(&dir, &root, &mut entries, &mut index, cancel)?;
        // Another build of the same directory may leave out what this one needs, so only what is gone is forgotten.
        let keep = |path: &Path| entries.contains_key(path) || crate::store::exists_at(&dir, path);
        if let Some(bytes) = index.save(keep) {
            store.publish(&file, &bytes).or_fail(execute::STORE, || format!("write {}", show(&file)))?;
        }

        let mut sum = Sha256::new();
        sum.update(b"local\n");
        for (path, entry) in &entries {
            sum.update((path.as_os_str().len() as u64).to_le_bytes());
            sum.update(path.as_os_str().as_bytes());
            sum.update(entry.mode.to_le_bytes());
            sum.update(entry.kind.as_raw_mode().to_le_bytes());
            sum.update(entry.device.to_le_bytes());
            sum.update((entry.link.len() as u64).to_le_bytes());
            sum.update(&entry.link);
            sum.update(entry.hash);
        }
        Ok(LocalTree { root, entries, digest: Digest(sum.finalize().into()) })
    }

    /// The directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Equal for equal contents, wherever they are.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// All entries at and below a path, in order.
    pub(crate) fn below<'t>(&'t self, path: &'t Path) -> impl Iterator<Item = (&'t Path, &'t LocalEntry)> {
        let all = path.as_os_str().is_empty();
        let from = self.entries.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        // Paths are in order by their components, so that nothing (`a.b`) sorts between a directory and what is in it.
        from.take_while(move |(p, _)| all || p.starts_with(path)).map(|(p, e)| (p.as_path(), e))
    }

    /// Whether a path is part of the source.
    pub(crate) fn has(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.entries.contains_key(path)
    }

    /// What is at a path.
    pub(crate) fn entry(&self, path: &Path) -> Option<&LocalEntry> {
        self.entries.get(path)
    }

    /// Whether a file is what it was when it was hashed.
    pub(crate) fn is_as_hashed(&self, path: &Path, stat: &Stat) -> bool {
        self.entries.get(path).is_some_and(|entry| entry.mark == Mark::of(stat))
    }

    /// Opens the directory.
    pub(crate) fn open(&self) -> Result<OwnedFd> {
        open_dir(&self.root).or_fail(execute::SOURCE, || format!("read the directory {}", show(&self.root)))
    }

    /// A copy of it in the store, for what cannot be done in place.
    pub(crate) fn snapshot(&self, store: &Store, cancel: &[&Cancel]) -> Result<Snapshot> {
        let layer = Layer::of(&self.digest);
        if store.layer_path(&layer).is_dir() {
            return Ok(Snapshot::new(vec![layer]));
        }
        let draft = store.draft(Snapshot::default())?;
        let root = self.open()?;
        let view = draft.view()?;
        let donor = Donor::of(store, &self.root);
        let source = Source { root: root.as_fd(), tree: Some(self), donor: donor.as_ref() };
        copy_all(&source, view.root(), cancel).map_err(|e| e.diagnostic)?;
        drop(view);
        let description = format!("local directory {}", show(&self.root));
        let made = draft.commit_as(layer.clone(), LayerInfo { description, ..LayerInfo::default() })?;
        Donor::keep(store, &self.root, &layer, &self.entries)
            .or_fail(execute::STORE, || format!("note the copy of {}", show(&self.root)))?;
        Ok(made)
    }
}

/// Hashes what is not known, on as many threads as there are processors.
fn hash(
    dir: &OwnedFd,
    root: &Path,
    entries: &mut BTreeMap<PathBuf, LocalEntry>,
    index: &mut Index,
    cancel: &[&Cancel],
) -> Result<()> {
    let mut unknown: Vec<(&PathBuf, &mut LocalEntry)> = Vec::new();
    for (path, entry) in entries.iter_mut().filter(|(_, e)| e.kind == FileType::RegularFile) {
        match index.get(path, &entry.mark) {
            Some(hash) => entry.hash = hash,
            None => unknown.push((path, entry)),
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let todo: Vec<_> = unknown.iter().map(|(path, entry)| (path.as_path(), entry.mark)).collect();
    let done: Vec<Mutex<Option<[u8; 32]>>> = todo.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(((path, mark), slot)) = todo.get(at).zip(done.get(at)) else { return Ok(()) };
            if cancel.iter().any(|c| c.is_cancelled()) {
                return Err(crate::session::SolveError::cancelled().diagnostic);
            }
            let hash = hash_file(dir.as_fd(), path, mark, &mut buffer)
                .or_fail(execute::SOURCE, || format!("read {}", show(root.join(path))))?;
            *slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(hash);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(todo.len());
    std::thread::scope(|scope| -> Result<()> {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut outcome = work();
        for other in others {
            let theirs =
                other.join().unwrap_or_else(|_| Err(failure(rbc_source::environment::INTERNAL, "hashing failed")));
            outcome = outcome.and(theirs);
        }
        outcome
    })?;
    for ((path, entry), slot) in unknown.into_iter().zip(done) {
        if let Some(hash) = slot.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            entry.hash = hash;
            index.set(path.clone(), entry.mark, hash);
        }
    }
    Ok(())
}

fn hash_file(dir: BorrowedFd, path: &Path, mark: &Mark, buffer: &mut [u8]) -> io::Result<[u8; 32]> {
    let fd = crate::fs::open_beneath(dir, path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let mut file = File::from(fd);
    let mut hash = Sha256::new();
    let mut size = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(n) => {
                hash.update(&buffer[..n]);
                size += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    if size != mark.size() || Mark::of(&rustix::fs::fstat(&file)?) != *mark {
        return Err(io::Error::other("it changed while it was read"));
    }
    Ok(hash.finalize().into())
}

enum Trouble {
    Io(PathBuf, io::Error),
    Pattern(rbc_context::IgnoreError),
}

struct Walk {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
    entries: BTreeMap<PathBuf, LocalEntry>,
    path: PathBuf,
    /// The directories that lead here and are not yet part of the source.
    above: Vec<(PathBuf, LocalEntry)>,
}

impl Walk {
    fn directory(
        &mut self,
        dir: BorrowedFd,
        include: &MatchInfo,
        exclude: &MatchInfo,
    ) -> std::result::Result<(), Trouble> {
        let fault = |path: &Path, e: io::Error| Trouble::Io(path.to_owned(), e);
        if self.path.components().count() > DEPTH_MAX {
            return Err(fault(&self.path, io::Error::other("directories are nested too deep")));
        }
        for entry in list(dir).map_err(|e| fault(&self.path, e))? {
            self.path.push(entry.name());
            let text = self.path.to_string_lossy();
            let (included, include) = match &self.include {
                None => (true, MatchInfo::default()),
                Some(m) => m.matches_using_parent_results(&text, include).map_err(Trouble::Pattern)?,
            };
            let (excluded, exclude) = match &self.exclude {
                None => (false, MatchInfo::default()),
                Some(m) => m.matches_using_parent_results(&text, exclude).map_err(Trouble::Pattern)?,
            };
            let is_dir = entry.kind == FileType::Directory;
            let wanted = included && !excluded && entry.kind != FileType::Socket;
            // Nothing below can be part of it.
            let closed = excluded && !self.exclude.as_ref().is_some_and(Matcher::exclusions);
            if !wanted && (!is_dir || closed) {
                self.path.pop();
                continue;
            }
            let stat = match rustix::fs::statat(dir, &entry.name, AtFlags::SYMLINK_NOFOLLOW) {
                // Removed since the directory was listed.
                Err(rustix::io::Errno::NOENT) => {
                    self.path.pop();
                    continue;
                }
                outcome => outcome.map_err(|e| fault(&self.path, e.into()))?,
            };
            let kind = FileType::from_raw_mode(stat.st_mode);
            let link = match kind {
                FileType::Symlink => rustix::fs::readlinkat(dir, &entry.name, Vec::new())
                    .map_err(|e| fault(&self.path, e.into()))?
                    .into_bytes(),
                _ => Vec::new(),
            };
            let device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice).then_some(stat.st_rdev);
            let found = LocalEntry {
                kind,
                mode: stat.st_mode & 0o7777,
                link,
                device: device.unwrap_or(0),
                hash: [0; 32],
                mark: Mark::of(&stat),
            };
            if wanted {
                self.entries.extend(self.above.drain(..));
                self.entries.insert(self.path.clone(), found);
            } else {
                self.above.push((self.path.clone(), found));
            }
            if is_dir {
                let inner = match open_dir_at(dir, &entry.name) {
                    // A directory that nothing is wanted of need not be readable.
                    Err(e) if !wanted && e.kind() == io::ErrorKind::PermissionDenied => None,
                    outcome => Some(outcome.map_err(|e| fault(&self.path, e))?),
                };
                if let Some(inner) = inner {
                    self.directory(inner.as_fd(), &include, &exclude)?;
                }
                if self.above.last().is_some_and(|(path, _)| *path == self.path) {
                    self.above.pop();
                }
            }
            self.path.pop();
        }
        Ok(())
    }
}

/// The paths and, of links among what they consist of, those that they lead to. `None` is everything.
///
/// BuildKit's client (fsutil, `followlinks.go`) stops at a link that it has met before even if the way goes on behind it; here it is
/// the whole way that is not gone twice.
fn follow(root: BorrowedFd, paths: &[String]) -> io::Result<Option<Vec<String>>> {
    let mut following = Following { root, seen: BTreeSet::new(), found: BTreeSet::new() };
    for path in paths {
        following.path(crate::fs::clean(path), 0)?;
    }
    let Following { seen, found, .. } = following;
    if seen.len() > WAYS_MAX || found.iter().any(|p| p.as_os_str().is_empty()) {
        return Ok(None);
    }
    // What is below another need not be named.
    let covered = |p: &Path| p.ancestors().skip(1).any(|above| found.contains(above));
    Ok(Some(found.iter().filter(|p| !covered(p)).map(|p| p.to_string_lossy().into_owned()).collect()))
}

/// Where links lead more ways than this, everything is taken.
const WAYS_MAX: usize = 10_000;

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
fn targets(root: BorrowedFd, path: &Path, patterns: bool) -> io::Result<Vec<PathBuf>> {
    let above = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if patterns && name.contains(['*', '?', '[']) {
        let Ok(dir) = crate::fs::open_beneath(root, above, OFlags::RDONLY | OFlags::DIRECTORY) else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for entry in list(&dir)?.into_iter().filter(|e| e.kind == FileType::Symlink) {
            if rbc_context::path::matches(&name, &entry.name().to_string_lossy()).unwrap_or(false) {
                all.extend(targets(root, &above.join(entry.name()), false)?);
            }
        }
        return Ok(all);
    }
    let Ok(dir) = crate::fs::open_beneath(root, above, OFlags::PATH | OFlags::DIRECTORY) else { return Ok(Vec::new()) };
    let Ok(link) = rustix::fs::readlinkat(&dir, path.file_name().unwrap_or_default(), Vec::new()) else {
        return Ok(Vec::new());
    };
    let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
    let target = if link.is_absolute() { link } else { above.join(link) };
    Ok(vec![crate::fs::clean(&target.to_string_lossy())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn context() -> Folder {
        let folder = Folder::new();
        for path in ["a/one", "a/two.log", "a/deep/x", "b/one", ".git/config", "a.b"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, path.to_str().unwrap()).unwrap();
        }
        symlink("../b", folder.path().join("a/link")).unwrap();
        symlink("/etc/passwd", folder.path().join("out")).unwrap();
        folder
    }

    fn names(tree: &LocalTree) -> Vec<&str> {
        tree.entries.keys().map(|p| p.to_str().unwrap()).collect()
    }

    #[test]
    fn what_is_part_of_it() {
        let (context, stores) = (context(), Folder::new());
        let store = Store::open(stores.path()).unwrap();
        let read = |filter: Filter| LocalTree::read(&store, context.path(), &filter, &[]).unwrap();
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let tree = read(Filter::default());
        assert_eq!(
            names(&tree),
            [
                ".git",
                ".git/config",
                "a",
                "a/deep",
                "a/deep/x",
                "a/link",
                "a/one",
                "a/two.log",
                "a.b",
                "b",
                "b/one",
                "out"
            ]
        );
        let below: Vec<_> = tree.below(Path::new("a")).map(|(p, _)| p.to_str().unwrap()).collect();
        assert_eq!(below, ["a", "a/deep", "a/deep/x", "a/link", "a/one", "a/two.log"]);
        let tree = read(Filter { exclude: words(&[".git", "**/*.log", "a/deep", "!a/deep/x"]), ..Filter::default() });
        assert_eq!(names(&tree), ["a", "a/deep", "a/deep/x", "a/link", "a/one", "a.b", "b", "b/one", "out"]);
        let tree = read(Filter { follow: words(&["a/link/one"]), ..Filter::default() });
        assert_eq!(names(&tree), ["a", "a/link", "b", "b/one"]);
        let tree = read(Filter { include: words(&["*/one"]), ..Filter::default() });
        assert_eq!(names(&tree), ["a", "a/one", "b", "b/one"]);
        symlink("../b", context.path().join("b/again")).unwrap();
        let tree = read(Filter { follow: words(&["b/again/again"]), ..Filter::default() });
        assert_eq!(names(&tree), ["b", "b/again", "b/one"]);
        fs::remove_file(context.path().join("b/again")).unwrap();
        let tree = read(Filter { follow: words(&["/out", "a/*.log"]), ..Filter::default() });
        assert_eq!(names(&tree), ["a", "a/two.log", "out"]);
    }

    #[test]
    fn only_contents_count() {
        let (context, stores) = (context(), Folder::new());
        let store = Store::open(stores.path()).unwrap();
        let read = || LocalTree::read(&store, context.path(), &Filter::default(), &[]).unwrap().digest();
        let before = read();
        let file = fs::File::options().write(true).open(context.path().join("a/one")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(read(), before);
        fs::write(context.path().join("a/one"), "other").unwrap();
        assert_ne!(read(), before);
    }

    #[test]
    fn a_second_copy_shares_what_is_the_same() {
        use std::os::unix::fs::MetadataExt;
        let (folder, place) = (context(), Folder::new());
        let store = Store::open(place.path()).unwrap();
        let copy = || {
            let tree = LocalTree::read(&store, folder.path(), &Filter::default(), &[]).unwrap();
            let snapshot = tree.snapshot(&store, &[]).unwrap();
            let files = store.layer_files(&snapshot.layers()[0]);
            move |path: &str| fs::metadata(files.join(path)).unwrap()
        };
        let first = copy();
        fs::write(folder.path().join("a/one"), "another").unwrap();
        // Equal bytes with another time are another file.
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
        fs::File::open(folder.path().join("a.b")).unwrap().set_modified(old).unwrap();
        let second = copy();
        assert_eq!(first("b/one").ino(), second("b/one").ino());
        assert_ne!(first("a/one").ino(), second("a/one").ino());
        assert_ne!(first("a.b").ino(), second("a.b").ino());
        assert_eq!(second("a.b").modified().unwrap(), old);
        assert_eq!(second("a/one").len(), 7);
    }
}
