//! Images: found in a registry, a layout or the store, fetched layer by layer, and unpacked.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use rbc_ir::Source;
use rbc_oci::{ImageConfig, Platform, Reference};
use rbc_registry::{Descriptor, Layout, Manifest};
use rbc_source::{Diagnostic, execute, image};
use rbc_wire::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Job;
use crate::error::{Fail, Result, failure, reason};
use crate::session::SolveError;
use crate::store::{BlobInfo, Layer, LayerInfo, Snapshot, Store};
use crate::tar::{Apply, Bounded, Reader, apply, decompressed};

/// How many layers are fetched at a time.
const AT_ONCE: usize = 4;

/// An image for one platform.
pub(crate) struct Pinned {
    /// As the build names it.
    name: String,
    known: Known,
    origin: Origin,
    /// How many of its layers are wanted, from below.
    limit: Option<usize>,
}

/// What is noted about an image, so that it need not be asked for again.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    descriptor: Descriptor,
    manifest: Manifest,
    config: String,
}

/// Where blobs come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Registry(Box<Reference>),
    Layout(PathBuf),
}

impl Pinned {
    pub(crate) fn key(&self) -> Digest {
        Digest::of(format!("image\n{}\n{:?}", self.known.descriptor.digest, self.limit).as_bytes())
    }
}

/// The platform that we run on.
pub(crate) fn host_platform() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Platform::new("linux", architecture)
}

fn platform_of(platform: Option<&rbc_ir::Platform>) -> Platform {
    platform.map_or_else(host_platform, |p| Platform {
        os: p.os.clone(),
        architecture: p.architecture.clone(),
        variant: p.variant.clone(),
        os_version: p.os_version.clone(),
        os_features: p.os_features.clone(),
    })
}

/// Finds out which image a name stands for.
pub(super) fn pin(
    job: &Job,
    op: &Source,
    scheme: &str,
    name: &str,
    platform: Option<&rbc_ir::Platform>,
) -> Result<Pinned> {
    let platform = platform_of(platform);
    let reference = Reference::parse_normalized(name).map_err(|e| {
        failure(image::REFERENCE, format!("`{}` is not the name of an image: {e}", crate::error::show(name)))
    })?;
    let limit = match op.attrs.get(if scheme == "oci-layout" { "oci.layerlimit" } else { "image.layerlimit" }) {
        None => None,
        Some(text) => {
            Some(text.parse().map_err(|_| failure(execute::SOURCE, format!("`{text}` is no number of layers")))?)
        }
    };
    let pinned = |known: Known, origin: Origin| Pinned { name: name.to_owned(), known, origin, limit };
    if scheme == "oci-layout" {
        let folder = layout_of(job, op, &reference)?;
        let layout = Layout::open(&folder)?;
        let top = layout.find(reference.tag(), reference.digest())?;
        return Ok(pinned(known(layout.image(&top, &platform)?), Origin::Layout(folder)));
    }
    for archive in &job.session.archives {
        if let Some(folder) = super::archive::opened(job.store, archive)? {
            let layout = Layout::open(&folder)?;
            match layout.find_reference(&reference).and_then(|top| layout.image(&top, &platform)) {
                Ok(found) => return Ok(pinned(known(found), Origin::Layout(folder))),
                Err(e) if rbc_registry::is_absent(&e) => {}
                Err(e) => return Err(e),
            }
        }
    }
    // What a digest stands for never changes, so that it is asked for once.
    let note = reference.digest().map(|digest| {
        let key = Digest::of(format!("pin\n{digest}\n{platform:?}").as_bytes());
        job.store.root().join("contexts").join(format!("{}.image", crate::store::hex(&key)))
    });
    let noted = note.as_ref().and_then(|path| serde_json::from_slice::<Known>(&fs::read(path).ok()?).ok());
    if let Some(known) = noted {
        return Ok(pinned(known, Origin::Registry(Box::new(reference))));
    }
    let Some(client) = &job.config.registry else {
        return Err(failure(image::OFFLINE, format!("`{}` for {platform} is not at hand", reference.familiar())));
    };
    let reference = reference.with_default_tag();
    let found = known(client.image(&reference, &platform)?);
    if let Some(note) = note {
        let json = serde_json::to_vec(&found).map_err(|e| failure(execute::STORE, e.to_string()))?;
        job.store.publish(&note, &json).or_fail(execute::STORE, || format!("write {}", note.display()))?;
    }
    Ok(pinned(found, Origin::Registry(Box::new(reference))))
}

