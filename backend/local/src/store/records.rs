//! Results: which layers a key gave.
//!
//! ```text
//! rbc-result 1
//! epoch 3
//! out 0 4be7... 91aa...
//! sum 0f3c...
//! ```

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rbc_source::execute;
use rbc_wire::Digest;

use super::layers::{Layer, Snapshot};
use super::{Store, hex};
use crate::error::{Fail, Result};

const HEAD: &str = "rbc-result 1";
/// A record that is used is marked so if it was not for this long.
const MARK_AFTER: Duration = Duration::from_secs(3600);

impl Store {
    /// What a key gave, output by output, if that is known and all of it is here. A record that is damaged is none.
    pub(crate) fn result(&self, key: &Digest) -> Option<Vec<(u32, Snapshot)>> {
        let mut file = fs::File::open(self.record_path(key)).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let (_, outputs) = parse(&text)?;
        let here = |s: &Snapshot| s.layers().iter().all(|layer| self.layer_path(layer).is_dir());
        if !outputs.iter().all(|(_, s)| here(s)) {
            return None;
        }
        // By this it is known what is worth keeping; to the hour will do.
        let age = file.metadata().and_then(|about| about.modified()).map(|at| at.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > MARK_AFTER)) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(outputs)
    }

    /// Notes what a key gave.
    pub(crate) fn put_result(&self, key: &Digest, outputs: &[(u32, Snapshot)]) -> Result<()> {
        let mut text = format!("{HEAD}\nepoch {}\n", self.epoch.current());
        for (output, snapshot) in outputs {
            text.push_str(&format!("out {output}"));
            for layer in snapshot.layers() {
                text.push(' ');
                text.push_str(layer.id());
            }
            text.push('\n');
        }
        text.push_str(&format!("sum {}\n", hex(&Digest::of(text.as_bytes()))));
        let path = self.record_path(key);
        self.publish(&path, text.as_bytes()).or_fail(execute::STORE, || format!("write {}", path.display()))
    }

    /// Shows every result of which all is here.
    pub(crate) fn each_result(&self, show: &mut dyn FnMut(Digest, Vec<(u32, Snapshot)>)) -> Result<()> {
        let mut keys = Vec::new();
        let named = |path: &Path| Digest::parse(&format!("sha256:{}", path.file_name()?.to_str()?));
        let listed = each(&self.root, &mut |path, _, _| {
            keys.extend(named(path));
            Ok(())
        });
        listed.or_fail(execute::STORE, || format!("read the store {}", self.root.display()))?;
        keys.sort_unstable();
        for key in keys {
            if let Some(outputs) = self.result(&key) {
                show(key, outputs);
            }
        }
        Ok(())
    }

    fn record_path(&self, key: &Digest) -> PathBuf {
        let name = hex(key);
        self.root.join("results").join(&name[..2]).join(name)
    }
}

/// The epoch of a record, and the outputs.
fn parse(text: &str) -> Option<(u64, Vec<(u32, Snapshot)>)> {
    let at = text.rfind("sum ")?;
    let (body, sum) = text.split_at(at);
    if sum.strip_prefix("sum ")?.strip_suffix('\n')? != hex(&Digest::of(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != HEAD {
        return None;
    }
    let epoch = lines.next()?.strip_prefix("epoch ")?.parse().ok()?;
    let mut outputs = Vec::new();
    for line in lines {
        let mut words = line.strip_prefix("out ")?.split(' ');
        let output = words.next()?.parse().ok()?;
        let layers: Option<Vec<Layer>> = words.map(Layer::named).collect();
        outputs.push((output, Snapshot::new(layers?)));
    }
    Some((epoch, outputs))
}

/// Shows each record that is whole.
pub(super) fn each(
    root: &Path,
    show: &mut dyn FnMut(&Path, &Metadata, &[(u32, Snapshot)]) -> io::Result<()>,
) -> io::Result<()> {
    for folder in fs::read_dir(root.join("results"))? {
        let Ok(records) = fs::read_dir(folder?.path()) else { continue };
        for record in records {
            let record = record?;
            let text = fs::read_to_string(record.path()).unwrap_or_default();
            if let Some((_, outputs)) = parse(&text) {
                show(&record.path(), &record.metadata()?, &outputs)?;
            }
        }
    }
    Ok(())
}

/// Removes the records that were written after an epoch.
pub(super) fn remove_after(root: &Path, durable: u64) -> io::Result<()> {
    for folder in fs::read_dir(root.join("results"))? {
        let Ok(records) = fs::read_dir(folder?.path()) else { continue };
        for record in records {
            let path = record?.path();
            let epoch = fs::read_to_string(&path).ok().and_then(|text| parse(&text)).map(|(epoch, _)| epoch);
            if epoch.is_none_or(|epoch| epoch > durable) {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn a_damaged_record_is_none() {
        let folder = Folder::new();
        let store = Store::open(folder.path()).unwrap();
        let key = Digest::of(b"key");
        let layer = store.draft(Snapshot::default()).unwrap().commit("test").unwrap();
        store.put_result(&key, &[(0, layer.clone()), (2, Snapshot::default())]).unwrap();
        assert_eq!(store.result(&key), Some(vec![(0, layer.clone()), (2, Snapshot::default())]));
        let path = store.record_path(&key);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(store.result(&key), None, "bit of byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert_eq!(store.result(&key), None, "cut at {at}");
        }
        fs::write(&path, &good).unwrap();
        assert!(store.result(&key).is_some());
        fs::remove_dir_all(store.layer_path(&layer.layers()[0])).unwrap();
        assert_eq!(store.result(&key), None, "the layer is gone");
    }

    #[test]
    fn a_record_names_no_path() {
        let body = format!("{HEAD}\nepoch 1\nout 0 ../../etc\n");
        let text = format!("{body}sum {}\n", hex(&Digest::of(body.as_bytes())));
        assert!(parse(&text).is_none());
    }
}
