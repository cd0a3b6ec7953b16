//! Images from one place to another: between repositories of registries and OCI layouts.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rbc_oci::{Digest, Reference};
use rbc_source::{Diagnostic, environment, image};

use crate::error::{Result, failure};
use crate::manifest::{Descriptor, Document, media, media_type_of};
use crate::select::{CONFIG_MAX, MANIFEST_MAX};
use crate::{Client, Content, Fetched, Layout};

/// How an OCI layout is written where a reference of a registry could stand.
const LAYOUT: &str = "oci-layout://";

/// Where an image lies, or shall lie.
#[derive(Clone, Debug)]
pub enum Location {
    /// In a registry.
    Registry(Arc<Client>, Reference),
    /// In an OCI layout, under a tag or a digest.
    Layout(PathBuf, Option<String>, Option<Digest>),
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Registry(_, name) => write!(f, "{name}"),
            Location::Layout(dir, tag, digest) => {
                write!(f, "{LAYOUT}{}", dir.display())?;
                if let Some(tag) = tag {
                    write!(f, ":{tag}")?;
                }
                digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
            }
        }
    }
}

impl Location {
    /// Reads a reference, or `oci-layout://DIR[:TAG][@DIGEST]`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str, client: &Arc<Client>) -> Result<Location> {
        let Some(rest) = text.strip_prefix(LAYOUT) else {
            let name = Reference::parse_normalized(text).map_err(|e| e.diagnostic(text))?;
            return Ok(Location::Registry(client.clone(), name.with_default_tag()));
        };
        let (rest, digest) = match rest.rsplit_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        let digest = digest
            .map(|digest| {
                Digest::parse(digest).map_err(|_| failure(image::REFERENCE, format!("`{digest}` is no digest")))
            })
            .transpose()?;
        let (dir, tag) = match rest.rsplit_once(':') {
            Some((dir, tag)) if !tag.contains('/') => (dir, Some(tag.to_owned())),
            _ => (rest, None),
        };
        Ok(Location::Layout(PathBuf::from(dir), tag, digest))
    }

    /// Whether both are the same repository or folder.
    pub fn is_beside(&self, other: &Location) -> bool {
        match (self, other) {
            (Location::Registry(_, a), Location::Registry(_, b)) => a.name() == b.name(),
            (Location::Layout(a, ..), Location::Layout(b, ..)) => a == b,
            _ => false,
        }
    }

    /// The same repository or folder, and in it what has a digest.
    pub fn at(&self, digest: &Digest) -> Location {
        match self {
            Location::Registry(client, name) => {
                let name = name.clone().with_digest(digest.clone());
                Location::Registry(client.clone(), name)
            }
            Location::Layout(dir, ..) => Location::Layout(dir.clone(), None, Some(digest.clone())),
        }
    }

    /// Fetches the manifest or index that it stands for.
    ///
    /// # Errors
    /// It is not there, cannot be reached, or is not well formed.
    pub fn top(&self) -> Result<Fetched> {
        match self {
            Location::Registry(client, name) => client.manifest(name),
            Location::Layout(dir, tag, digest) => {
                let layout = Layout::open(dir)?;
                let listed = layout.find(tag.as_deref(), digest.as_ref())?;
                let bytes = layout.read(&listed, MANIFEST_MAX)?;
                let media_type = media_type_of(&bytes, Some(&listed.media_type)).map_err(|why| broken(self, &why))?;
                // What a list says of an image is of that list.
                let descriptor = Descriptor { platform: listed.platform, ..Descriptor::of(&media_type, &bytes) };
                Ok(Fetched { descriptor, bytes })
            }
        }
    }

    /// Fetches a manifest or index from the same repository or folder.
    ///
    /// # Errors
    /// As of [`top`](Self::top).
    pub fn document(&self, of: &Descriptor) -> Result<Vec<u8>> {
        match self {
            Location::Registry(..) => Ok(self.at(&of.digest).top()?.bytes),
            Location::Layout(dir, ..) => Layout::open(dir)?.read(of, MANIFEST_MAX),
        }
    }

    /// Fetches a small blob, such as a config.
    ///
    /// # Errors
    /// As of [`top`](Self::top).
    pub fn small_blob(&self, blob: &Descriptor) -> Result<Vec<u8>> {
        if blob.size > CONFIG_MAX {
            let why = format!("{} is said to have {} bytes, {CONFIG_MAX} are allowed", blob.digest, blob.size);
            return Err(broken(self, &why).into());
        }
        match self {
            Location::Registry(client, name) => {
                let mut bytes = Vec::new();
                client.blob(name, blob, &mut bytes)?;
                Ok(bytes)
            }
            Location::Layout(dir, ..) => Layout::open(dir)?.read(blob, CONFIG_MAX),
        }
    }

    /// Gives a manifest or index, which is there with all that it refers to, the name of this place.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn name(&self, media_type: &str, bytes: &[u8]) -> Result<()> {
        match self {
            Location::Registry(client, name) => client.push_manifest(name, media_type, bytes).map(drop),
            Location::Layout(dir, tag, _) => {
                let layout = Layout::create(dir)?;
                let put = layout.put(media_type, bytes)?;
                layout.list(put, Some(tag.as_deref().unwrap_or("latest")))
            }
        }
    }
}

