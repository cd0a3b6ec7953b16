//! One image of several: the index for all platforms of images that were built apart.
//!
//! The rules are those of `docker buildx imagetools create`.

use std::collections::{BTreeMap, HashSet};

use rbc_oci::{Digest, Matcher, Platform};
use rbc_source::{Diagnostic, image};

use crate::error::{Result, failure};
use crate::location::{Location, is_image};
use crate::manifest::{Descriptor, Document, Index, media};
use crate::select::platform_of;

/// An image that goes into another, and what is said of it there.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where it is.
    pub location: Location,
    /// What the index shall say, where it is not what the image says itself.
    pub said: Option<Descriptor>,
}

/// How to assemble.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Make an index even of a single image for a single platform.
    pub prefer_index: bool,
    /// Only images for these platforms, and what is attached to them; all if there are none.
    pub platforms: Vec<Platform>,
    /// Annotations of the index.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of its entries, each with the platform that it is for.
    pub entry_annotations: Vec<(Option<Platform>, String, String)>,
}

/// What was assembled; nothing of it is written.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// What it is.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What must be copied to where it shall be, and whence.
    pub parts: Vec<(Location, Descriptor)>,
}

/// Marks what is attached to an image, and says to which.
const ATTACHED: (&str, &str) = ("vnd.docker.reference.type", "attestation-manifest");
const ATTACHED_TO: &str = "vnd.docker.reference.digest";

/// Assembles pieces. A single index stays as it is, byte for byte; so does a single image, unless an index is preferred.
///
/// # Errors
/// A piece cannot be read, none is for the platforms, or what is wished cannot be.
pub fn assemble(pieces: &[Piece], wishes: &Wishes) -> Result<Assembled> {
    let mut read = Vec::new();
    for piece in pieces {
        read.push(Read::new(piece)?);
    }
    let annotated = !wishes.annotations.is_empty() || !wishes.entry_annotations.is_empty();
    if let [only] = &read[..]
        && !annotated
    {
        let whole = only.descriptor.clone();
        match &only.document {
            Document::Manifest(_) if !wishes.prefer_index => {
                let platform = whole.platform.clone().unwrap_or_default();
                if !wanted(&platform, &wishes.platforms) {
                    return Err(none_fits(only, &wishes.platforms).into());
                }
                let parts = vec![(only.location.clone(), whole.clone())];
                return Ok(Assembled { descriptor: whole, bytes: only.bytes.clone(), parts });
            }
            Document::Index(index) => {
                let kept = filter(&index.manifests, &wishes.platforms);
                if kept.is_empty() && !index.manifests.is_empty() {
                    return Err(none_fits(only, &wishes.platforms).into());
                }
                if kept.len() == index.manifests.len() {
                    let parts = kept.into_iter().map(|d| (only.location.clone(), d)).collect();
                    return Ok(Assembled { descriptor: whole, bytes: only.bytes.clone(), parts });
                }
                let index = Index { manifests: kept, ..(**index).clone() };
                return finish(index, |_| only.location.clone());
            }
            Document::Manifest(_) => {}
        }
    }
    let mut entries: Vec<(Descriptor, usize)> = Vec::new();
    for (at, piece) in read.iter().enumerate() {
        match &piece.document {
            Document::Index(index) => index.manifests.iter().for_each(|d| add(&mut entries, d.clone(), at)),
            Document::Manifest(_) => add(&mut entries, piece.descriptor.clone(), at),
        }
    }
    let all: Vec<Descriptor> = entries.iter().map(|(entry, _)| entry.clone()).collect();
    let mut kept = filter(&all, &wishes.platforms);
    if let (true, Some(first)) = (kept.is_empty(), read.first()) {
        return Err(none_fits(first, &wishes.platforms).into());
    }
    // A list of Docker's has only what is Docker's.
    let docker = all.iter().all(|entry| entry.media_type.starts_with("application/vnd.docker."));
    if docker && annotated {
        let found = failure(image::CORRUPT, "an index of Docker's media types has no annotations");
        return Err(found.note("annotations need images of OCI's media types").into());
    }
    for (platform, key, value) in &wishes.entry_annotations {
        for entry in &mut kept {
            let here =
                platform.as_ref().is_none_or(|p| entry.platform.as_ref().is_some_and(|of| of.format() == p.format()));
            if here {
                entry.annotations.insert(key.clone(), value.clone());
            }
        }
    }
    let media_type = if docker { media::DOCKER_LIST } else { media::OCI_INDEX };
    let index =
        Index { media_type: Some(media_type.to_owned()), annotations: wishes.annotations.clone(), ..Index::new(kept) };
    let whence = |digest: &Digest| {
        let found = entries.iter().find(|(entry, _)| entry.digest == *digest);
        found
            .and_then(|(_, at)| read.get(*at))
            .map_or_else(|| pieces[0].location.clone(), |piece| piece.location.clone())
    };
    finish(index, whence)
}

