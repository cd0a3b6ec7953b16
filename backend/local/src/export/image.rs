//! Images: config, history and manifest, as BuildKit writes them (exporter/containerimage/writer.go), and where they go.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rbc_oci::{History, ImageConfig, Platform, Reference, Time, write_json_string};
use rbc_registry::{Descriptor, Index, Layout, Manifest, media};
use rbc_source::execute;
use serde_json::value::RawValue;

use super::layer::LayerOptions;
use super::time::Moment;
use crate::cache::{CacheRecord, Contents, Shelf};
use crate::error::{Fail, Result, failure, reason, show};
use crate::source::host_platform;
use crate::store::{BlobInfo, Snapshot, Store};
use crate::tar::{Compression, Header, Kind, Writer};

/// How BuildKit marks history that it had to make up.
const MADE_UP: &str = "buildkit.exporter.image.v0";
/// Where programs are looked for in an image of which nothing else is known.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One platform of an image.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// What it is for; `None` is what its config says, and no list of platforms is made of one such part.
    pub platform: Option<Platform>,
    /// Its files.
    pub snapshot: Snapshot,
    /// Its config, as the frontend wrote it; `None` is an empty one.
    pub config: Option<Vec<u8>>,
    /// The history of its base image, whose times an epoch leaves alone.
    pub base_history: Vec<History>,
    /// Annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
    /// Results of which those that need no other layers are noted in its config, so that the image is a cache as well.
    pub cache: Vec<CacheRecord>,
}

/// How an image is written.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    /// How new layers are compressed.
    pub compression: Compression,
    /// Whether layers of base images are compressed in the same way, instead of staying what they are.
    pub force_compression: bool,
    /// Whether manifests and layers have OCI's media types, and not Docker's.
    pub oci_types: bool,
    /// Later times in config and history become this one, in seconds since 1970 (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<i64>,
    /// Whether the times of files in new layers are limited by the epoch as well.
    pub rewrite_timestamps: bool,
    /// Annotations of the index, if there is one.
    pub index_annotations: BTreeMap<String, String>,
}

impl Default for ImageOptions {
    fn default() -> Self {
        ImageOptions {
            compression: Compression::default(),
            force_compression: false,
            oci_types: true,
            epoch: None,
            rewrite_timestamps: false,
            index_annotations: BTreeMap::new(),
        }
    }
}

/// An image whose blobs are all in the store.
#[derive(Clone, Debug)]
pub struct Exported {
    /// What the name of the image stands for: its manifest, or the index of several.
    pub top: Descriptor,
    /// The manifests of its platforms.
    pub manifests: Vec<(Descriptor, Manifest)>,
}

impl Exported {
    /// All blobs, each once: layers, configs, manifests, and the index last.
    pub fn blobs(&self) -> Vec<Descriptor> {
        let mut blobs: Vec<Descriptor> = Vec::new();
        let mut add = |blob: &Descriptor| {
            if !blobs.iter().any(|b| b.digest == blob.digest) {
                blobs.push(blob.clone());
            }
        };
        for (descriptor, manifest) in &self.manifests {
            manifest.layers.iter().chain([&manifest.config, descriptor]).for_each(&mut add);
        }
        add(&self.top);
        blobs
    }
}

