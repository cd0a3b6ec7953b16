//! What an op sees of an input, as a digest: two inputs with equal ones make no difference to it. Times do not count, as in
//! BuildKit.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rbc_context::{MatchInfo, Matcher};
use rbc_ir::{Action, ContentCache, Input, MountKind, Op, ROOT_MOUNT, Ref, UserOpt};
use rbc_source::execute;
use rbc_wire::Digest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use crate::error::{Fail, Result, failure, reason, show};
use crate::file::{Content, Source, is_pattern, wildcards};
use crate::fs::{DEPTH_MAX, clean, list, open_dir_at, resolve, xattrs};
use crate::store::Store;

/// A part of an input that an op sees.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Selector {
    path: String,
    wildcard: bool,
    follow: bool,
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Selector {
    fn path(path: &str) -> Selector {
        Selector { path: path.to_owned(), wildcard: false, follow: true, include: Vec::new(), exclude: Vec::new() }
    }

    /// A text that tells it from others.
    fn key(&self) -> String {
        format!("{:?} {} {} {:?} {:?}", self.path, self.wildcard, self.follow, self.include, self.exclude)
    }
}

/// The inputs of an op of which only parts count, with these parts. Of all others the whole counts, with its history.
pub(crate) fn seen(op: &Op) -> BTreeMap<Ref, Vec<Selector>> {
    let mut parts: BTreeMap<Ref, Vec<Selector>> = BTreeMap::new();
    let mut whole: Vec<Ref> = Vec::new();
    match op {
        Op::Exec(exec) => {
            for mount in &exec.mounts {
                let (Some(r), MountKind::Bind | MountKind::Cache(_)) = (mount.input, &mount.kind) else { continue };
                // What the command can change and somebody sees afterwards must be the whole, or nothing is left out.
                let all = clean(&mount.selector).as_os_str().is_empty();
                let safe = mount.output.is_none() || mount.readonly || all;
                let wanted = match mount.content_cache {
                    ContentCache::On => true,
                    ContentCache::Off => false,
                    // A root is large, and seldom the same in another way.
                    ContentCache::Default => mount.dest != ROOT_MOUNT,
                };
                match safe && wanted {
                    true => parts.entry(r).or_default().push(Selector::path(&mount.selector)),
                    false => whole.push(r),
                }
            }
        }
        Op::File(file) => {
            for action in &file.actions {
                if let Input::Ref(r) = action.input {
                    whole.push(r);
                }
                let owner = match &action.action {
                    Action::Copy(a) => {
                        if let Input::Ref(r) = action.secondary {
                            parts.entry(r).or_default().push(Selector {
                                path: a.src.clone(),
                                wildcard: a.allow_wildcard,
                                follow: a.follow_symlink,
                                include: a.include_patterns.clone(),
                                exclude: a.exclude_patterns.clone(),
                            });
                        }
                        a.owner.as_ref()
                    }
                    Action::Mkfile(a) => a.owner.as_ref(),
                    Action::Mkdir(a) => a.owner.as_ref(),
                    Action::Symlink(a) => a.owner.as_ref(),
                    Action::Rm(_) => None,
                };
                let Some(owner) = owner else { continue };
                for (who, path) in [(&owner.user, "/etc/passwd"), (&owner.group, "/etc/group")] {
                    if let Some(UserOpt::Name { input: Input::Ref(r), .. }) = who {
                        parts.entry(*r).or_default().push(Selector::path(path));
                    }
                }
            }
        }
        Op::Source(_) | Op::Merge(_) | Op::Diff(_) | Op::Build(_) | Op::Passthrough(_) => {}
    }
    for r in whole {
        parts.remove(&r);
    }
    for selectors in parts.values_mut() {
        selectors.sort();
        selectors.dedup();
    }
    parts
}

/// The digest of parts of an input.
pub(crate) fn digest(store: &Store, content: &Content, selectors: &[Selector]) -> Result<Digest> {
    let mut sum = Sha256::new();
    sum.update(b"parts\n");
    for selector in selectors {
        sum.update(one(store, content, selector)?.0);
    }
    Ok(Digest(sum.finalize().into()))
}

