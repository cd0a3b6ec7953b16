//! Manifests and indexes, as OCI and Docker write them.

use std::collections::BTreeMap;

use rbc_oci::{Digest, Platform};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Media types.
pub mod media {
    /// An OCI manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image config.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An OCI layer, not compressed.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// An OCI layer, compressed with gzip.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// An OCI layer, compressed with zstd.
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// A Docker manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image config.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A Docker layer, compressed with gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    /// Whether it is a manifest of either kind.
    pub fn is_manifest(media_type: &str) -> bool {
        matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
    }

    /// Whether it is an index of either kind.
    pub fn is_index(media_type: &str) -> bool {
        matches!(media_type, OCI_INDEX | DOCKER_LIST)
    }
}

/// Names some content: what it is, its digest and its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// Digest.
    #[serde(with = "digest_text")]
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Where else it can be had.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on, in an index.
    #[serde(default, with = "platform_fields", skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What it is, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor of `bytes`.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Descriptor::new(media_type, sha256(bytes), bytes.len() as u64)
    }

    /// A descriptor without further properties.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
        }
    }
}

/// One image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image config.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub layers: Vec<Descriptor>,
    /// What it is about, if it is an attachment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Images for several platforms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Manifests and further indexes.
    #[serde(default, deserialize_with = "or_default")]
    pub manifests: Vec<Descriptor>,
    /// What it is about, if it is an attachment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// An OCI index of `manifests`.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Index {
            schema_version: 2,
            media_type: Some(media::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// An OCI manifest of a config and layers.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Manifest {
            schema_version: 2,
            media_type: Some(media::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// A manifest or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// An image for one platform.
    Manifest(Box<Manifest>),
    /// Images for several.
    Index(Box<Index>),
}

/// What a document says of itself, before it is known which of the two it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

/// The media type of a manifest or index: as it was announced, if that says anything, or else by what is in it. An error
/// is a phrase.
pub(crate) fn media_type_of(bytes: &[u8], announced: Option<&str>) -> Result<String, String> {
    let shape: Shape = serde_json::from_slice(bytes).map_err(|e| format!("it is not the JSON of a manifest: {e}"))?;
    if shape.fs_layers.is_some() {
        return Err("it is of the old schema 1, which is no longer supported: push the image again".to_owned());
    }
    let own = shape.media_type.as_deref();
    let known = |t: &&str| media::is_manifest(t) || media::is_index(t);
    let media_type = match announced.filter(known).or(own.filter(known)) {
        Some(media_type) => media_type,
        None if shape.manifests.is_some() => media::OCI_INDEX,
        None if shape.config.is_some() => media::OCI_MANIFEST,
        None => return Err("it is neither a manifest nor an index".to_owned()),
    };
    // A document that can be read as both is a trick: two clients would take it for two images (CVE-2021-41190).
    let contradicts = |other: fn(&str) -> bool| own.is_some_and(other);
    if media::is_manifest(media_type) && (shape.manifests.is_some() || contradicts(media::is_index)) {
        return Err("it is announced as a manifest, and has the contents of an index".to_owned());
    }
    if media::is_index(media_type)
        && (shape.config.is_some() || shape.layers.is_some() || contradicts(media::is_manifest))
    {
        return Err("it is announced as an index, and has the contents of a manifest".to_owned());
    }
    Ok(media_type.to_owned())
}

impl Document {
    /// Reads a document of a media type.
    ///
    /// # Errors
    /// A phrase that says why it is none.
    pub fn parse(bytes: &[u8], media_type: &str) -> Result<Self, String> {
        let media_type = media_type_of(bytes, Some(media_type))?;
        match media::is_index(&media_type) {
            true => serde_json::from_slice(bytes).map(|index| Document::Index(Box::new(index))),
            false => serde_json::from_slice(bytes).map(|manifest| Document::Manifest(Box::new(manifest))),
        }
        .map_err(|e| format!("it is not a manifest as it should be: {e}"))
    }
}

/// The SHA-256 digest of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest::sha256(sha2::Sha256::digest(bytes).into())
}