/// Where an image goes.
pub enum ImageTarget<'a> {
    /// A folder, which is made an OCI layout.
    Layout(&'a Path),
    /// An OCI layout as a tar archive.
    OciArchive(&'a mut dyn Write),
    /// A tar archive that `docker load` reads, which is an OCI layout as well.
    DockerArchive(&'a mut dyn Write),
}

impl Store {
    /// Makes an image of results: its layers, configs and manifests are in the store afterwards.
    ///
    /// # Errors
    /// E0817 if a config cannot be used, E0814 if the store cannot be written.
    pub fn make_image(&self, parts: &[Part], options: &ImageOptions) -> Result<Exported> {
        let mut manifests = Vec::new();
        for part in parts {
            manifests.push(self.make_manifest(part, options)?);
        }
        let top = match &manifests[..] {
            [(only, _)] if parts.iter().all(|part| part.platform.is_none()) => only.clone(),
            _ => {
                let mut index = Index::new(manifests.iter().map(|(descriptor, _)| descriptor.clone()).collect());
                index.annotations = options.index_annotations.clone();
                if !options.oci_types {
                    index.media_type = Some(media::DOCKER_LIST.to_owned());
                }
                let media_type = index.media_type.clone().unwrap_or_default();
                let json = serde_json::to_vec_pretty(&index).map_err(bad_json)?;
                let (digest, size) = self.put_blob(&json)?;
                Descriptor::new(&media_type, digest, size)
            }
        };
        Ok(Exported { top, manifests })
    }

    fn make_manifest(&self, part: &Part, options: &ImageOptions) -> Result<(Descriptor, Manifest)> {
        let snapshot = self.settled(&part.snapshot)?;
        let layer_options = LayerOptions {
            compression: options.compression,
            force: options.force_compression,
            epoch: options.epoch.filter(|_| options.rewrite_timestamps),
        };
        let mut blobs: Vec<BlobInfo> = Vec::new();
        let mut about = Vec::new();
        for at in 0..snapshot.layers().len() {
            blobs.push(self.layer_blob(&snapshot, at, &layer_options)?);
            about.push(self.layer_info(&snapshot.layers()[at])?);
        }
        let made: Vec<Made> = about.iter().map(|i| Made { at: i.created, by: &i.description }).collect();
        let mut shelf = Shelf::default();
        shelf.add(&snapshot);
        let cache = match &part.cache[..] {
            [] => None,
            records => Some(shelf.contents(self, records)?),
        };
        let config = config(part, &blobs, &made, options.epoch, cache.as_ref())?;
        self.manifest_of(part, options, &blobs, &config)
    }

    /// Makes an image of all layers of results, which says in its config what they are: a cache.
    ///
    /// # Errors
    /// Those of [`Store::make_image`].
    pub fn make_cache(&self, records: &[CacheRecord], compression: Compression) -> Result<Exported> {
        let options = ImageOptions { compression, ..ImageOptions::default() };
        let layer_options = LayerOptions { compression, ..LayerOptions::default() };
        let shelf = crate::cache::shelf(records);
        let mut blobs = Vec::new();
        for (snapshot, at) in &shelf.layers {
            blobs.push(self.layer_blob(snapshot, *at, &layer_options)?);
        }
        let config = crate::cache::config(&host_platform(), &blobs, &shelf.contents(self, records)?)?;
        let made = self.manifest_of(&Part::default(), &options, &blobs, &config)?;
        Ok(Exported { top: made.0.clone(), manifests: vec![made] })
    }

    fn manifest_of(
        &self,
        part: &Part,
        options: &ImageOptions,
        blobs: &[BlobInfo],
        config: &[u8],
    ) -> Result<(Descriptor, Manifest)> {
        let types = Types::new(options.oci_types);
        let (config_digest, config_size) = self.put_blob(config)?;
        let mut layers = Vec::new();
        for blob in blobs {
            let digest = rbc_oci::Digest::parse(&blob.digest)
                .map_err(|e| failure(execute::STORE, format!("`{}` is no digest: {e}", show(&blob.digest))))?;
            layers.push(Descriptor::new(types.layer(&blob.media_type), digest, blob.size));
        }
        let mut manifest = Manifest::new(Descriptor::new(types.config, config_digest, config_size), layers);
        manifest.media_type = Some(types.manifest.to_owned());
        manifest.annotations = part.annotations.clone();
        let json = serde_json::to_vec_pretty(&manifest).map_err(bad_json)?;
        let (digest, size) = self.put_blob(&json)?;
        let mut descriptor = Descriptor::new(types.manifest, digest, size);
        descriptor.platform.clone_from(&part.platform);
        Ok((descriptor, manifest))
    }

    /// Writes an image under names, each a reference; without any it has none.
    ///
    /// # Errors
    /// E0817 or E0309 with what cannot be written.
    pub fn export_image(&self, image: &Exported, names: &[Reference], target: ImageTarget) -> Result<()> {
        match target {
            ImageTarget::Layout(folder) => {
                let layout = Layout::create(folder)?;
                for blob in image.blobs() {
                    if !layout.has(&blob) {
                        let mut writer = layout.writer(&blob)?;
                        let copied = io::copy(&mut self.open_blob(&blob.digest)?, &mut writer);
                        copied.or_fail(execute::EXPORT, || format!("write the layout {}", show(folder)))?;
                        writer.finish()?;
                    }
                }
                if names.is_empty() {
                    layout.list(image.top.clone(), None)?;
                }
                for name in names {
                    layout.list(image.top.clone(), Some(&name.to_string()))?;
                }
                Ok(())
            }
            ImageTarget::OciArchive(to) => self.archive(image, names, to, false),
            ImageTarget::DockerArchive(to) => self.archive(image, names, to, true),
        }
    }

    fn archive(&self, image: &Exported, names: &[Reference], to: &mut dyn Write, docker: bool) -> Result<()> {
        let mut small: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut entries = Vec::new();
        for name in names {
            let mut entry = image.top.clone();
            let tag = name.tag().map_or_else(|| name.to_string(), str::to_owned);
            entry.annotations.insert("io.containerd.image.name".to_owned(), name.to_string());
            entry.annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag);
            entries.push(entry);
        }
        if names.is_empty() {
            entries.push(image.top.clone());
        }
        small.insert("index.json".to_owned(), serde_json::to_vec(&Index::new(entries)).map_err(bad_json)?);
        small.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        if docker {
            let [(_, manifest)] = &image.manifests[..] else {
                return Err(failure(execute::EXPORT, "an archive for docker holds an image for one platform only"));
            };
            small.insert("manifest.json".to_owned(), docker_manifest(manifest, names));
        }
        let mut blobs = image.blobs();
        blobs.sort_by(|a, b| a.digest.hex().cmp(b.digest.hex()));
        let failed = |e: io::Error| failure(execute::EXPORT, format!("cannot write an archive: {}", reason(&e)));
        let mut writer = Writer::new(to);
        for folder in ["blobs/", "blobs/sha256/"] {
            writer.entry(&entry(folder, Kind::Directory, 0o755, 0), &mut io::empty()).map_err(failed)?;
        }
        for blob in blobs {
            let path = format!("blobs/{}/{}", blob.digest.algorithm(), blob.digest.hex());
            let mut file: File = self.open_blob(&blob.digest)?;
            writer.entry(&entry(&path, Kind::File, 0o444, blob.size), &mut file).map_err(failed)?;
        }
        for (path, bytes) in small {
            writer.entry(&entry(&path, Kind::File, 0o444, bytes.len() as u64), &mut &bytes[..]).map_err(failed)?;
        }
        writer.finish().and_then(|to| to.flush()).map_err(failed)
    }
}

fn bad_json(e: serde_json::Error) -> Box<rbc_source::Diagnostic> {
    failure(execute::EXPORT, format!("cannot write JSON: {e}"))
}

fn entry(path: &str, kind: Kind, mode: u32, size: u64) -> Header {
    Header {
        path: path.as_bytes().to_vec(),
        link: Vec::new(),
        kind,
        mode,
        uid: 0,
        gid: 0,
        size,
        modified: (0, 0),
        device: (0, 0),
        xattrs: Vec::new(),
    }
}

fn docker_manifest(manifest: &Manifest, names: &[Reference]) -> Vec<u8> {
    let path = |blob: &Descriptor| format!("blobs/{}/{}", blob.digest.algorithm(), blob.digest.hex());
    let names: Vec<String> = names.iter().map(Reference::familiar).collect();
    let image = serde_json::json!([{
        "Config": path(&manifest.config),
        "RepoTags": names,
        "Layers": manifest.layers.iter().map(path).collect::<Vec<_>>(),
    }]);
    image.to_string().into_bytes()
}

/// Media types of one kind.
struct Types {
    oci: bool,
    manifest: &'static str,
    config: &'static str,
}

impl Types {
    fn new(oci: bool) -> Self {
        match oci {
            true => Types { oci, manifest: media::OCI_MANIFEST, config: media::OCI_CONFIG },
            false => Types { oci, manifest: media::DOCKER_MANIFEST, config: media::DOCKER_CONFIG },
        }
    }

    fn layer<'t>(&self, own: &'t str) -> &'t str {
        const DOCKER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";
        const DOCKER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
        let pairs = [
            (media::OCI_LAYER, DOCKER_TAR),
            (media::OCI_LAYER_GZIP, media::DOCKER_LAYER_GZIP),
            (media::OCI_LAYER_ZSTD, DOCKER_ZSTD),
        ];
        match pairs.into_iter().find(|(oci, docker)| *oci == own || *docker == own) {
            Some((oci, docker)) => {
                if self.oci {
                    oci
                } else {
                    docker
                }
            }
            None => own,
        }
    }
}