fn one(store: &Store, content: &Content, selector: &Selector) -> Result<Digest> {
    let failed =
        |e: io::Error| failure(execute::FILES, format!("cannot read `{}`: {}", show(&selector.path), reason(&e)));
    match content {
        Content::Local(tree) => {
            let root = tree.open()?;
            let mut hasher = Hasher::new(Source { root: root.as_fd(), tree: Some(tree), donor: None }, selector)?;
            hasher.selected(selector).map_err(failed)
        }
        Content::Snapshot(snapshot) => {
            // A snapshot never changes, so this is true for ever.
            let key = Digest::of(format!("digest\n{}\n{}", snapshot.identity(), selector.key()).as_bytes());
            if let Some(known) = store.digest(&key) {
                return Ok(known);
            }
            let view = store.view(snapshot)?;
            let mut hasher = Hasher::new(Source { root: view.root(), tree: None, donor: None }, selector)?;
            let digest = hasher.selected(selector).map_err(failed)?;
            store.put_digest(&key, &digest)?;
            Ok(digest)
        }
    }
}

struct Hasher<'a> {
    source: Source<'a>,
    include: Option<Matcher>,
    exclude: Option<Matcher>,
    sum: Sha256,
    buffer: Vec<u8>,
}

impl<'a> Hasher<'a> {
    fn new(source: Source<'a>, selector: &Selector) -> Result<Self> {
        let matcher = |patterns: &[String]| match patterns.is_empty() {
            true => Ok(None),
            false => Matcher::new(patterns).map(Some).map_err(|e| failure(execute::FILES, e.to_string())),
        };
        Ok(Hasher {
            source,
            include: matcher(&selector.include)?,
            exclude: matcher(&selector.exclude)?,
            sum: Sha256::new(),
            buffer: vec![0; 256 << 10],
        })
    }

    fn selected(&mut self, selector: &Selector) -> io::Result<Digest> {
        let pattern = selector.wildcard && is_pattern(&selector.path);
        let paths = match pattern {
            true => wildcards(&self.source, &selector.path, selector.follow)?,
            false => vec![clean(&selector.path)],
        };
        for path in paths {
            // Of several the names count; of one its name is part of the op, or does not matter to it.
            let name = if pattern { path.as_path() } else { Path::new("") };
            let found = resolve(self.source.root, &path, selector.follow)?;
            if found.stat.is_none() || !self.source.has(&found.path) {
                self.sum.update(b"absent\n");
                continue;
            }
            match self.source.tree {
                Some(_) => self.local(&found.path, name)?,
                None => self.view(&found.path, name)?,
            }
        }
        Ok(Digest(std::mem::take(&mut self.sum).finalize().into()))
    }

    fn name(&mut self, name: &Path, inside: &Path) {
        for part in [name, inside] {
            self.sum.update((part.as_os_str().len() as u64).to_le_bytes());
            self.sum.update(part.as_os_str().as_bytes());
        }
    }

    fn matched(
        &self,
        path: &Path,
        parents: &(MatchInfo, MatchInfo),
    ) -> io::Result<(bool, bool, (MatchInfo, MatchInfo))> {
        let text = path.to_string_lossy();
        let (included, include) = match &self.include {
            None => (true, MatchInfo::default()),
            Some(m) => m.matches_using_parent_results(&text, &parents.0).map_err(io::Error::other)?,
        };
        let (excluded, exclude) = match &self.exclude {
            None => (false, MatchInfo::default()),
            Some(m) => m.matches_using_parent_results(&text, &parents.1).map_err(io::Error::other)?,
        };
        Ok((included, excluded, (include, exclude)))
    }

    /// A path of a directory of the user's, of which all is known.
    fn local(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let Some(tree) = self.source.tree else { return Ok(()) };
        // The directories that lead here: their paths, how they matched, and whether they are part of it.
        let mut above: Vec<(PathBuf, (MatchInfo, MatchInfo), Option<u32>)> = Vec::new();
        for (at, entry) in tree.below(path) {
            let inside = at.strip_prefix(path).unwrap_or(Path::new(""));
            while above.last().is_some_and(|(dir, ..)| !inside.starts_with(dir)) {
                above.pop();
            }
            let (mut wanted, mut info) = (true, Default::default());
            if !inside.as_os_str().is_empty() {
                let none = Default::default();
                let parents = above.last().map_or(&none, |(_, info, _)| info);
                let (included, excluded, found) = self.matched(inside, parents)?;
                (wanted, info) = (included && !excluded, found);
            }
            let is_dir = entry.kind == FileType::Directory;
            if wanted {
                for (dir, _, pending) in &mut above {
                    if let Some(mode) = pending.take() {
                        self.name(name, dir);
                        self.header(FileType::Directory, mode, 0, 0, 0);
                    }
                }
                self.name(name, inside);
                self.header(entry.kind, entry.mode, 0, 0, entry.device);
                match entry.kind {
                    FileType::RegularFile => self.sum.update(entry.hash),
                    FileType::Symlink => self.text(&entry.link),
                    _ => {}
                }
            }
            if is_dir && !inside.as_os_str().is_empty() {
                above.push((inside.to_owned(), info, (!wanted).then_some(entry.mode)));
            }
        }
        Ok(())
    }