fn broken(location: &Location, why: &str) -> Diagnostic {
    failure(image::CORRUPT, format!("`{location}` cannot be used: {why}"))
}

/// Copies manifests with all that is below them, each thing once.
pub struct Copier<'a> {
    to: &'a Location,
    done: HashSet<Digest>,
    told: &'a mut dyn FnMut(&Descriptor),
}

/// Indexes in indexes may be this deep.
const DEPTH_MAX: usize = 8;

impl<'a> Copier<'a> {
    /// Copies to the repository or folder of `to`; `told` hears of each thing that is there.
    pub fn new(to: &'a Location, told: &'a mut dyn FnMut(&Descriptor)) -> Self {
        Copier { to, done: HashSet::new(), told }
    }

    /// Copies a manifest or index, which `from` has, and all that is below it.
    ///
    /// # Errors
    /// Something cannot be read or written.
    pub fn document(&mut self, from: &Location, of: &Descriptor) -> Result<()> {
        self.below(from, of, 0)
    }

    fn below(&mut self, from: &Location, of: &Descriptor, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(broken(from, &format!("it has indexes in indexes, more than {DEPTH_MAX} deep")).into());
        }
        if from.is_beside(self.to) || !self.done.insert(of.digest.clone()) {
            return Ok(());
        }
        let bytes = from.document(of)?;
        match Document::parse(&bytes, &of.media_type).map_err(|why| broken(from, &why))? {
            Document::Index(index) => {
                for manifest in &index.manifests {
                    self.below(from, manifest, depth + 1)?;
                }
            }
            Document::Manifest(manifest) => {
                for blob in manifest.layers.iter().chain([&manifest.config]) {
                    // Its own host has it, and nobody else may.
                    if blob.urls.is_empty() {
                        self.blob(from, blob)?;
                    }
                }
            }
        }
        match self.to {
            Location::Registry(client, name) => {
                let name = name.clone().without_tag_and_digest();
                client.push_manifest(&name, &of.media_type, &bytes)?;
            }
            Location::Layout(dir, ..) => _ = Layout::create(dir)?.put(&of.media_type, &bytes)?,
        }
        (self.told)(of);
        Ok(())
    }

    fn blob(&mut self, from: &Location, blob: &Descriptor) -> Result<()> {
        if !self.done.insert(blob.digest.clone()) {
            return Ok(());
        }
        match (from, self.to) {
            (_, Location::Layout(dir, ..)) => {
                let layout = Layout::create(dir)?;
                if !layout.has(blob) {
                    let mut writer = layout.writer(blob)?;
                    match from {
                        Location::Registry(client, name) => client.blob(name, blob, &mut writer)?,
                        Location::Layout(dir, ..) => Layout::open(dir)?.copy(blob, &mut writer)?,
                    }
                    writer.finish()?;
                }
            }
            (Location::Registry(source, name), Location::Registry(client, to)) => {
                if !client.has_blob(to, &blob.digest)? && !client.mount_blob(to, blob, name)? {
                    let spool = Spool::new()?;
                    let mut file = spool.open()?;
                    source.blob(name, blob, &mut file)?;
                    client.push_blob(to, blob, Content::File(&spool.0), None)?;
                }
            }
            (Location::Layout(dir, ..), Location::Registry(client, to)) => {
                if !client.has_blob(to, &blob.digest)? {
                    let spool = Spool::new()?;
                    Layout::open(dir)?.copy(blob, &mut spool.open()?)?;
                    client.push_blob(to, blob, Content::File(&spool.0), None)?;
                }
            }
        }
        (self.told)(blob);
        Ok(())
    }
}

/// A file on the way, gone when it is dropped.
struct Spool(PathBuf);

impl Spool {
    fn new() -> Result<Spool> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rbc-blob-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // Only a new file is sure to be nobody else's.
        File::create_new(&path).map_err(|e| unwritable(&path, &e))?;
        Ok(Spool(path))
    }

    fn open(&self) -> Result<File> {
        let file = File::options().write(true).open(&self.0);
        Ok(file.map_err(|e| unwritable(&self.0, &e))?)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Diagnostic {
    failure(environment::WRITE, format!("`{}` cannot be written: {error}", path.display()))
}

/// Whether it is an image or an index of images, as media types go.
pub(crate) fn is_image(media_type: &str) -> bool {
    media::is_manifest(media_type) || media::is_index(media_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, RegistryConfig};

    #[test]
    fn places_are_read_as_they_are_written() {
        let client = Arc::new(Client::new(RegistryConfig::default(), Credentials::none()));
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, shown) in [
            ("alpine", "docker.io/library/alpine:latest".to_owned()),
            ("localhost:5000/a:b", "localhost:5000/a:b".to_owned()),
            ("oci-layout:///some/dir", "oci-layout:///some/dir".to_owned()),
            ("oci-layout://dir:v1", "oci-layout://dir:v1".to_owned()),
            (&format!("oci-layout://a:b/dir@{digest}"), format!("oci-layout://a:b/dir@{digest}")),
        ] {
            assert_eq!(Location::parse(text, &client).unwrap().to_string(), shown, "{text}");
        }
        assert!(Location::parse("oci-layout://dir@sha256:1", &client).is_err());
        assert!(Location::parse("UPPER", &client).is_err());
    }
}
