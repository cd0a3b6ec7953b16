//! Unpacking an archive into a file system.
//!
//! The archive may be hostile. Every path is resolved by the kernel inside the root; names with `..` are refused; what is in
//! the way is removed, never written through; attributes by which an overlay could be tricked are left out.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use super::{Header, Kind, Reader};
use crate::Cancel;
use crate::error::show;
use crate::fs::{at_path, chown_at, list, make_dir, open_beneath, open_in, remove, resolve, set_times};
use crate::store::is_overlay_attribute;

/// More entries than this no archive has that means well.
const ENTRIES_MAX: u64 = 16 << 20;
/// Marks the absence of a file in a layer.
const WHITEOUT: &[u8] = b".wh.";
/// Marks a directory whose lower contents are hidden.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// How an archive is unpacked.
pub(crate) struct Apply<'a> {
    /// Whether it is a layer, in which some names stand for removals.
    pub layer: bool,
    /// Who owns everything; `None` is who the archive says.
    pub owner: Option<(u32, u32)>,
    pub cancel: &'a [&'a Cancel],
}

struct Target<'a> {
    root: BorrowedFd<'a>,
    options: &'a Apply<'a>,
    /// What the archive has had so far, with the directories that lead there; of a layer only.
    seen: HashSet<PathBuf>,
    /// Directories with the times they get when all is done.
    folders: Vec<(PathBuf, (i64, u32))>,
    /// The directory of the last entry.
    last: Option<(PathBuf, OwnedFd)>,
}

/// Unpacks an archive below `root`.
///
/// # Errors
/// With the entry's name, whatever is wrong.
pub(crate) fn apply<R: Read>(archive: &mut Reader<R>, root: BorrowedFd, options: &Apply) -> io::Result<()> {
    let mut target = Target { root, options, seen: HashSet::new(), folders: Vec::new(), last: None };
    let mut count = 0;
    while let Some(header) = archive.next()? {
        if options.cancel.iter().any(|c| c.is_cancelled()) {
            return Err(Errno::CANCELED.into());
        }
        count += 1;
        if count > ENTRIES_MAX {
            return Err(refused(format!("it has more than {ENTRIES_MAX} entries")));
        }
        let name = String::from_utf8_lossy(&header.path).into_owned();
        let done = target.entry(&header, archive);
        done.map_err(|e| io::Error::new(e.kind(), format!("`{}`: {}", show(name), crate::error::reason(&e))))?;
    }
    // Inner ones first: setting the times of one changes none of the others, but an order is an order.
    for (path, time) in target.folders.iter().rev() {
        if let Ok(dir) = open_beneath(root, path, OFlags::RDONLY | OFlags::DIRECTORY) {
            set_times(&dir, c".", *time, *time)?;
        }
    }
    Ok(())
}

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// A path of an archive, relative to the root; empty for the root itself.
fn inside(path: &[u8]) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
        if part == b".." {
            return Err(refused("it leads out of the archive by `..`"));
        }
        if part.contains(&0) {
            return Err(refused("a name has a zero byte"));
        }
        clean.push(std::ffi::OsStr::from_bytes(part));
    }
    Ok(clean)
}

