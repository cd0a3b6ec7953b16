//! What the store holds, and removing what is not worth its room.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rbc_source::execute;

use super::layers::{Layer, LayerInfo};
use super::{BlobInfo, Store, records};
use crate::error::{Fail, Result, failure};

/// What something in the store is; in words, by BuildKit's names where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A layer, with the blobs that were made of it (`regular`).
    Layer,
    /// A cache mount (`exec.cachemount`).
    CacheMount,
    /// A git repository (`source.git.checkout`).
    Git,
    /// An index of a local directory, or a note about a source (`source.local`).
    Source,
    /// Blobs of images, and digests of parts of layers (`internal`).
    Internal,
}

impl EntryKind {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            EntryKind::Layer => "regular",
            EntryKind::CacheMount => "exec.cachemount",
            EntryKind::Git => "source.git.checkout",
            EntryKind::Source => "source.local",
            EntryKind::Internal => "internal",
        }
    }
}

/// Something in the store that can be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: String,
    /// What it is.
    pub kind: EntryKind,
    /// The room that it takes on the disk, in bytes.
    pub size: u64,
    /// When it was made.
    pub created: SystemTime,
    /// When it was last used.
    pub used: SystemTime,
    /// What made it.
    pub description: String,
    /// Whether a result needs it.
    pub needed: bool,
    /// How many layers lie below it.
    depth: usize,
    paths: Vec<PathBuf>,
}

/// What to remove. Without limits it is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Only what was not used for so long.
    pub until: Option<Duration>,
    /// The longest unused first, until no more than this is left, in bytes.
    pub keep: Option<u64>,
}

impl Store {
    /// Lists what there is, the longest unused first.
    ///
    /// # Errors
    /// E0814 if the store cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        self.list_entries().or_fail(execute::STORE, || format!("read the store {}", self.root().display()))
    }

    fn list_entries(&self) -> io::Result<Vec<Entry>> {
        let used = self.last_used()?;
        let mut blobs: HashMap<String, PathBuf> = HashMap::new();
        for (path, _) in files(&self.root.join("blobs/sha256"))? {
            blobs.insert(name_of(&path), path);
        }
        let mut entries = Vec::new();
        for (path, about) in files(&self.root.join("layers"))? {
            let id = name_of(&path);
            let Some(layer) = Layer::named(&id) else { continue };
            let info: LayerInfo =
                fs::read(path.join("info.json")).ok().and_then(|j| serde_json::from_slice(&j).ok()).unwrap_or_default();
            let created = UNIX_EPOCH + Duration::from_secs(u64::try_from(info.created).unwrap_or_default());
            let mut paths = vec![path.clone()];
            for blob in blobs_of(&path, &info)? {
                paths.extend(blob.digest.strip_prefix("sha256:").and_then(|hex| blobs.remove(hex)));
            }
            let known = used.get(&layer);
            entries.push(Entry {
                id,
                kind: EntryKind::Layer,
                size: size(&paths)?,
                created,
                used: known.map_or(about.modified()?, |(at, _)| *at),
                description: info.description,
                needed: known.is_some(),
                depth: known.map_or(usize::MAX, |(_, depth)| *depth),
                paths,
            });
        }
        let mut add = |kind: EntryKind, paths: Vec<PathBuf>, about: &Metadata, description: &str| -> io::Result<()> {
            let at = about.modified()?;
            let id = paths.first().map(|path| name_of(path)).unwrap_or_default();
            let size = size(&paths)?;
            let description = description.to_owned();
            entries.push(Entry { id, kind, size, created: at, used: at, description, needed: false, depth: 0, paths });
            Ok(())
        };
        for (path, about) in files(&self.root.join("caches"))? {
            if about.is_dir() {
                let lock = path.with_extension("lock");
                let about = fs::metadata(&lock).unwrap_or(about);
                add(EntryKind::CacheMount, vec![path, lock], &about, "a cache mount")?;
            }
        }
        for (path, about) in files(&self.root.join("git"))? {
            add(EntryKind::Git, vec![path], &about, "a git repository")?;
        }
        for (path, about) in files(&self.root.join("contexts"))? {
            add(EntryKind::Source, vec![path], &about, "what is known about a source")?;
        }
        for path in blobs.into_values() {
            let about = fs::metadata(&path)?;
            add(EntryKind::Internal, vec![path], &about, "a blob of an image")?;
        }
        for (path, _) in files(&self.root.join("digests"))? {
            for (path, about) in files(&path)? {
                add(EntryKind::Internal, vec![path], &about, "the digest of files")?;
            }
        }
        // Of layers that were used together, those on top go first, so that what is left is of use.
        entries.sort_by(|a, b| a.used.cmp(&b.used).then(b.depth.cmp(&a.depth)).then(a.id.cmp(&b.id)));
        Ok(entries)
    }

    /// When each layer that a result names was last used, and how many are at most below it.
    fn last_used(&self) -> io::Result<HashMap<Layer, (SystemTime, usize)>> {
        let mut used: HashMap<Layer, (SystemTime, usize)> = HashMap::new();
        records::each(&self.root, &mut |_, about, outputs| {
            for (_, snapshot) in outputs {
                for (depth, layer) in snapshot.layers().iter().enumerate() {
                    let known = used.entry(layer.clone()).or_insert((UNIX_EPOCH, 0));
                    *known = (known.0.max(about.modified()?), known.1.max(depth));
                }
            }
            Ok(())
        })?;
        Ok(used)
    }

    /// Removes entries that are `chosen`, within the limits, and gives them. Results that need a removed layer are forgotten.
    ///
    /// # Errors
    /// E0814 if another process has the store open, or something cannot be removed.
    pub fn prune(&self, limits: &Prune, chosen: &dyn Fn(&Entry) -> bool) -> Result<Vec<Entry>> {
        if self._open.try_lock().is_err() {
            // Asking for more lets go of what was held.
            self._open.lock_shared().or_fail(execute::STORE, || "lock the store".to_owned())?;
            let found = *failure(execute::STORE, "the store is in use by another process");
            return Err(Box::new(found.note("remove from it when no build runs")));
        }
        let removed = self.remove_entries(limits, chosen);
        // Who comes now may share it again.
        let shared = self._open.lock_shared();
        let what = || format!("remove from the store {}", self.root().display());
        let removed = removed.or_fail(execute::STORE, what)?;
        shared.or_fail(execute::STORE, what)?;
        Ok(removed)
    }

    fn remove_entries(&self, limits: &Prune, chosen: &dyn Fn(&Entry) -> bool) -> io::Result<Vec<Entry>> {
        let entries = self.list_entries()?;
        let now = SystemTime::now();
        let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
        let mut removed = Vec::new();
        for entry in entries {
            let old = limits.until.is_none_or(|age| now.duration_since(entry.used).is_ok_and(|past| past >= age));
            let over = limits.keep.is_none_or(|keep| total > keep);
            if old && over && chosen(&entry) {
                total -= entry.size;
                removed.push(entry);
            }
        }
        let gone: HashSet<&str> = removed.iter().filter(|e| e.kind == EntryKind::Layer).map(|e| &*e.id).collect();
        // First what names a layer, so that whoever is killed here leaves nothing that is named and not there.
        records::each(&self.root, &mut |path, _, outputs| {
            let layers = outputs.iter().flat_map(|(_, snapshot)| snapshot.layers());
            match layers.into_iter().any(|layer| gone.contains(layer.id())) {
                true => fs::remove_file(path),
                false => Ok(()),
            }
        })?;
        for path in removed.iter().flat_map(|entry| &entry.paths) {
            crate::fs::remove_tree(path)?;
        }
        Ok(removed)
    }
}

