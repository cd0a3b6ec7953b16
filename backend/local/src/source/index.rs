//! Hashes of the files of a directory, kept from one build to the next, so that only what changed is read.
//!
//! A file is taken for unchanged if inode, size, modification and change time are as they were; the change time cannot be
//! set by a user. A file that was changed just before it was hashed is not kept: it could change again within the same tick
//! of the clock.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;
use sha2::{Digest as _, Sha256};

const HEAD: &[u8] = b"rbc-index 1\n";
/// Some file systems count time in steps of two seconds.
const TICK: i128 = 2_500_000_000;
/// Those of which that is known take the kernel's clock, which goes in steps of a hundredth of a second at most.
const FINE_TICK: i128 = 50_000_000;
/// Such file systems, by their magic numbers: ext4, xfs, btrfs, tmpfs, overlay.
const FINE: [u64; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630];

/// What a file is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: i128,
    changed: i128,
}

impl Mark {
    pub(super) fn of(stat: &Stat) -> Mark {
        let time = |seconds: i64, nanos: u64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Mark {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn modified(&self) -> i128 {
        self.modified
    }
}

/// Known hashes, by path below the directory.
#[derive(Debug, Default)]
pub(super) struct Index {
    known: HashMap<PathBuf, (Mark, [u8; 32])>,
    began: i128,
    /// The device that counts time in fine steps, if that of the directory does.
    fine: Option<u64>,
    changed: bool,
}

fn now() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i128)
}

impl Index {
    /// Reads what was kept of a directory; what cannot be read is as good as nothing.
    pub(super) fn load(file: &Path, dir: BorrowedFd) -> Index {
        let known = std::fs::read(file).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        let kind = rustix::fs::fstatfs(dir).map(|about| about.f_type as u64);
        let device = rustix::fs::fstat(dir).map(|stat| stat.st_dev);
        let fine = kind.is_ok_and(|kind| FINE.contains(&kind)).then_some(device.ok()).flatten();
        Index { known, began: now(), fine, changed: false }
    }

    /// How long after a change a file may change again and look the same. Old forms of ext4 have whole seconds only.
    fn tick(&self, mark: &Mark) -> i128 {
        let fine = self.fine == Some(mark.device) && mark.changed % 1_000_000_000 != 0;
        if fine { FINE_TICK } else { TICK }
    }

    pub(super) fn get(&self, path: &Path, mark: &Mark) -> Option<[u8; 32]> {
        self.known.get(path).filter(|(m, _)| m == mark).map(|(_, hash)| *hash)
    }

    pub(super) fn set(&mut self, path: PathBuf, mark: Mark, hash: [u8; 32]) {
        self.changed = true;
        if self.began - mark.changed.max(mark.modified) > self.tick(&mark) {
            self.known.insert(path, (mark, hash));
        } else {
            self.known.remove(&path);
        }
    }

    /// The bytes to be kept, if they are others than those that were read. What `keep` does not want is left out.
    pub(super) fn save(&self, keep: impl Fn(&Path) -> bool) -> Option<Vec<u8>> {
        let mut bytes = HEAD.to_vec();
        let mut paths: Vec<_> = self.known.iter().filter(|(path, _)| keep(path)).collect();
        if !self.changed && paths.len() == self.known.len() {
            return None;
        }
        paths.sort_unstable_by_key(|(path, _)| *path);
        for (path, (mark, hash)) in paths {
            let name = path.as_os_str().as_bytes();
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend(name);
            for number in [mark.device, mark.inode, mark.size] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend(mark.modified.to_le_bytes());
            bytes.extend(mark.changed.to_le_bytes());
            bytes.extend(hash);
        }
        let sum = Sha256::digest(&bytes);
        bytes.extend(sum);
        Some(bytes)
    }
}

fn decode(bytes: &[u8]) -> Option<HashMap<PathBuf, (Mark, [u8; 32])>> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if *Sha256::digest(body) != *sum {
        return None;
    }
    let mut rest = body.strip_prefix(HEAD)?;
    let mut known = HashMap::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (device, after) = after.split_first_chunk::<8>()?;
        let (inode, after) = after.split_first_chunk::<8>()?;
        let (size, after) = after.split_first_chunk::<8>()?;
        let (modified, after) = after.split_first_chunk::<16>()?;
        let (changed, after) = after.split_first_chunk::<16>()?;
        let (hash, after) = after.split_first_chunk::<32>()?;
        let mark = Mark {
            device: u64::from_le_bytes(*device),
            inode: u64::from_le_bytes(*inode),
            size: u64::from_le_bytes(*size),
            modified: i128::from_le_bytes(*modified),
            changed: i128::from_le_bytes(*changed),
        };
        known.insert(PathBuf::from(std::ffi::OsString::from_vec(name.to_vec())), (mark, *hash));
        rest = after;
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_and_read_again() {
        let mark = Mark { device: 1, inode: 2, size: 3, modified: 4, changed: -5 };
        let mut index = Index { began: now(), ..Index::default() };
        index.set("a/b".into(), mark, [7; 32]);
        index.set("young".into(), Mark { changed: now(), ..mark }, [8; 32]);
        index.fine = Some(9);
        index.set("coarse".into(), Mark { changed: index.began - FINE_TICK * 2, ..mark }, [8; 32]);
        let recent = Mark { device: 9, changed: (index.began - FINE_TICK * 2) | 1, ..mark };
        assert!(index.began - recent.changed > index.tick(&recent), "it is kept where time goes in fine steps");
        let bytes = index.save(|_| true).unwrap();
        let known = decode(&bytes).unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known[Path::new("a/b")], (mark, [7; 32]));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 4;
            assert!(decode(&bad).is_none());
            assert!(decode(&bytes[..at]).is_none());
        }
        let again = Index { known, ..Index::default() };
        assert_eq!(again.get(Path::new("a/b"), &mark), Some([7; 32]));
        assert_eq!(again.get(Path::new("a/b"), &Mark { size: 4, ..mark }), None);
        assert!(again.save(|_| true).is_none(), "nothing changed");
    }
}
