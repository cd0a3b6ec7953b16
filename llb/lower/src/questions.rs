//! What lowering must be told about the world, and what it was told.
//!
//! Lowering is pure. Where it needs a fact from outside it asks, the driver finds out, and lowering goes on with the
//! answer ([`crate::Lowerer`]). A question that was answered once is never asked again.

use std::collections::{BTreeMap, HashMap};

use rbc_ast::recipe::Trigger;
use rbc_ir::{Graph, Ref};
use rbc_oci::{Digest, ImageConfig, Platform};
use rbc_sema::options::ResolveMode;
use rbc_source::Diagnostic;

/// A fact that is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    /// Digest and config of an image.
    Image(ImageQuestion),
    /// The `.dockerignore` of a local directory that is a named context.
    Ignore(String),
    /// Whether the file behind a URL, given as build context, is an archive.
    Archive(String),
    /// The time of a git commit or of a download, to be used as SOURCE_DATE_EPOCH.
    Time(SourceQuestion),
}

/// Which image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageQuestion {
    /// Normalised reference with tag or digest.
    pub reference: String,
    /// For which platform; none for the backend's own.
    pub platform: Option<Platform>,
    /// How it is looked up.
    pub mode: ResolveMode,
    /// The OCI layout that holds it; none for a registry.
    pub layout: Option<String>,
}

/// Which source, as LLB names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceQuestion {
    /// Identifier, as `git://github.com/moby/buildkit.git`.
    pub identifier: String,
    /// Attributes.
    pub attrs: BTreeMap<String, String>,
}

/// What is known of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The reference that it was found under, which a backend's policy may have changed.
    pub reference: String,
    /// Digest of the manifest or index.
    pub digest: Option<Digest>,
    /// Its config.
    pub config: ImageConfig,
    /// Its ONBUILD triggers, parsed.
    pub triggers: Vec<Trigger>,
}

/// A result of another build that this one takes as a context.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its graph.
    pub graph: Graph,
    /// Its result.
    pub result: Option<Ref>,
    /// The config of its image, if it is one.
    pub config: Option<ImageConfig>,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Images, or why there is none.
    pub images: HashMap<ImageQuestion, Result<Image, Diagnostic>>,
    /// Texts of `.dockerignore` by local name; none where there is no such file.
    pub ignores: HashMap<String, Option<String>>,
    /// Whether a URL leads to an archive, or why that is not known.
    pub archives: HashMap<String, Result<bool, Diagnostic>>,
    /// Times in seconds since 1970; none for a source without one.
    pub times: HashMap<SourceQuestion, Result<Option<i64>, Diagnostic>>,
    /// Results of other builds by name. They are never asked for: who compiles knows them from the start.
    pub inputs: BTreeMap<String, Input>,
}
