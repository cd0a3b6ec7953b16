//! What survives the machine going down.
//!
//! The kernel may write a record to the disk before the layer that it names. To wait for the disk after every step would
//! be slow; instead records carry the number of the epoch in which they were written, and now and then the whole file
//! system is written out, which makes all epochs up to then durable. When the store is opened after a start of the machine
//! that was not there before, records of epochs that were not durable are removed, once.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::sys;

const FILE: &str = "epoch.json";

/// So long after the first record of an epoch it is written out. By then the kernel has done so for most of it.
const SETTLE_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    boot: String,
    current: u64,
    durable: u64,
}

/// The epoch of what is written now.
#[derive(Debug)]
pub(super) struct Epoch {
    current: u64,
}

impl Epoch {
    /// Who opens the store first after a start of the machine removes what may be damaged.
    pub(super) fn open(root: &Path) -> io::Result<Epoch> {
        let boot = sys::boot_id();
        if let Some(state) = read(root).filter(|s| s.boot == boot) {
            return Ok(Epoch { current: state.current });
        }
        let lock = File::open(root.join("results"))?;
        lock.lock()?;
        let state = match read(root) {
            Some(state) if state.boot == boot => state,
            state => {
                let old = state.unwrap_or_default();
                super::records::remove_after(root, old.durable)?;
                let new = State { boot: boot.to_owned(), current: old.current + 1, durable: old.durable };
                write(root, &new)?;
                new
            }
        };
        Ok(Epoch { current: state.current })
    }

    pub(super) fn current(&self) -> u64 {
        self.current
    }

    /// Makes the epoch durable if it has lasted long enough.
    pub(super) fn settle(&self, root: &Path) {
        let path = root.join(FILE);
        let began = fs::metadata(&path).and_then(|m| m.modified());
        let old = began.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|past| past > SETTLE_AFTER));
        if old {
            // Failing changes nothing: the epoch goes on.
            let _ = self.write_out(root);
        }
    }

    fn write_out(&self, root: &Path) -> io::Result<()> {
        let folder = File::open(root.join("results"))?;
        folder.lock()?;
        let Some(state) = read(root).filter(|s| s.current == self.current) else { return Ok(()) };
        rustix::fs::syncfs(&folder)?;
        write(root, &State { current: state.current + 1, durable: state.current, ..state })
    }
}

fn read(root: &Path) -> Option<State> {
    serde_json::from_slice(&fs::read(root.join(FILE)).ok()?).ok()
}

fn write(root: &Path, state: &State) -> io::Result<()> {
    let draft = root.join(format!("{FILE}.{}", sys::random_name()));
    fs::write(&draft, serde_json::to_vec(state)?)?;
    File::open(&draft)?.sync_all()?;
    fs::rename(draft, root.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::testing::Folder;
    use rbc_wire::Digest;

    #[test]
    fn a_crash_of_the_machine_takes_only_what_was_not_durable() {
        let folder = Folder::new();
        let (early, late) = (Digest::of(b"early"), Digest::of(b"late"));
        {
            let store = Store::open(folder.path()).unwrap();
            store.put_result(&early, &[(0, Default::default())]).unwrap();
            store.epoch.write_out(folder.path()).unwrap();
        }
        {
            let store = Store::open(folder.path()).unwrap();
            store.put_result(&late, &[(0, Default::default())]).unwrap();
        }
        let state = read(folder.path()).unwrap();
        assert!(Store::open(folder.path()).unwrap().result(&late).is_some());
        write(folder.path(), &State { boot: "another".to_owned(), ..state.clone() }).unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(store.result(&early).is_some());
        assert!(store.result(&late).is_none());
        assert_eq!(store.epoch.current(), state.current + 1);
    }
}
