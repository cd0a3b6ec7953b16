//! The last copy of a directory of the user's, which lends the next one the files that are the same.
//!
//! A directory is copied into the store where it cannot be read in place, as a mount of it. When a file of it has changed,
//! all others are linked and not copied: layers never change, so that two can share a file.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rbc_wire::Digest;
use rustix::fs::{AtFlags, FileType};
use sha2::{Digest as _, Sha256};

use super::local::LocalEntry;
use crate::fs::open_dir;
use crate::store::{Layer, Store, hex};

const HEAD: &[u8] = b"rbc-copy 1\n";

/// What makes a file the same: its contents, its mode, and when it was modified.
type Same = ([u8; 32], u32, i128);

/// A copy of a directory.
#[derive(Debug)]
pub(crate) struct Donor {
    files: OwnedFd,
    known: HashMap<PathBuf, Same>,
}

fn place(store: &Store, root: &Path) -> PathBuf {
    store.root().join("contexts").join(format!("{}.copy", hex(&Digest::of(root.as_os_str().as_bytes()))))
}

fn same(entry: &LocalEntry) -> Same {
    (entry.hash, entry.mode, entry.modified())
}

impl Donor {
    /// The last copy of a directory, if there is one and it is still here.
    pub(crate) fn of(store: &Store, root: &Path) -> Option<Donor> {
        let (layer, known) = decode(&std::fs::read(place(store, root)).ok()?)?;
        Some(Donor { files: open_dir(&store.layer_files(&layer)).ok()?, known })
    }

    /// Notes a copy.
    pub(crate) fn keep(
        store: &Store,
        root: &Path,
        layer: &Layer,
        entries: &BTreeMap<PathBuf, LocalEntry>,
    ) -> std::io::Result<()> {
        store.publish(&place(store, root), &encode(layer, entries))
    }

    /// Gives a file of the copy a further name, if it is the same as one of the user's.
    pub(crate) fn lend(&self, path: &Path, entry: &LocalEntry, to: BorrowedFd, name: &CStr) -> bool {
        if self.known.get(path) != Some(&same(entry)) {
            return false;
        }
        let Ok(from) = CString::new(path.as_os_str().as_bytes()) else { return false };
        // It may be gone, or have as many names as the file system allows.
        rustix::fs::linkat(&self.files, from, to, name, AtFlags::empty()).is_ok()
    }
}

fn encode(layer: &Layer, entries: &BTreeMap<PathBuf, LocalEntry>) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    bytes.extend(layer.id().as_bytes());
    bytes.push(b'\n');
    for (path, entry) in entries.iter().filter(|(_, entry)| entry.kind == FileType::RegularFile) {
        let name = path.as_os_str().as_bytes();
        let (hash, mode, modified) = same(entry);
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend(name);
        bytes.extend(hash);
        bytes.extend(mode.to_le_bytes());
        bytes.extend(modified.to_le_bytes());
    }
    let sum = Sha256::digest(&bytes);
    bytes.extend(sum);
    bytes
}

fn decode(bytes: &[u8]) -> Option<(Layer, HashMap<PathBuf, Same>)> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if *Sha256::digest(body) != *sum {
        return None;
    }
    let rest = body.strip_prefix(HEAD)?;
    let (layer, mut rest) = rest.split_at_checked(rest.iter().position(|b| *b == b'\n')?)?;
    let layer = Layer::named(std::str::from_utf8(layer).ok()?)?;
    rest = rest.strip_prefix(b"\n")?;
    let mut known = HashMap::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (hash, after) = after.split_first_chunk::<32>()?;
        let (mode, after) = after.split_first_chunk::<4>()?;
        let (modified, after) = after.split_first_chunk::<16>()?;
        let same = (*hash, u32::from_le_bytes(*mode), i128::from_le_bytes(*modified));
        known.insert(PathBuf::from(std::ffi::OsString::from_vec(name.to_vec())), same);
        rest = after;
    }
    Some((layer, known))
}
