//! A file system as plain files: in a directory, or in a tar archive.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rbc_source::execute;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use crate::error::{Result, failure, reason, show};
use crate::fs::{DEPTH_MAX, copy_content, list, open_dir, open_dir_at, remove, set_times, xattrs};
use crate::store::{Snapshot, Store};
use crate::tar::{Header, Kind, Writer};

/// How files are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesOptions {
    /// Later times become this one, in seconds since 1970 (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<i64>,
    /// Of a directory: what it has and the result has not is removed.
    pub delete: bool,
}

impl Store {
    /// Writes the files of a snapshot to a directory, which is made if there is none. They belong to who runs this; times and
    /// permissions stay. What is there under the same name is replaced; devices are left out.
    ///
    /// # Errors
    /// E0817 with the path that cannot be written.
    pub fn export_directory(&self, snapshot: &Snapshot, to: &Path, options: &FilesOptions) -> Result<()> {
        let failed = |path: &Path, e: &io::Error| {
            failure(execute::EXPORT, format!("cannot write {}: {}", show(path), reason(e)))
        };
        let view = self.view(snapshot)?;
        std::fs::create_dir_all(to).map_err(|e| failed(to, &e))?;
        let dir = open_dir(to).map_err(|e| failed(to, &e))?;
        let mut copy = CopyOut { options, path: PathBuf::new(), links: HashMap::new(), root: dir.as_fd() };
        copy.directory(view.root(), dir.as_fd(), 0).map_err(|e| failed(&to.join(&copy.path), &e))
    }

    /// Writes the files of a snapshot as a tar archive. Paths are relative, below `prefix` if that is not empty.
    ///
    /// # Errors
    /// E0817 with what cannot be written.
    pub fn export_tar(
        &self,
        snapshots: &[(String, Snapshot)],
        to: &mut dyn Write,
        options: &FilesOptions,
    ) -> Result<()> {
        let mut writer = Writer::new(to);
        for (prefix, snapshot) in snapshots {
            let view = self.view(snapshot)?;
            let mut pack =
                Pack { writer: &mut writer, options, path: prefix.as_bytes().to_vec(), links: HashMap::new() };
            if !prefix.is_empty() {
                pack.path.push(b'/');
            }
            let done = pack.directory(view.root(), 0);
            let path = String::from_utf8_lossy(&pack.path).into_owned();
            done.map_err(|e| {
                failure(execute::EXPORT, format!("cannot write `{}` to an archive: {}", show(path), reason(&e)))
            })?;
        }
        let to =
            writer.finish().map_err(|e| failure(execute::EXPORT, format!("cannot end an archive: {}", reason(&e))))?;
        to.flush().map_err(|e| failure(execute::EXPORT, format!("cannot end an archive: {}", reason(&e))))
    }
}

struct CopyOut<'a> {
    options: &'a FilesOptions,
    /// Where we are; after a failure, where it was.
    path: PathBuf,
    /// Where the first of several names of a file was written.
    links: HashMap<(u64, u64), PathBuf>,
    root: BorrowedFd<'a>,
}

impl CopyOut<'_> {
    fn directory(&mut self, from: BorrowedFd, to: BorrowedFd, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("directories are nested too deep"));
        }
        let entries = list(from)?;
        if self.options.delete {
            let wanted: std::collections::HashSet<&CStr> = entries.iter().map(|e| &*e.name).collect();
            for there in list(to)? {
                if !wanted.contains(&*there.name) {
                    remove(to, &there.name)?;
                }
            }
        }
        for entry in &entries {
            self.path.push(entry.name());
            self.entry(from, to, &entry.name, depth)?;
            self.path.pop();
        }
        Ok(())
    }

    fn entry(&mut self, from: BorrowedFd, to: BorrowedFd, name: &CStr, depth: usize) -> io::Result<()> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            let there = match open_dir_at(to, name) {
                Err(e) if matches!(e.raw_os_error(), Some(libc::ENOTDIR | libc::ELOOP | libc::ENOENT)) => {
                    remove(to, name)?;
                    rustix::fs::mkdirat(to, name, Mode::RWXU)?;
                    open_dir_at(to, name)?
                }
                outcome => outcome?,
            };
            let inner = open_dir_at(from, name)?;
            self.directory(inner.as_fd(), there.as_fd(), depth + 1)?;
            rustix::fs::fchmod(&there, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
            return self.times(to, name, &stat);
        }
        remove(to, name)?;
        match kind {
            FileType::RegularFile => {
                let key = (stat.st_dev, stat.st_ino);
                if let Some(first) = self.links.get(&key).filter(|_| stat.st_nlink > 1) {
                    return Ok(rustix::fs::linkat(self.root, first, to, name, AtFlags::empty())?);
                }
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut read = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut write = File::from(rustix::fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR)?);
                copy_content(&mut read, &mut write)?;
                rustix::fs::fchmod(&write, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
                if stat.st_nlink > 1 {
                    self.links.insert(key, self.path.clone());
                }
            }
            FileType::Symlink => rustix::fs::symlinkat(rustix::fs::readlinkat(from, name, Vec::new())?, to, name)?,
            FileType::Fifo => {
                rustix::fs::mknodat(to, name, FileType::Fifo, Mode::from_raw_mode(stat.st_mode & 0o7777), 0)?;
            }
            _ => return Ok(()),
        }
        self.times(to, name, &stat)
    }

    fn times(&self, to: BorrowedFd, name: &CStr, stat: &Stat) -> io::Result<()> {
        let time = modified(stat, self.options.epoch);
        set_times(to, name, time, time)
    }
}

