//! Putting layers on others than those they were made on.
//!
//! A layer of an overlay says what it removes in two ways: a whiteout hides one name, and an opaque directory hides all
//! that is below it. Both are relative to what the layer was made on. To be put elsewhere (merge, diff) a layer is
//! *loosened*: an opaque directory becomes an ordinary one with a whiteout for each name that it hid there, so that it
//! removes the same files and no others. Before a stack with loose layers is used it is *settled*: whiteouts that hide
//! nothing are left out, because the kernel lists them. Files are shared by hard links; nothing is copied.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rbc_source::execute;
use rbc_wire::Digest;
use rustix::fs::{AtFlags, FileType, Mode, XattrFlags};
use rustix::process::{Gid, Uid};

use super::layers::{exists_at, is_overlay_attribute, is_whiteout, make_whiteout, opaque_attribute};
use super::{Draft, Layer, LayerInfo, Snapshot, Store};
use crate::error::{Fail, Result};
use crate::fs::{DEPTH_MAX, list, open_dir, open_dir_at, xattrs};

impl Store {
    /// Each layer of `top` above the first `keep`, as something that can be put on anything. `top` is what they were made
    /// on, themselves included.
    pub(crate) fn loosened(&self, top: &Snapshot, keep: usize) -> Result<Vec<Layer>> {
        let layers = top.layers();
        let mut loose = Vec::new();
        for at in keep..layers.len() {
            let below = Snapshot::new(layers[..at].to_vec());
            loose.push(self.loosen(&layers[at], &below)?);
        }
        Ok(loose)
    }

    fn loosen(&self, layer: &Layer, below: &Snapshot) -> Result<Layer> {
        if layer.is_loose() {
            return Ok(layer.clone());
        }
        let below = self.settled(below)?;
        let key = Digest::of(format!("loosen\n{}\n{}", layer.id(), below.identity()).as_bytes());
        let name = Layer::of(&key);
        // Without anything removed a layer is what it is, which is noted by a record.
        if let Some(known) = self.result(&key).and_then(|outputs| outputs.into_iter().next()) {
            return Ok(known.1.layers().first().cloned().unwrap_or_else(|| layer.clone()));
        }
        let hidden = self.view(&below)?;
        let source =
            open_dir(&self.layer_files(layer)).or_fail(execute::STORE, || format!("read the layer {}", layer.id()))?;
        let removes =
            removes(source.as_fd(), 0).or_fail(execute::STORE, || format!("read the layer {}", layer.id()))?;
        if !removes {
            self.put_result(&key, &[(0, Snapshot::default())])?;
            return Ok(layer.clone());
        }
        let draft = self.draft(Snapshot::default())?;
        let mut copy = Restack { mode: How::Loosen, hidden: hidden.root(), path: PathBuf::new() };
        self.restack(&mut copy, &source, &draft, layer)?;
        let info = LayerInfo { blob: None, ..self.layer_info(layer)? };
        let made = draft.commit_as(name.loosened(), info)?;
        self.put_result(&key, &[(0, made.clone())])?;
        Ok(made.layers()[0].clone())
    }

    /// The same stack for the kernel: without whiteouts that hide nothing.
    pub(crate) fn settled(&self, snapshot: &Snapshot) -> Result<Snapshot> {
        if !snapshot.layers().iter().any(Layer::is_loose) {
            return Ok(snapshot.clone());
        }
        let mut settled = Snapshot::default();
        for layer in snapshot.layers() {
            let layer = if layer.is_loose() { self.settle(layer, &settled)? } else { layer.clone() };
            settled = settled.with(layer);
        }
        Ok(settled)
    }

    fn settle(&self, layer: &Layer, below: &Snapshot) -> Result<Layer> {
        let key = Digest::of(format!("settle\n{}\n{}", layer.id(), below.identity()).as_bytes());
        let name = Layer::of(&key);
        if self.layer_path(&name).is_dir() {
            return Ok(name);
        }
        let view = self.view(below)?;
        let source =
            open_dir(&self.layer_files(layer)).or_fail(execute::STORE, || format!("read the layer {}", layer.id()))?;
        let draft = self.draft(Snapshot::default())?;
        let mut copy = Restack { mode: How::Settle, hidden: view.root(), path: PathBuf::new() };
        self.restack(&mut copy, &source, &draft, layer)?;
        draft.commit_as(name.clone(), self.layer_info(layer)?)?;
        Ok(name)
    }

