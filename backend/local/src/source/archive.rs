//! Archives of images: OCI layouts in a tar, and what `docker save` writes. They are turned into layouts in the store.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rbc_oci::Reference;
use rbc_registry::{Descriptor, Layout, Manifest, media};
use rbc_source::execute;
use rbc_wire::Digest;
use serde::Deserialize;

use crate::error::{Fail, Result, failure, reason, show};
use crate::store::{Store, hex};
use crate::tar::{Apply, Bounded, Reader, apply, decompressed};

/// An image in `manifest.json` of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// The layout of an archive; the same archive is unpacked once. A folder is a layout as it is. `None` if it has no images.
pub(super) fn opened(store: &Store, archive: &Path) -> Result<Option<PathBuf>> {
    if archive.is_dir() {
        return Ok(Some(archive.to_path_buf()));
    }
    let failed =
        |e: io::Error| failure(execute::SOURCE, format!("cannot read the archive {}: {}", show(archive), reason(&e)));
    let path = archive.canonicalize().map_err(failed)?;
    let file = File::open(&path).map_err(failed)?;
    let stat = rustix::fs::fstat(&file).or_fail(execute::SOURCE, || format!("read the archive {}", show(archive)))?;
    let mark =
        (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    let key = Digest::of(format!("archive\n{}\n{mark:?}", path.display()).as_bytes());
    let place = store.root().join("contexts").join(format!("{}.layout", hex(&key)));
    if place.is_dir() {
        return Ok(Some(place));
    }
    let _lock = store.lock_key(&key, &|| false)?;
    if place.is_dir() {
        return Ok(Some(place));
    }
    let draft = store.scratch();
    let unpack = || -> io::Result<()> {
        fs::create_dir(&draft)?;
        let dir = crate::fs::open_dir(&draft)?;
        let size = file.metadata()?.len();
        let mut reader = Reader::new(Bounded::of_compressed(decompressed(file)?, size));
        apply(&mut reader, std::os::fd::AsFd::as_fd(&dir), &Apply { layer: false, owner: own(), cancel: &[] })
    };
    unpack().map_err(|e| {
        failure(execute::ARCHIVE, format!("the archive {} cannot be unpacked: {}", show(archive), reason(&e)))
    })?;
    // Newer versions of docker write both; the list with names in full is in the older one.
    if draft.join("manifest.json").exists() {
        convert(&draft)?;
    }
    if !draft.join("oci-layout").exists() {
        return Err(failure(execute::SOURCE, format!("{} is no archive of images", show(archive))));
    }
    match fs::rename(&draft, &place) {
        Err(_) if place.is_dir() => {}
        outcome => outcome.or_fail(execute::STORE, || format!("keep the archive {}", show(archive)))?,
    }
    Ok(Some(place))
}

/// Everything belongs to us: it is only read.
fn own() -> Option<(u32, u32)> {
    Some((rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()))
}

/// Makes a layout of what `docker save` wrote.
fn convert(folder: &Path) -> Result<()> {
    let bad = |why: String| failure(execute::SOURCE, format!("an archive of `docker save` cannot be read: {why}"));
    let read = |name: &str, max: u64| -> Result<Vec<u8>> {
        let dir = crate::fs::open_dir(folder).map_err(|e| bad(reason(&e)))?;
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
        let mut bytes = Vec::new();
        // A name may lead anywhere, and is followed inside the archive only.
        let read = crate::fs::open_in(&dir, &crate::fs::clean(name), flags)
            .and_then(|fd| File::from(fd).take(max).read_to_end(&mut bytes));
        read.map_err(|e| bad(format!("`{}`: {}", show(name), reason(&e))))?;
        Ok(bytes)
    };
    let saved: Vec<Saved> =
        serde_json::from_slice(&read("manifest.json", 16 << 20)?).map_err(|e| bad(e.to_string()))?;
    let layout = Layout::create(folder)?;
    let mut known: HashMap<String, Descriptor> = HashMap::new();
    let mut listed: BTreeMap<String, Descriptor> = BTreeMap::new();
    for image in saved {
        let config = layout.put(media::DOCKER_CONFIG, &read(&image.config, 16 << 20)?)?;
        let mut layers = Vec::new();
        for name in image.layers.unwrap_or_default() {
            if let Some(known) = known.get(&name) {
                layers.push(known.clone());
                continue;
            }
            let bytes = read(&name, 64 << 30)?;
            let media_type = match bytes.get(..2) {
                Some([0x1f, 0x8b]) => media::OCI_LAYER_GZIP,
                Some([0x28, 0xb5]) => media::OCI_LAYER_ZSTD,
                _ => media::OCI_LAYER,
            };
            let blob = layout.put(media_type, &bytes)?;
            known.insert(name, blob.clone());
            layers.push(blob);
        }
        let manifest = serde_json::to_vec(&Manifest::new(config, layers)).map_err(|e| bad(e.to_string()))?;
        let manifest = layout.put(media::OCI_MANIFEST, &manifest)?;
        for tag in image.repo_tags.unwrap_or_default() {
            if let Ok(reference) = Reference::parse_normalized(&tag) {
                listed.insert(reference.with_default_tag().to_string(), manifest.clone());
            }
        }
    }
    for (name, manifest) in listed {
        layout.list(manifest, Some(&name))?;
    }
    Ok(())
}