/// When a file was changed, but not after the epoch.
pub(super) fn modified(stat: &Stat, epoch: Option<i64>) -> (i64, u32) {
    match epoch {
        Some(epoch) if stat.st_mtime >= epoch => (epoch, 0),
        _ => (stat.st_mtime, stat.st_mtime_nsec as u32),
    }
}

/// What an archive says about a file.
pub(super) fn header(path: Vec<u8>, stat: &Stat, kind: Kind, time: (i64, u32)) -> Header {
    let device = matches!(kind, Kind::Character | Kind::Block);
    Header {
        path,
        link: Vec::new(),
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: if kind == Kind::File { stat.st_size as u64 } else { 0 },
        modified: time,
        device: if device { (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) } else { (0, 0) },
        xattrs: Vec::new(),
    }
}

/// The kind of an entry; a socket cannot be in an archive.
pub(super) fn kind_of(stat: &Stat) -> Option<Kind> {
    Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice => Kind::Character,
        FileType::BlockDevice => Kind::Block,
        FileType::Fifo => Kind::Fifo,
        _ => return None,
    })
}

/// The capabilities of a file, which are what an image keeps of its extended attributes, as in BuildKit.
pub(super) fn capabilities(dir: BorrowedFd, name: &CStr) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let all = xattrs(dir, name)?;
    let kept = all.into_iter().filter(|(key, _): &(CString, Vec<u8>)| &**key == c"security.capability");
    Ok(kept.map(|(key, value)| (key.into_bytes(), value)).collect())
}

struct Pack<'a, W> {
    writer: &'a mut Writer<W>,
    options: &'a FilesOptions,
    path: Vec<u8>,
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Pack<'_, W> {
    fn directory(&mut self, from: BorrowedFd, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("directories are nested too deep"));
        }
        for entry in list(from)? {
            let length = self.path.len();
            self.path.extend(entry.name.to_bytes());
            self.entry(from, &entry.name, depth)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn entry(&mut self, from: BorrowedFd, name: &CStr, depth: usize) -> io::Result<()> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let Some(kind) = kind_of(&stat) else { return Ok(()) };
        let (seconds, _) = modified(&stat, self.options.epoch);
        let mut header = header(self.path.clone(), &stat, kind, (seconds, 0));
        let mut nothing = io::empty();
        match kind {
            Kind::Directory => {
                self.path.push(b'/');
                header.path.push(b'/');
                self.writer.entry(&header, &mut nothing)?;
                self.directory(open_dir_at(from, name)?.as_fd(), depth + 1)
            }
            Kind::File => {
                let key = (stat.st_dev, stat.st_ino);
                if let Some(first) = self.links.get(&key).filter(|_| stat.st_nlink > 1) {
                    (header.kind, header.link, header.size) = (Kind::Link, first.clone(), 0);
                    return self.writer.entry(&header, &mut nothing);
                }
                if stat.st_nlink > 1 {
                    self.links.insert(key, self.path.clone());
                }
                header.xattrs = capabilities(from, name)?;
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
                self.writer.entry(&header, &mut file)
            }
            Kind::Symlink => {
                header.link = rustix::fs::readlinkat(from, name, Vec::new())?.into_bytes();
                self.writer.entry(&header, &mut nothing)
            }
            _ => self.writer.entry(&header, &mut nothing),
        }
    }
}
