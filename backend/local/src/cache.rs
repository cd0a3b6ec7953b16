//! Results that go to other machines and come from them.
//!
//! A cache is an image: its layers are those of all results, and a field of its config says which keys gave which layers.
//! So it lies in any registry or OCI layout, next to the image or, as *inline* cache, within it.
//!
//! Layers keep their names wherever they go, since content keys are made of them. A layer is fetched when a result that
//! needs it is used, and not before.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rbc_oci::{Platform, Reference};
use rbc_registry::{Client, Descriptor, Image, Layout};
use rbc_source::{execute, image};
use rbc_wire::Digest;
use serde::{Deserialize, Serialize};

use crate::Executor;
use crate::error::{Result, failure};
use crate::session::{Reporter, Session, Silent, SolveError};
use crate::source::{Job, Origin, fetch_blobs, host_platform, unpack};
use crate::store::{BlobInfo, Layer, LayerInfo, Snapshot, Store, hex};

/// The field of an image config that says what is in it.
pub(crate) const FIELD: &str = "rbc.cache.v1";

/// A result, with the keys that it is found by.
#[derive(Clone, Debug)]
pub struct CacheRecord {
    pub(crate) keys: Vec<Digest>,
    pub(crate) outputs: Vec<(u32, Snapshot)>,
}

impl CacheRecord {
    /// Whether it has no layers but those of some results.
    pub fn is_part_of(&self, results: &[Snapshot]) -> bool {
        let within = |layer: &Layer| results.iter().any(|result| result.layers().contains(layer));
        self.outputs.iter().all(|(_, snapshot)| snapshot.layers().iter().all(within))
    }

    /// Layers that may hide files of whatever they are put on cannot be packed; they are made anew where they are needed.
    fn is_portable(&self) -> bool {
        self.outputs.iter().all(|(_, snapshot)| !snapshot.layers().iter().any(Layer::is_loose))
    }
}

impl Store {
    /// All results that are kept.
    ///
    /// # Errors
    /// E0814 if the store cannot be read.
    pub fn cache_records(&self) -> Result<Vec<CacheRecord>> {
        let mut records = Vec::new();
        self.each_result(&mut |key, outputs| records.push(CacheRecord { keys: vec![key], outputs }))?;
        Ok(records)
    }
}

/// What a cache holds, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// One for each layer of the manifest.
    layers: Vec<NamedLayer>,
    records: Vec<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NamedLayer {
    id: String,
    created: i64,
    description: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    keys: Vec<String>,
    /// Outputs, and of each the layers, by number.
    outputs: Vec<(u32, Vec<usize>)>,
}

/// Layers in the order of a manifest, with where each was met: in which snapshot, and at which place.
#[derive(Default)]
pub(crate) struct Shelf {
    places: HashMap<Layer, usize>,
    pub(crate) layers: Vec<(Snapshot, usize)>,
}

impl Shelf {
    /// Takes in the layers of a snapshot.
    pub(crate) fn add(&mut self, snapshot: &Snapshot) {
        for (at, layer) in snapshot.layers().iter().enumerate() {
            if !self.places.contains_key(layer) {
                self.places.insert(layer.clone(), self.layers.len());
                self.layers.push((snapshot.clone(), at));
            }
        }
    }

    /// What is to be written about the records all of whose layers are here.
    pub(crate) fn contents(&self, store: &Store, records: &[CacheRecord]) -> Result<Contents> {
        let mut layers = Vec::new();
        for (snapshot, at) in &self.layers {
            let layer = &snapshot.layers()[*at];
            let info = store.layer_info(layer)?;
            layers.push(NamedLayer { id: layer.id().to_owned(), created: info.created, description: info.description });
        }
        let mut written = Vec::new();
        for record in records.iter().filter(|record| record.is_portable()) {
            let places = |s: &Snapshot| s.layers().iter().map(|l| self.places.get(l).copied()).collect::<Option<_>>();
            let outputs: Option<Vec<_>> =
                record.outputs.iter().map(|(output, snapshot)| Some((*output, places(snapshot)?))).collect();
            if let Some(outputs) = outputs {
                written.push(Record { keys: record.keys.iter().map(hex).collect(), outputs });
            }
        }
        Ok(Contents { layers, records: written })
    }
}

/// The layers of records that can go elsewhere.
pub(crate) fn shelf(records: &[CacheRecord]) -> Shelf {
    let mut shelf = Shelf::default();
    for record in records.iter().filter(|record| record.is_portable()) {
        record.outputs.iter().for_each(|(_, snapshot)| shelf.add(snapshot));
    }
    shelf
}

/// A cache that came from elsewhere.
#[derive(Debug)]
pub struct CacheSource {
    origin: Origin,
    layers: Vec<(Layer, Descriptor, String, LayerInfo)>,
    records: HashMap<String, Vec<(u32, Vec<usize>)>>,
}

impl CacheSource {
    /// A cache in a registry: one of its own, or within an image. `None` if an image holds no cache.
    ///
    /// # Errors
    /// If it cannot be reached, or is not well formed.
    pub fn registry(client: &Client, reference: &Reference) -> Result<Option<CacheSource>> {
        let reference = reference.clone().with_default_tag();
        let found = client.image(&reference, &host_platform())?;
        CacheSource::of(Origin::Registry(Box::new(reference.clone())), found, &reference.familiar())
    }