    /// A path of a snapshot.
    fn view(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let (dir, base) = match path.file_name() {
            None => (self.source.root.try_clone_to_owned()?, c".".to_owned()),
            Some(base) => {
                let above = path.parent().unwrap_or(Path::new(""));
                let dir = crate::fs::open_beneath(self.source.root, above, OFlags::RDONLY | OFlags::DIRECTORY)?;
                (dir, std::ffi::CString::new(base.as_bytes())?)
            }
        };
        let mut pending = Vec::new();
        self.walk(dir.as_fd(), &base, name, &mut PathBuf::new(), &Default::default(), &mut pending, 0)
    }

    fn walk(
        &mut self,
        dir: BorrowedFd,
        base: &CStr,
        name: &Path,
        inside: &mut PathBuf,
        parents: &(MatchInfo, MatchInfo),
        pending: &mut Vec<(PathBuf, rustix::fs::Stat)>,
        depth: usize,
    ) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("directories are nested too deep"));
        }
        let stat = rustix::fs::statat(dir, base, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let (mut wanted, mut info) = (true, Default::default());
        if depth > 0 {
            let (included, excluded, found) = self.matched(inside, parents)?;
            (wanted, info) = (included && !excluded, found);
        }
        if wanted {
            for (path, stat) in std::mem::take(pending) {
                self.name(name, &path);
                self.header(FileType::Directory, stat.st_mode & 0o7777, stat.st_uid, stat.st_gid, 0);
            }
            self.name(name, inside);
            let device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice).then_some(stat.st_rdev);
            self.header(kind, stat.st_mode & 0o7777, stat.st_uid, stat.st_gid, device.unwrap_or(0));
            for (key, value) in xattrs(dir, base)? {
                // Of what the system keeps for itself, only capabilities are copied.
                let key = key.to_bytes();
                if key == b"security.capability" || key.starts_with(b"user.") && !key.starts_with(b"user.overlay.") {
                    self.text(key);
                    self.text(&value);
                }
            }
            match kind {
                FileType::RegularFile => {
                    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
                    let mut file = File::from(rustix::fs::openat(dir, base, flags, Mode::empty())?);
                    let mut hash = Sha256::new();
                    loop {
                        match file.read(&mut self.buffer) {
                            Ok(0) => break,
                            Ok(n) => hash.update(&self.buffer[..n]),
                            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                            Err(e) => return Err(e),
                        }
                    }
                    self.sum.update(hash.finalize());
                }
                FileType::Symlink => {
                    let link = rustix::fs::readlinkat(dir, base, Vec::new())?;
                    self.text(link.as_bytes());
                }
                _ => {}
            }
        }
        if kind == FileType::Directory {
            if !wanted {
                pending.push((inside.clone(), stat));
            }
            let inner = open_dir_at(dir, base)?;
            for entry in list(&inner)? {
                inside.push(entry.name());
                self.walk(inner.as_fd(), &entry.name, name, inside, &info, pending, depth + 1)?;
                inside.pop();
            }
            if pending.last().is_some_and(|(path, _)| path == inside) {
                pending.pop();
            }
        }
        Ok(())
    }

    fn header(&mut self, kind: FileType, mode: u32, uid: u32, gid: u32, device: u64) {
        for number in [kind.as_raw_mode(), mode, uid, gid] {
            self.sum.update(number.to_le_bytes());
        }
        self.sum.update(device.to_le_bytes());
    }

    fn text(&mut self, bytes: &[u8]) {
        self.sum.update((bytes.len() as u64).to_le_bytes());
        self.sum.update(bytes);
    }
}

impl Store {
    /// A digest that was computed before.
    fn digest(&self, key: &Digest) -> Option<Digest> {
        let text = std::fs::read_to_string(self.digest_path(key)).ok()?;
        let (digest, sum) = text.split_once('\n')?;
        let found = Digest::parse(digest)?;
        (sum == checked(key, &found)).then_some(found)
    }

    fn put_digest(&self, key: &Digest, digest: &Digest) -> Result<()> {
        let path = self.digest_path(key);
        let text = format!("{digest}\n{}", checked(key, digest));
        self.publish(&path, text.as_bytes()).or_fail(execute::STORE, || format!("write {}", show(&path)))
    }

    fn digest_path(&self, key: &Digest) -> PathBuf {
        let name = crate::store::hex(key);
        self.root().join("digests").join(&name[..2]).join(name)
    }
}

/// Says that a digest is that of a key.
fn checked(key: &Digest, digest: &Digest) -> String {
    Digest::of(format!("{key} {digest}").as_bytes()).to_string()
}