/// The blobs that were made of a layer, or that it was made of.
fn blobs_of(layer: &Path, info: &LayerInfo) -> io::Result<Vec<BlobInfo>> {
    let mut blobs: Vec<BlobInfo> = info.blob.iter().cloned().collect();
    for (path, _) in files(layer)? {
        if name_of(&path).starts_with("blob-") {
            blobs.extend(fs::read(&path).ok().and_then(|json| serde_json::from_slice::<BlobInfo>(&json).ok()));
        }
    }
    Ok(blobs)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What is in a directory; nothing if there is none.
fn files(dir: &Path) -> io::Result<BTreeMap<PathBuf, Metadata>> {
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        found.insert(entry.path(), entry.metadata()?);
    }
    Ok(found)
}

/// The room that trees take on the disk. What has several names counts once.
fn size(paths: &[PathBuf]) -> io::Result<u64> {
    let mut met = HashSet::new();
    let mut left: Vec<PathBuf> = paths.to_vec();
    let mut size = 0;
    while let Some(path) = left.pop() {
        let about = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            about => about?,
        };
        if about.nlink() > 1 && !about.is_dir() && !met.insert((about.dev(), about.ino())) {
            continue;
        }
        size += about.blocks() * 512;
        if about.is_dir() {
            left.extend(files(&path)?.into_keys());
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Snapshot;
    use crate::testing::Folder;
    use rbc_wire::Digest;

    fn layer(store: &Store, below: Snapshot, name: &str) -> Snapshot {
        let draft = store.draft(below).unwrap();
        fs::write(draft.files().join(name), vec![1; 100_000]).unwrap();
        let made = draft.commit(name).unwrap();
        store.put_result(&Digest::of(name.as_bytes()), &[(0, made.clone())]).unwrap();
        made
    }

    #[test]
    fn what_is_on_top_goes_first_and_its_results_with_it() {
        let folder = Folder::new();
        let store = Store::open(folder.path()).unwrap();
        let base = layer(&store, Snapshot::default(), "base");
        layer(&store, base, "top");
        let entries = store.entries().unwrap();
        let names: Vec<&str> = entries.iter().map(|e| &*e.description).collect();
        assert_eq!(names, ["top", "base"]);
        assert!(entries.iter().all(|e| e.size > 100_000 && e.needed));
        let removed = store.prune(&Prune { until: None, keep: Some(entries[1].size) }, &|_| true).unwrap();
        assert_eq!(removed.len(), 1);
        let known = |name: &str| store.result(&Digest::of(name.as_bytes())).is_some();
        assert_eq!((known("base"), known("top")), (true, false));
        let hour = Prune { until: Some(Duration::from_secs(3600)), keep: None };
        assert!(store.prune(&hour, &|_| true).unwrap().is_empty());
        store.prune(&Prune::default(), &|_| true).unwrap();
        assert!(store.entries().unwrap().is_empty() && !known("base"));
    }

    #[test]
    fn nothing_is_removed_while_another_uses_the_store() {
        let folder = Folder::new();
        let store = Store::open(folder.path()).unwrap();
        let other = Store::open(folder.path()).unwrap();
        assert!(store.prune(&Prune::default(), &|_| true).is_err());
        drop(other);
        assert!(store.prune(&Prune::default(), &|_| true).is_ok());
    }
}