/// When and how a layer was made.
struct Made<'a> {
    at: i64,
    by: &'a str,
}

/// The config with the layers that there are, and a history that fits them.
fn config(
    part: &Part,
    blobs: &[BlobInfo],
    made: &[Made],
    epoch: Option<i64>,
    cache: Option<&Contents>,
) -> Result<Vec<u8>> {
    let given = match &part.config {
        Some(json) => String::from_utf8_lossy(json).into_owned(),
        None => {
            let mut empty =
                ImageConfig { platform: part.platform.clone().unwrap_or_else(host_platform), ..Default::default() };
            empty.rootfs_type = "layers".to_owned();
            empty.config.working_dir = "/".to_owned();
            empty.config.env = vec![DEFAULT_PATH.to_owned()];
            empty.to_json()
        }
    };
    let unusable = |why: String| failure(execute::EXPORT, format!("the config of the image cannot be used: {why}"));
    let parsed = ImageConfig::parse(given.as_bytes()).map_err(|e| unusable(e.to_string()))?;
    if parsed.platform.os.is_empty() || parsed.platform.architecture.is_empty() {
        return Err(unusable("it does not say for which system and processor it is".to_owned()));
    }
    // What we do not know of stays as it is.
    let mut fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&given).map_err(|e| unusable(e.to_string()))?;
    let mut set = |key: &str, json: String| -> Result<()> {
        fields.insert(key.to_owned(), RawValue::from_string(json).map_err(|e| unusable(e.to_string()))?);
        Ok(())
    };
    let mut history = fitted(parsed.history, made);
    if let Some(epoch) = epoch {
        let base = history.iter().zip(&part.base_history).take_while(|(a, b)| a == b).count();
        let time = Time::from_unix(epoch);
        for entry in history.iter_mut().skip(base) {
            if entry.created.as_ref().is_none_or(|at| Moment::of(at) > Moment::from_unix(epoch)) {
                entry.created.clone_from(&time);
            }
        }
    }
    let diff_ids: Vec<&str> = blobs.iter().map(|b| b.diff_id.as_str()).collect();
    let diff_ids =
        if diff_ids.is_empty() { "null".to_owned() } else { serde_json::to_string(&diff_ids).map_err(bad_json)? };
    set("rootfs", format!(r#"{{"type":"layers","diff_ids":{diff_ids}}}"#))?;
    set("history", history_json(&history))?;
    if let Some(cache) = cache {
        set(crate::cache::FIELD, serde_json::to_string(cache).map_err(bad_json)?)?;
    }
    let created = match (&parsed.created, epoch) {
        (Some(at), Some(epoch)) if Moment::of(at) > Moment::from_unix(epoch) => Time::from_unix(epoch),
        (Some(_), _) => None,
        (None, _) => history.iter().rev().find_map(|entry| entry.created.clone()),
    };
    match (&parsed.created, created) {
        (_, Some(at)) => set("created", time_json(&at))?,
        (None, None) => set("created", "null".to_owned())?,
        (Some(_), None) => {}
    }
    serde_json::to_vec(&fields).map_err(bad_json)
}

/// A history with one entry a layer, and a time for each entry.
fn fitted(mut history: Vec<History>, made: &[Made]) -> Vec<History> {
    let mut layers = 0;
    for entry in history.iter_mut() {
        if layers == made.len() {
            entry.empty_layer = true;
        }
        layers += usize::from(!entry.empty_layer);
    }
    for layer in made.iter().skip(layers) {
        history.push(History {
            created: Time::from_unix(layer.at),
            created_by: if layer.by.is_empty() { "created by buildkit".to_owned() } else { layer.by.to_owned() },
            comment: MADE_UP.to_owned(),
            ..History::default()
        });
    }
    for (entry, layer) in history.iter_mut().filter(|entry| !entry.empty_layer).zip(made) {
        entry.created = entry.created.take().or_else(|| Time::from_unix(layer.at));
    }
    // An entry without a layer has the time of the first layer after those of the base image, or of the entry before.
    let mut created = None;
    let mut gap = false;
    for entry in &history {
        match &entry.created {
            Some(at) => {
                created = Some(at.clone());
                if gap {
                    break;
                }
            }
            None => gap = true,
        }
    }
    gap = false;
    for entry in &mut history {
        match &entry.created {
            Some(at) => {
                if gap {
                    created = Some(at.clone());
                }
            }
            None => {
                gap = true;
                entry.created.clone_from(&created);
            }
        }
    }
    history
}

fn time_json(at: &Time) -> String {
    let mut json = String::new();
    write_json_string(&mut json, at.as_str());
    json
}

fn history_json(history: &[History]) -> String {
    if history.is_empty() {
        return "null".to_owned();
    }
    let mut json = String::from("[");
    for (at, entry) in history.iter().enumerate() {
        json.push_str(if at == 0 { "{" } else { ",{" });
        let mut first = true;
        let mut key = |json: &mut String, name: &str| {
            if !std::mem::replace(&mut first, false) {
                json.push(',');
            }
            json.push('"');
            json.push_str(name);
            json.push_str("\":");
        };
        if let Some(created) = &entry.created {
            key(&mut json, "created");
            json.push_str(&time_json(created));
        }
        for (name, text) in [("created_by", &entry.created_by), ("author", &entry.author), ("comment", &entry.comment)]
        {
            if !text.is_empty() {
                key(&mut json, name);
                write_json_string(&mut json, text);
            }
        }
        if entry.empty_layer {
            key(&mut json, "empty_layer");
            json.push_str("true");
        }
        json.push('}');
    }
    json.push(']');
    json
}