fn known(image: rbc_registry::Image) -> Known {
    Known {
        descriptor: image.descriptor,
        manifest: image.manifest,
        config: String::from_utf8_lossy(&image.config).into_owned(),
    }
}

/// The folder of the layout that an `oci-layout://` source names: by its store, or by the host part of its reference.
fn layout_of(job: &Job, op: &Source, reference: &Reference) -> Result<PathBuf> {
    let names = [op.attrs.get("oci.store").cloned(), Some(reference.path().to_owned()), Some(reference.familiar())];
    let found = names.iter().flatten().find_map(|name| {
        let bare = name.split(['@', ':']).next().unwrap_or(name);
        job.session
            .layouts
            .get(name)
            .or_else(|| job.session.layouts.get(bare))
            .or_else(|| job.session.layouts.get(bare.rsplit('/').next().unwrap_or(bare)))
    });
    found.cloned().ok_or_else(|| {
        let found =
            *failure(execute::SOURCE, format!("the build was not given the OCI layout `{}`", reference.familiar()));
        Box::new(found.note(format!("it was given {:?}", job.session.layouts.keys().collect::<Vec<_>>())))
    })
}

/// A layer of an image: its blob, the digest of what that unpacks to, and the key of what it is in the store.
type Wanted<'a> = (&'a Descriptor, String, Digest);

/// The layers that an image consists of, lowest first.
fn wanted(pinned: &Pinned) -> Result<Vec<Wanted<'_>>> {
    let config = ImageConfig::parse(pinned.known.config.as_bytes())
        .map_err(|e| failure(image::CORRUPT, format!("the config of `{}` cannot be read: {e}", pinned.name)))?;
    let diff_ids = config.diff_ids.unwrap_or_default();
    let blobs = &pinned.known.manifest.layers;
    if diff_ids.len() != blobs.len() {
        let message = format!("`{}` has {} layers, and its config lists {}", pinned.name, blobs.len(), diff_ids.len());
        return Err(failure(image::CORRUPT, message));
    }
    let count = pinned.limit.unwrap_or(blobs.len()).min(blobs.len());
    let mut wanted = Vec::new();
    let mut chain = String::new();
    for (blob, diff_id) in blobs.iter().zip(diff_ids).take(count) {
        chain = match chain.is_empty() {
            true => diff_id.clone(),
            false => Digest::of(format!("{chain} {diff_id}").as_bytes()).to_string(),
        };
        let key = Digest::of(format!("image-layer\n{chain}").as_bytes());
        wanted.push((blob, diff_id, key));
    }
    Ok(wanted)
}

/// The files of an image whose layers are all in the store; none if one is not.
pub(crate) fn at_hand(store: &Store, pinned: &Pinned) -> Option<Snapshot> {
    let layers = wanted(pinned).ok()?.into_iter().map(|(.., key)| Layer::of(&key)).collect::<Vec<_>>();
    layers.iter().all(|layer| store.layer_path(layer).is_dir()).then(|| Snapshot::new(layers))
}

/// Fetches what is not here, and unpacks it.
pub(super) fn fetch(job: &Job, _: &Source, pinned: &Pinned) -> std::result::Result<Snapshot, SolveError> {
    let about = |e: Box<Diagnostic>| Box::new((*e).note(format!("it is for `{}`", pinned.name)));
    let wanted = wanted(pinned)?;
    let missing: Vec<&Descriptor> = wanted
        .iter()
        .filter(|(_, _, key)| !job.store.layer_path(&Layer::of(key)).is_dir())
        .map(|(blob, ..)| *blob)
        .collect();
    fetch_blobs(job, &pinned.origin, &missing).map_err(about)?;
    let mut snapshot = Snapshot::default();
    for (blob, diff_id, key) in wanted {
        let give_up = || job.cancel.iter().any(|c| c.is_cancelled());
        let _lock = job.store.lock_key(&key, &give_up)?.ok_or_else(SolveError::cancelled)?;
        let layer = Layer::of(&key);
        if job.store.layer_path(&layer).is_dir() {
            snapshot = snapshot.with(layer);
            continue;
        }
        job.report.status(&format!("extracting {}", blob.digest), 0, blob.size);
        let info = LayerInfo { description: "image layer".to_owned(), ..LayerInfo::default() };
        snapshot = unpack(job, snapshot, layer, blob, &diff_id, info).map_err(about)?;
        job.report.status(&format!("extracting {}", blob.digest), blob.size, blob.size);
    }
    Ok(snapshot)
}