    fn restack(&self, copy: &mut Restack, source: &OwnedFd, draft: &Draft, layer: &Layer) -> Result<()> {
        let target = open_dir(&draft.files()).or_fail(execute::STORE, || "begin a layer".to_owned())?;
        let done = copy.directory(source.as_fd(), target.as_fd(), 0).and_then(|()| attributes(source, &target));
        done.or_fail(execute::STORE, || format!("put the layer {} on others", layer.id()))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Loosen,
    Settle,
}

struct Restack<'a> {
    mode: How,
    /// What the layer lies on.
    hidden: BorrowedFd<'a>,
    /// Where we are.
    path: PathBuf,
}

impl Restack<'_> {
    fn directory(&mut self, from: BorrowedFd, to: BorrowedFd, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("directories are nested too deep"));
        }
        for entry in list(from)? {
            self.path.push(entry.name());
            let name: &CStr = &entry.name;
            match entry.kind {
                FileType::Directory => {
                    let inner = open_dir_at(from, name)?;
                    let (made, _) = crate::fs::make_dir(to, name, 0o700)?;
                    self.directory(inner.as_fd(), made.as_fd(), depth + 1)?;
                    if self.mode == How::Loosen && is_opaque(from, name)? {
                        self.hide_rest(inner.as_fd(), made.as_fd())?;
                    }
                    attributes(&inner, &made)?;
                }
                FileType::CharacterDevice
                    if is_whiteout(&rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?) =>
                {
                    if self.mode == How::Loosen || self.hides(&self.path) {
                        make_whiteout(to, name)?;
                    }
                }
                _ => rustix::fs::linkat(from, name, to, name, AtFlags::empty())?,
            }
            self.path.pop();
        }
        Ok(())
    }

    fn hides(&self, path: &Path) -> bool {
        crate::fs::open_beneath(self.hidden, path, rustix::fs::OFlags::PATH | rustix::fs::OFlags::NOFOLLOW).is_ok()
    }

    /// Whiteouts for the names below an opaque directory.
    fn hide_rest(&self, own: BorrowedFd, to: BorrowedFd) -> io::Result<()> {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        let Ok(below) = crate::fs::open_beneath(self.hidden, &self.path, flags) else { return Ok(()) };
        for entry in list(&below)? {
            if !exists_at(own, Path::new(entry.name())) {
                make_whiteout(to, &entry.name)?;
            }
        }
        Ok(())
    }
}

/// Whether a layer has a whiteout or an opaque directory.
fn removes(dir: BorrowedFd, depth: usize) -> io::Result<bool> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other("directories are nested too deep"));
    }
    for entry in list(dir)? {
        let found = match entry.kind {
            FileType::Directory => {
                is_opaque(dir, &entry.name)? || removes(open_dir_at(dir, &entry.name)?.as_fd(), depth + 1)?
            }
            FileType::CharacterDevice => is_whiteout(&rustix::fs::statat(dir, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?),
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a directory hides what is below it.
pub(crate) fn is_opaque(dir: impl AsFd, name: &CStr) -> io::Result<bool> {
    let path = crate::fs::at_path(dir, name);
    let mut value = [0; 4];
    match rustix::fs::lgetxattr(&path, opaque_attribute(), &mut value) {
        Ok(n) => Ok(value[..n] == *b"y"),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Owner, mode, attributes and times of a directory, without what belongs to the overlay.
fn attributes(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(from)?;
    rustix::fs::fchown(to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    for (key, value) in xattrs(from, c".")? {
        let key: CString = key;
        if !is_overlay_attribute(&key) {
            rustix::fs::fsetxattr(to, &key, &value, XattrFlags::empty())?;
        }
    }
    let access = (stat.st_atime, stat.st_atime_nsec as u32);
    crate::fs::set_times(to, c".", access, (stat.st_mtime, stat.st_mtime_nsec as u32))
}