/// Go writes `null` for empty lists and maps.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

mod digest_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(digest.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(from)?;
        Digest::parse(&text).map_err(serde::de::Error::custom)
    }
}

mod platform_fields {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Fields {
        #[serde(default)]
        architecture: String,
        #[serde(default)]
        os: String,
        #[serde(default, rename = "os.version", skip_serializing_if = "String::is_empty")]
        os_version: String,
        #[serde(
            default,
            rename = "os.features",
            deserialize_with = "or_default",
            skip_serializing_if = "Vec::is_empty"
        )]
        os_features: Vec<String>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        variant: String,
    }

    pub(super) fn serialize<S: Serializer>(platform: &Option<Platform>, to: S) -> Result<S::Ok, S::Error> {
        let fields = platform.clone().map(|p| Fields {
            architecture: p.architecture,
            os: p.os,
            os_version: p.os_version,
            os_features: p.os_features,
            variant: p.variant,
        });
        fields.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Platform>, D::Error> {
        let fields = Option::<Fields>::deserialize(from)?;
        Ok(fields.map(|f| Platform {
            os: f.os,
            architecture: f.architecture,
            variant: f.variant,
            os_version: f.os_version,
            os_features: f.os_features,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_announced_or_seen() {
        let of = |json: &str, announced| media_type_of(json.as_bytes(), announced);
        assert_eq!(of(r#"{"manifests":[]}"#, None).as_deref(), Ok(media::OCI_INDEX));
        assert_eq!(of(r#"{"config":{}}"#, Some("text/plain")).as_deref(), Ok(media::OCI_MANIFEST));
        assert_eq!(of(r#"{"manifests":[]}"#, Some(media::DOCKER_LIST)).as_deref(), Ok(media::DOCKER_LIST));
        let own = format!(r#"{{"mediaType":"{}","manifests":[]}}"#, media::DOCKER_LIST);
        assert_eq!(of(&own, None).as_deref(), Ok(media::DOCKER_LIST));
        for (json, announced) in [
            (r#"{"manifests":[],"config":{}}"#, None),
            (r#"{"manifests":[]}"#, Some(media::OCI_MANIFEST)),
            (r#"{"layers":[]}"#, Some(media::OCI_INDEX)),
            (own.as_str(), Some(media::OCI_MANIFEST)),
            (r#"{"fsLayers":[],"config":{}}"#, None),
            ("{}", None),
            ("[", None),
        ] {
            assert!(of(json, announced).is_err(), "{json}");
        }
    }

    #[test]
    fn reads_what_go_writes() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let json = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"m","digest":"{digest}","size":3,"annotations":null}},"layers":null}}"#
        );
        let Ok(Document::Manifest(manifest)) = Document::parse(json.as_bytes(), "") else { panic!("no manifest") };
        assert_eq!((manifest.config.size, manifest.layers.len()), (3, 0));
        let negative = json.replace(":3", ":-3");
        assert!(Document::parse(negative.as_bytes(), "").is_err());
        let traversal = json.replace(&digest, "sha256:../../etc/passwd");
        assert!(Document::parse(traversal.as_bytes(), "").is_err());
    }

    #[test]
    fn writes_fields_in_their_order() {
        let platform = Platform::new("linux", "arm64");
        let manifest = Descriptor { platform: Some(platform), ..Descriptor::of(media::OCI_MANIFEST, b"{}") };
        let json = serde_json::to_string(&Index::new(vec![manifest])).unwrap();
        let hash = sha256(b"{}");
        assert_eq!(
            json,
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{hash}","size":2,"platform":{{"architecture":"arm64","os":"linux"}}}}]}}"#,
                media::OCI_INDEX,
                media::OCI_MANIFEST
            )
        );
    }
}