/// Brings blobs into the store, unless they are there.
pub(crate) fn fetch_blobs(job: &Job, origin: &Origin, blobs: &[&Descriptor]) -> Result<()> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(blob) = blobs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            if job.store.has_blob(&blob.digest, blob.size) {
                continue;
            }
            if job.cancel.iter().any(|c| c.is_cancelled()) {
                return Err(SolveError::cancelled().diagnostic);
            }
            job.report.status(&format!("fetching {}", blob.digest), 0, blob.size);
            let mut writer = job.store.blob_writer()?;
            match origin {
                Origin::Layout(folder) => Layout::open(folder)?.copy(blob, &mut writer)?,
                Origin::Registry(reference) => match &job.config.registry {
                    Some(client) => client.blob(reference, blob, &mut writer)?,
                    None => return Err(failure(image::OFFLINE, format!("the layer {} is not at hand", blob.digest))),
                },
            }
            writer.finish()?;
            job.report.status(&format!("fetching {}", blob.digest), blob.size, blob.size);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..blobs.len().min(AT_ONCE)).map(|_| scope.spawn(work)).collect();
        let mut outcome = work();
        for other in others {
            let lost = |_| Err(failure(rbc_source::environment::INTERNAL, "fetching a layer failed"));
            outcome = outcome.and(other.join().unwrap_or_else(lost));
        }
        outcome
    })
}

/// Unpacks a layer, whose blob is in the store, on top of others.
pub(crate) fn unpack(
    job: &Job,
    below: Snapshot,
    layer: Layer,
    blob: &Descriptor,
    diff_id: &str,
    info: LayerInfo,
) -> Result<Snapshot> {
    let file = job.store.open_blob(&blob.digest)?;
    let draft = job.store.draft(below)?;
    let view = draft.view()?;
    let mut hash = Sha256::new();
    let done = (|| -> io::Result<()> {
        let data = decompressed(file)?;
        let inner = match job.config.layer_max {
            Some(most) => Bounded::new(data, most),
            None => Bounded::of_compressed(data, blob.size),
        };
        let tee = Tee { inner, hash: &mut hash };
        let mut archive = Reader::new(tee);
        apply(&mut archive, view.root(), &Apply { layer: true, owner: None, cancel: job.cancel })?;
        // What stands behind the archive counts for its digest.
        io::copy(&mut archive.into_inner(), &mut io::sink())?;
        Ok(())
    })();
    if job.cancel.iter().any(|c| c.is_cancelled()) {
        return Err(SolveError::cancelled().diagnostic);
    }
    done.map_err(|e| {
        failure(execute::ARCHIVE, format!("the layer {} cannot be unpacked: {}", blob.digest, reason(&e)))
    })?;
    let found = rbc_oci::Digest::sha256(hash.finalize().into());
    if found.as_str() != diff_id {
        // The blob is what its digest says, so its maker is at fault, or the store.
        let _ = fs::remove_file(job.store.blob_path(&blob.digest));
        let message = format!("the layer {} unpacks to {found}, and the config says {diff_id}", blob.digest);
        return Err(failure(image::CORRUPT, message));
    }
    drop(view);
    let blob = BlobInfo {
        media_type: blob.media_type.clone(),
        digest: blob.digest.to_string(),
        size: blob.size,
        diff_id: diff_id.to_owned(),
    };
    draft.commit_as(layer, LayerInfo { blob: Some(blob), ..info })
}

/// Hashes what is read.
struct Tee<'a, R> {
    inner: R,
    hash: &'a mut Sha256,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}