fn finish(index: Index, whence: impl Fn(&Digest) -> Location) -> Result<Assembled> {
    let bytes = serde_json::to_vec_pretty(&index)
        .map_err(|e| failure(image::CORRUPT, format!("the index cannot be written: {e}")))?;
    let media_type = index.media_type.as_deref().unwrap_or(media::OCI_INDEX);
    let parts = index.manifests.iter().map(|d| (whence(&d.digest), d.clone())).collect();
    Ok(Assembled { descriptor: Descriptor::of(media_type, &bytes), bytes, parts })
}

/// An image as it was read.
struct Read {
    location: Location,
    descriptor: Descriptor,
    document: Document,
    bytes: Vec<u8>,
}

impl Read {
    fn new(piece: &Piece) -> Result<Read> {
        let top = piece.location.top()?;
        let mut descriptor = top.descriptor;
        let wrong = |why: String| failure(image::CORRUPT, format!("`{}` cannot be used: {why}", piece.location));
        let document = Document::parse(&top.bytes, &descriptor.media_type).map_err(wrong)?;
        if let Some(said) = &piece.said {
            descriptor.annotations.extend(said.annotations.clone());
            descriptor.platform = said.platform.clone().or(descriptor.platform);
            descriptor.artifact_type = said.artifact_type.clone().or(descriptor.artifact_type);
        }
        if let Document::Manifest(manifest) = &document {
            let mut platform = descriptor.platform.take().unwrap_or_default();
            if platform.os.is_empty() || platform.architecture.is_empty() {
                let own = platform_of(&piece.location.small_blob(&manifest.config)?).normalize();
                if platform.architecture.is_empty() {
                    platform.architecture = own.architecture;
                    if platform.variant.is_empty() {
                        platform.variant = own.variant;
                    }
                }
                if platform.os.is_empty() {
                    platform.os = own.os;
                }
            }
            descriptor.platform = Some(platform);
        }
        Ok(Read { location: piece.location.clone(), descriptor, document, bytes: top.bytes })
    }
}

/// Adds an entry, or what is new about one that is there.
fn add(entries: &mut Vec<(Descriptor, usize)>, entry: Descriptor, at: usize) {
    match entries.iter_mut().find(|(other, _)| other.digest == entry.digest) {
        Some((other, whence)) => {
            other.platform = entry.platform.or(other.platform.take());
            other.annotations.extend(entry.annotations);
            *whence = at;
        }
        None => entries.push((entry, at)),
    }
}

fn wanted(platform: &Platform, wishes: &[Platform]) -> bool {
    wishes.is_empty() || wishes.iter().any(|wish| Matcher::only_strict(wish).accepts(platform))
}

/// The entries for platforms, with what is attached to them.
fn filter(entries: &[Descriptor], platforms: &[Platform]) -> Vec<Descriptor> {
    let subject = |entry: &Descriptor| match entry.annotations.get(ATTACHED.0) {
        Some(kind) if kind == ATTACHED.1 => entry.annotations.get(ATTACHED_TO).cloned(),
        _ => None,
    };
    let fits = |entry: &&Descriptor| {
        subject(entry).is_none()
            && is_image(&entry.media_type)
            && entry.platform.as_ref().is_none_or(|platform| wanted(platform, platforms))
    };
    let chosen: HashSet<&str> = entries.iter().filter(fits).map(|entry| entry.digest.as_str()).collect();
    let stays = |entry: &&Descriptor| {
        platforms.is_empty()
            || chosen.contains(entry.digest.as_str())
            || subject(entry).is_some_and(|subject| chosen.contains(subject.as_str()))
    };
    entries.iter().filter(stays).cloned().collect()
}

fn none_fits(read: &Read, wishes: &[Platform]) -> Diagnostic {
    let list =
        |platforms: &mut dyn Iterator<Item = &Platform>| platforms.map(Platform::format).collect::<Vec<_>>().join(", ");
    let own = match &read.document {
        Document::Index(index) => list(&mut index.manifests.iter().filter_map(|d| d.platform.as_ref())),
        Document::Manifest(_) => list(&mut read.descriptor.platform.iter()),
    };
    failure(image::NO_PLATFORM, format!("`{}` has nothing for {}", read.location, list(&mut wishes.iter())))
        .note(format!("it exists for {own}"))
}