    /// A cache in an OCI layout, by its tag or digest.
    ///
    /// # Errors
    /// If there is none, or it is not well formed.
    pub fn layout(folder: &Path, tag: Option<&str>, digest: Option<&rbc_oci::Digest>) -> Result<Option<CacheSource>> {
        let layout = Layout::open(folder)?;
        let found = layout.image(&layout.find(tag, digest)?, &host_platform())?;
        CacheSource::of(Origin::Layout(folder.to_path_buf()), found, &folder.display().to_string())
    }

    fn of(origin: Origin, found: Image, name: &str) -> Result<Option<CacheSource>> {
        #[derive(Deserialize)]
        struct Config {
            rootfs: RootFs,
            #[serde(rename = "rbc.cache.v1")]
            contents: Option<Contents>,
        }
        #[derive(Deserialize)]
        struct RootFs {
            diff_ids: Option<Vec<String>>,
        }
        let wrong = |why: String| failure(image::CORRUPT, format!("the cache `{name}` cannot be read: {why}"));
        let config: Config = serde_json::from_slice(&found.config).map_err(|e| wrong(e.to_string()))?;
        let Some(contents) = config.contents else { return Ok(None) };
        let diff_ids = config.rootfs.diff_ids.unwrap_or_default();
        let blobs = found.manifest.layers;
        if contents.layers.len() != blobs.len() || diff_ids.len() != blobs.len() {
            return Err(wrong("it names other layers than it has".to_owned()));
        }
        let mut layers = Vec::new();
        for ((named, blob), diff_id) in contents.layers.into_iter().zip(blobs).zip(diff_ids) {
            let layer = Layer::named(&named.id).filter(|layer| !layer.is_loose());
            let layer = layer.ok_or_else(|| wrong(format!("`{}` is no name of a layer", named.id)))?;
            let info = LayerInfo { created: named.created, description: named.description, blob: None };
            layers.push((layer, blob, diff_id, info));
        }
        let mut records = HashMap::new();
        for record in contents.records {
            if record.outputs.iter().flat_map(|(_, places)| places).any(|place| *place >= layers.len()) {
                return Err(wrong("a result names a layer that is not there".to_owned()));
            }
            for key in record.keys {
                records.insert(key, record.outputs.clone());
            }
        }
        Ok(Some(CacheSource { origin, layers, records }))
    }

    /// How many keys it knows.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Brings everything into the store.
    ///
    /// # Errors
    /// If a layer cannot be fetched or unpacked.
    pub fn take_all(&self, executor: &Executor) -> std::result::Result<(), SolveError> {
        let session = Session::default();
        let report = Reporter { vertex: Digest::of(b"import"), progress: &Silent };
        let job = Job { store: executor.store(), config: executor.config(), session: &session, cancel: &[], report };
        for key in self.records.keys().filter_map(|key| Digest::parse(&format!("sha256:{key}"))) {
            if let Some(taken) = self.take(&job, &key)? {
                executor.store().put_result(&key, &taken)?;
            }
        }
        Ok(())
    }

    /// Whether it knows what a key gives.
    pub(crate) fn has(&self, key: &Digest) -> bool {
        self.records.contains_key(&hex(key))
    }

    /// Brings what a key gives into the store.
    pub(crate) fn take(
        &self,
        job: &Job,
        key: &Digest,
    ) -> std::result::Result<Option<Vec<(u32, Snapshot)>>, SolveError> {
        let Some(outputs) = self.records.get(&hex(key)) else { return Ok(None) };
        let mut taken = Vec::new();
        for (output, places) in outputs {
            let wanted = || places.iter().filter_map(|place| self.layers.get(*place));
            let missing: Vec<&Descriptor> = wanted()
                .filter(|(layer, ..)| !job.store.layer_path(layer).is_dir())
                .map(|(_, blob, ..)| blob)
                .collect();
            fetch_blobs(job, &self.origin, &missing)?;
            let mut snapshot = Snapshot::default();
            for (layer, blob, diff_id, info) in wanted() {
                let name = Digest::of(format!("cached-layer\n{}", layer.id()).as_bytes());
                let give_up = || job.cancel.iter().any(|c| c.is_cancelled());
                let _lock = job.store.lock_key(&name, &give_up)?.ok_or_else(SolveError::cancelled)?;
                snapshot = match job.store.layer_path(layer).is_dir() {
                    true => snapshot.with(layer.clone()),
                    false => unpack(job, snapshot, layer.clone(), blob, diff_id, info.clone())?,
                };
            }
            taken.push((*output, snapshot));
        }
        Ok(Some(taken))
    }
}

/// The config of an image that is only a cache.
pub(crate) fn config(platform: &Platform, blobs: &[BlobInfo], contents: &Contents) -> Result<Vec<u8>> {
    let mut fields = BTreeMap::new();
    fields.insert("architecture", serde_json::Value::from(platform.architecture.as_str()));
    fields.insert("os", platform.os.as_str().into());
    let diff_ids: Vec<&str> = blobs.iter().map(|blob| blob.diff_id.as_str()).collect();
    fields.insert("rootfs", serde_json::json!({"type": "layers", "diff_ids": diff_ids}));
    let wrong = |e: serde_json::Error| failure(execute::EXPORT, format!("cannot write a cache: {e}"));
    fields.insert(FIELD, serde_json::to_value(contents).map_err(wrong)?);
    serde_json::to_vec(&fields).map_err(wrong)
}