impl Target<'_> {
    fn entry<R: Read>(&mut self, header: &Header, data: &mut Reader<R>) -> io::Result<()> {
        let path = inside(&header.path)?;
        let Some(name) = path.file_name() else {
            // What an archive says about its own root does not concern the place where it is unpacked.
            return Ok(());
        };
        let above = path.parent().unwrap_or(Path::new(""));
        if self.options.layer && name.as_bytes().starts_with(WHITEOUT) {
            return self.whiteout(above, name.as_bytes());
        }
        self.enter(above)?;
        if self.options.layer {
            self.seen.extend(path.ancestors().map(Path::to_owned));
        }
        let name = CString::new(name.as_bytes())?;
        if self.in_the_way(&name, header.kind)? {
            self.last = None;
            self.enter(above)?;
        }
        let Some((_, dir)) = &self.last else { return Err(Errno::NOENT.into()) };
        match header.kind {
            Kind::Directory => {
                make_dir(dir, &name, 0o700)?;
                self.folders.push((path.clone(), header.modified));
            }
            Kind::File => file(dir, &name, header.size, data)?,
            Kind::Link => return self.link(dir, &name, &header.link),
            Kind::Symlink => {
                if header.link.is_empty() {
                    return Err(refused("it is a link to nothing"));
                }
                rustix::fs::symlinkat(&*header.link, dir, &name)?;
            }
            Kind::Character | Kind::Block if crate::sys::in_user_namespace() => return Ok(()),
            Kind::Character | Kind::Block | Kind::Fifo => {
                let (kind, number) = match header.kind {
                    Kind::Character => (FileType::CharacterDevice, header.device),
                    Kind::Block => (FileType::BlockDevice, header.device),
                    _ => (FileType::Fifo, (0, 0)),
                };
                // An overlay takes this one for the absence of a file.
                if kind == FileType::CharacterDevice && number == (0, 0) {
                    return Err(refused("it is the device 0:0, which cannot be in an image"));
                }
                rustix::fs::mknodat(
                    dir,
                    &name,
                    kind,
                    Mode::RUSR | Mode::WUSR,
                    rustix::fs::makedev(number.0, number.1),
                )?;
            }
        }
        self.attributes(dir, &name, header)
    }

    /// Opens a directory, which is made if there is none.
    fn enter(&mut self, path: &Path) -> io::Result<()> {
        if self.last.as_ref().is_some_and(|(at, _)| at == path) {
            return Ok(());
        }
        let opened = match open_in(self.root, path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let found = resolve(self.root, path, true)?;
                let mut dir = self.root.try_clone_to_owned()?;
                for part in found.path.components() {
                    let name = CString::new(part.as_os_str().as_bytes())?;
                    let (inner, made) = make_dir(&dir, &name, 0o755)?;
                    if made {
                        rustix::fs::fchmod(&inner, Mode::from_raw_mode(0o755))?;
                        if let Some((uid, gid)) = self.options.owner {
                            chown_at(&dir, &name, uid, gid)?;
                        }
                    }
                    dir = inner;
                }
                dir
            }
            outcome => outcome?,
        };
        self.last = Some((path.to_owned(), opened));
        Ok(())
    }

    /// Removes what is where an entry goes, and says whether that was a directory or a link, which paths may lead through.
    fn in_the_way(&self, name: &CStr, kind: Kind) -> io::Result<bool> {
        let Some((_, dir)) = &self.last else { return Ok(false) };
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            outcome => outcome?,
        };
        let there = FileType::from_raw_mode(stat.st_mode);
        if there == FileType::Directory && kind == Kind::Directory {
            return Ok(false);
        }
        remove(dir, name)?;
        Ok(matches!(there, FileType::Directory | FileType::Symlink))
    }

    fn whiteout(&mut self, above: &Path, name: &[u8]) -> io::Result<()> {
        // What is not there need not be removed.
        let Ok(dir) = open_in(self.root, above, OFlags::RDONLY | OFlags::DIRECTORY) else { return Ok(()) };
        self.last = None;
        if name == OPAQUE {
            for entry in list(&dir)? {
                if !self.seen.contains(&above.join(entry.name())) {
                    remove(&dir, &entry.name)?;
                }
            }
            return Ok(());
        }
        let hidden = name.strip_prefix(WHITEOUT).unwrap_or_default();
        if hidden.starts_with(WHITEOUT) {
            // Notes of a storage driver to itself.
            return Ok(());
        }
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(refused("it removes nothing that could be named"));
        }
        remove(&dir, &CString::new(hidden)?)
    }

    fn link(&self, dir: &OwnedFd, name: &CStr, target: &[u8]) -> io::Result<()> {
        let target = inside(target)?;
        let Some(target_name) = target.file_name() else { return Err(refused("it is a link to the root")) };
        let above = target.parent().unwrap_or(Path::new(""));
        let from = open_in(self.root, above, OFlags::PATH | OFlags::DIRECTORY)?;
        let linked = rustix::fs::linkat(&from, target_name, dir, name, AtFlags::empty());
        linked.map_err(|e| match e {
            Errno::NOENT => refused(format!("it is a link to `{}`, which is not there", show(&target))),
            other => other.into(),
        })
    }

    fn attributes(&self, dir: &OwnedFd, name: &CStr, header: &Header) -> io::Result<()> {
        let (uid, gid) = self.options.owner.unwrap_or((header.uid, header.gid));
        chown_at(dir, name, uid, gid)?;
        if header.kind != Kind::Symlink {
            rustix::fs::chmodat(dir, name, Mode::from_raw_mode(header.mode), AtFlags::empty())?;
        }
        for (key, value) in &header.xattrs {
            let Ok(key) = CString::new(&key[..]) else { continue };
            if is_overlay_attribute(&key) {
                continue;
            }
            match rustix::fs::lsetxattr(at_path(dir, name), &key, value, XattrFlags::empty()) {
                // What the file system or the user may not have is left out, as by other tools.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS | Errno::INVAL) => {}
                Err(e) => return Err(e.into()),
            }
        }
        set_times(dir, name, header.modified, header.modified)
    }
}

fn file<R: Read>(dir: &OwnedFd, name: &CStr, size: u64, data: &mut Reader<R>) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(dir.as_fd(), name, flags, Mode::RUSR | Mode::WUSR)?);
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(usize::MAX).clamp(1, 256 << 10)];
    loop {
        let n = data.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..n])?;
    }
}
