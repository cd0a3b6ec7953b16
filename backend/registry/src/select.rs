//! From the name of an image to the one for a platform: through indexes and manifests to the config.
//!
//! The choice is BuildKit's: of an index the entries that fit, and those that do not say, best first, and of these only
//! the first is looked at; an entry that did not say must fit by its config.

use rbc_oci::{Matcher, Platform};
use rbc_source::{Diagnostic, image};

use crate::error::{Result, failure};
use crate::manifest::{Descriptor, Document, Index, Manifest, media};

/// Largest manifest or index in bytes; more is refused unread.
pub(crate) const MANIFEST_MAX: u64 = 4 << 20;
/// Largest image config in bytes; more is refused unread.
pub(crate) const CONFIG_MAX: u64 = 16 << 20;
/// How deep indexes may be nested.
const DEPTH_MAX: usize = 8;

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What the name stands for: a manifest, or an index that has one for the platform. This is the digest that builds
    /// are pinned to.
    pub top: Descriptor,
    /// What the manifest is.
    pub descriptor: Descriptor,
    /// The manifest of the platform.
    pub manifest: Manifest,
    /// The image config, exactly as stored.
    pub config: Vec<u8>,
}

/// Where documents are read from; what it gives has been checked against size and digest.
pub(crate) trait Store {
    /// The name of the image, for messages.
    fn name(&self) -> String;
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>>;
    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>>;
}

/// The image for `platform` below `top`, whose bytes are `document`.
pub(crate) fn select(store: &dyn Store, top: &Descriptor, document: &[u8], platform: &Platform) -> Result<Image> {
    let matcher = Matcher::only(platform);
    let (mut descriptor, mut bytes) = (top.clone(), document.to_vec());
    for _ in 0..DEPTH_MAX {
        let parsed = Document::parse(&bytes, &descriptor.media_type).map_err(|reason| {
            let message = format!("`{}` has a manifest that cannot be read: {reason}", store.name());
            failure(image::CORRUPT, message).note(format!("it is {}", descriptor.digest))
        })?;
        match parsed {
            Document::Index(index) => {
                let chosen = choose(&index, &matcher).ok_or_else(|| absent(store, platform, &index))?;
                bytes = store.manifest(chosen)?;
                descriptor = chosen.clone();
            }
            Document::Manifest(manifest) => {
                let config = store.config(&manifest.config)?;
                let unsaid = descriptor.digest != top.digest && descriptor.platform.is_none();
                if unsaid && !matcher.accepts(&platform_of(&config)) {
                    Err(absent(store, platform, &Index::new(vec![])))?;
                }
                return Ok(Image { top: top.clone(), descriptor, manifest: *manifest, config });
            }
        }
    }
    let message = format!("`{}` has indexes in indexes, more than {DEPTH_MAX} deep", store.name());
    Err(failure(image::CORRUPT, message).into())
}

fn choose<'a>(index: &'a Index, matcher: &Matcher) -> Option<&'a Descriptor> {
    let of_images =
        index.manifests.iter().filter(|d| media::is_manifest(&d.media_type) || media::is_index(&d.media_type));
    let ranked = of_images.filter_map(|d| match &d.platform {
        Some(platform) => Some(((false, Some(matcher.rank(platform)?)), d)),
        None => Some(((true, None), d)),
    });
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, descriptor)| descriptor)
}

/// The platform that an image config states.
pub(crate) fn platform_of(config: &[u8]) -> Platform {
    let value: serde_json::Value = serde_json::from_slice(config).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let features = value.get("os.features").and_then(|v| v.as_array());
    Platform {
        os: text("os"),
        architecture: text("architecture"),
        variant: text("variant"),
        os_version: text("os.version"),
        os_features: features.into_iter().flatten().filter_map(|f| f.as_str()).map(str::to_owned).collect(),
    }
}

fn absent(store: &dyn Store, platform: &Platform, index: &Index) -> Diagnostic {
    const SHOWN: usize = 20;
    let mut offered: Vec<String> = index
        .manifests
        .iter()
        .filter_map(|d| d.platform.as_ref())
        .filter(|p| p.os != "unknown" && p.architecture != "unknown")
        .map(|p| crate::error::tame(&p.normalize().format_all()))
        .collect();
    offered.sort();
    offered.dedup();
    let more = offered.len().saturating_sub(SHOWN);
    offered.truncate(SHOWN);
    let found = failure(image::NO_PLATFORM, format!("`{}` does not exist for {platform}", store.name()));
    match (offered.is_empty(), more) {
        (true, _) => found,
        (false, 0) => found.note(format!("it exists for {}", offered.join(", "))),
        (false, more) => found.note(format!("it exists for {} and {more} more", offered.join(", "))),
    }
}
