//! The store: layers, results and blobs, as plain files.
//!
//! ```text
//! layers/ID/fs            a layer: the upper directory of an overlay, exactly as the kernel left it
//! layers/ID/info.json     what is known about it
//! layers/ID/blob-*.json   the blob that it became, by compression
//! results/XX/KEY          which layers a vertex or a content key gave
//! blobs/sha256/HEX        image layers, manifests and configs, as they go over the wire
//! digests/XX/KEY          digests of parts of layers
//! contexts/KEY            hashes of the files of a local directory
//! git/KEY                 what was fetched of a git repository
//! caches/KEY              cache mounts
//! locks/KEY               held while a key is being built
//! tmp/SESSION/N           what is being made; SESSION.lock is held by who makes it
//! ```
//!
//! Why files and not a database: every record is written once, found by its key alone, and never changed, so a rename is
//! all the transaction that is needed; any number of processes share it; there is nothing to open, so a build that finds
//! everything done reads a few small files; and `cat` shows what is there. SQLite would cost a C build and about 250 µs a
//! record to be as durable.
//!
//! What makes it safe: a record is renamed into place only after the layers it names are in theirs, so killing any number
//! of processes at any moment leaves only garbage in `tmp`, which the next one to open the store removes. Records carry a
//! checksum. Against the machine itself going down, see [`epoch`].

mod blobs;
mod epoch;
mod layers;
mod prune;
mod records;
mod stack;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rbc_source::execute;
use rbc_wire::Digest;

pub use blobs::BlobInfo;
pub(crate) use blobs::BlobWriter;
pub(crate) use layers::{Draft, View, exists_at, is_overlay_attribute, is_whiteout, make_whiteout};
pub use layers::{Layer, LayerInfo, Snapshot};
pub use prune::{Entry, EntryKind, Prune};
pub(crate) use stack::is_opaque;

use crate::error::{Fail, Result, failure, show};
use crate::sys;
use epoch::Epoch;

/// What the store is called in the file that says that it is one.
const VERSION: &str = "rbc-store 1\n";

/// A store that is open. Several processes may have it open at a time.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Where this process makes things.
    session: PathBuf,
    count: AtomicU64,
    epoch: Epoch,
    /// Held shared while the store is open; who removes things holds it alone.
    _open: File,
    /// Held while `session` is in use.
    _session_lock: File,
}

/// Held while the result of a key is being made.
#[derive(Debug)]
pub(crate) struct KeyLock {
    _file: File,
}

impl Store {
    /// Where the store is if nobody says otherwise: `$XDG_DATA_HOME/rbc`, or `~/.local/share/rbc`.
    pub fn default_path() -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share"))).map(|data| data.join("rbc"))
    }

    /// Opens a store, which is made if there is none, and removes what was left half-made.
    ///
    /// # Errors
    /// If the directory cannot be read or written, or is the store of another version.
    pub fn open(root: &Path) -> Result<Store> {
        Store::open_at(root).map_err(|e| match e.downcast::<OtherVersion>() {
            Ok(_) => failure(
                execute::STORE,
                format!("the store {} is of another version of rbc; remove it, or name another", show(root)),
            ),
            Err(e) => {
                failure(execute::STORE, format!("cannot open the store {}: {}", show(root), crate::error::reason(&e)))
            }
        })
    }

    fn open_at(root: &Path) -> io::Result<Store> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let root = root.canonicalize()?;
        let open = OpenOptions::new().create(true).append(true).open(root.join("lock"))?;
        open.lock_shared()?;
        let mark = root.join("version");
        match fs::read_to_string(&mark) {
            Ok(version) if version == VERSION => {}
            Ok(_) => return Err(io::Error::other(OtherVersion)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                for folder in ["layers", "results", "blobs/sha256", "contexts", "digests", "caches", "locks", "tmp"] {
                    fs::create_dir_all(root.join(folder))?;
                }
                let draft = root.join(format!("version.{}", sys::random_name()));
                fs::write(&draft, VERSION)?;
                fs::rename(draft, mark)?;
            }
            Err(e) => return Err(e),
        }
        let tmp = root.join("tmp");
        let name = sys::random_name();
        let session_lock = OpenOptions::new().create_new(true).append(true).open(tmp.join(format!("{name}.lock")))?;
        session_lock.lock()?;
        let session = tmp.join(&name);
        fs::create_dir(&session)?;
        // An empty directory for a sandbox to mount on, in its own namespace.
        fs::create_dir(session.join("mnt"))?;
        fs::create_dir(session.join("side"))?;
        let epoch = Epoch::open(&root)?;
        let store = Store { root, session, count: AtomicU64::new(0), epoch, _open: open, _session_lock: session_lock };
        store.sweep()?;
        Ok(store)
    }

    /// Removes what processes that are no more left in `tmp`.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join("tmp"))? {
            let lock_path = entry?.path();
            if lock_path.extension().is_none_or(|e| e != "lock") {
                continue;
            }
            let session = lock_path.with_extension("");
            if session == self.session {
                continue;
            }
            let Ok(lock) = OpenOptions::new().append(true).open(&lock_path) else { continue };
            if lock.try_lock().is_ok() {
                // What cannot be removed now is not in the way, and the next one tries again.
                if crate::fs::remove_tree(&session).is_ok() {
                    let _ = fs::remove_file(&lock_path);
                }
            }
        }
        Ok(())
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// An empty directory to mount on, and another.
    pub(crate) fn mount_points(&self) -> (PathBuf, PathBuf) {
        (self.session.join("mnt"), self.session.join("side"))
    }

    /// A path in `tmp` that nobody else uses. There is nothing yet.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.session.join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Writes a small file as a whole or not at all.
    pub(crate) fn publish(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let draft = self.scratch();
        let mut file = OpenOptions::new().write(true).create_new(true).open(&draft)?;
        file.write_all(bytes)?;
        drop(file);
        match fs::rename(&draft, path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::rename(&draft, path)
            }
            outcome => outcome,
        }
    }

    /// Waits until nobody else, in this process or another, makes the result of a key. `None` if `give_up` says so first.
    pub(crate) fn lock_key(&self, key: &Digest, give_up: &dyn Fn() -> bool) -> Result<Option<KeyLock>> {
        let path = self.root.join("locks").join(hex(key));
        loop {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .or_fail(execute::STORE, || format!("open {}", show(&path)))?;
            match file.try_lock() {
                Ok(()) => return Ok(Some(KeyLock { _file: file })),
                Err(fs::TryLockError::WouldBlock) => {
                    if give_up() {
                        return Ok(None);
                    }
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                Err(fs::TryLockError::Error(e)) => {
                    return Err(e).or_fail(execute::STORE, || format!("lock {}", show(&path)));
                }
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if crate::fs::remove_tree(&self.session).is_ok() {
            let _ = fs::remove_file(self.session.with_extension("lock"));
        }
        self.epoch.settle(&self.root);
    }
}

#[derive(Debug)]
struct OtherVersion;

impl std::fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is of another version")
    }
}

impl std::error::Error for OtherVersion {}

/// A key as a file name.
pub(crate) fn hex(key: &Digest) -> String {
    key.0.iter().map(|b| format!("{b:02x}")).collect()
}
