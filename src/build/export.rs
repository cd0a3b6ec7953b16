//! Where results go, as `--output` and bake files say it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rbc_ast::plan;
use rbc_local::{Compression, ImageOptions};
use rbc_oci::{Platform, Reference};
use rbc_source::{Diagnostic, go_bool, lower};

/// Where a result goes, and in which form.
#[derive(Clone, Debug)]
pub struct Export {
    /// Which form.
    pub form: Form,
    /// How images are written, if it is one.
    pub image: ImageOptions,
    /// Names of the image, instead of those of the target.
    pub names: Vec<Reference>,
    /// Annotations of the image beside those of the target.
    pub annotations: Annotations,
    /// Whether an image for one platform is an index all the same, and files are in a folder a platform; none is as the
    /// number of platforms says.
    pub split: Option<bool>,
    /// Parameters that only a builder elsewhere has a use for.
    pub others: BTreeMap<String, String>,
}

/// A form of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// None: it stays in the store.
    Cache,
    /// An image in the store, which may be pushed to the registry of its name.
    Image {
        /// Push it.
        push: bool,
        /// Push it by its digest, without a tag.
        by_digest: bool,
    },
    /// Files in a directory.
    Directory {
        /// The directory.
        path: PathBuf,
        /// What it has and the result has not is removed.
        delete: bool,
    },
    /// Files in a tar archive.
    Tar(Place),
    /// An OCI layout in a directory.
    Layout(PathBuf),
    /// An OCI layout in a tar archive.
    Oci(Place),
    /// An archive for `docker load`.
    Docker(Place),
    /// An image in docker, by `docker load`.
    Load,
}

/// Where an archive goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To standard output.
    Stdout,
    /// To a file.
    File(PathBuf),
}

/// Annotations of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Vec<Annotation>);

/// One annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    on: Subject,
    /// Only on the manifest of this one.
    platform: Option<Platform>,
    key: String,
    value: String,
}

/// What is annotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The manifest of an image.
    Manifest,
    /// What an index says of it.
    ManifestDescriptor,
    /// The index of an image for several platforms.
    Index,
    /// What an OCI layout says of that.
    IndexDescriptor,
}

impl Subject {
    /// What a build annotates.
    pub const OF_BUILD: [Subject; 2] = [Subject::Manifest, Subject::Index];

    fn read(name: &str) -> Option<Subject> {
        Some(match name {
            "manifest" => Subject::Manifest,
            "manifest-descriptor" => Subject::ManifestDescriptor,
            "index" => Subject::Index,
            "index-descriptor" => Subject::IndexDescriptor,
            _ => return None,
        })
    }
}

impl Annotations {
    /// Adds what `--annotation` says: `[TYPE[PLATFORM][,TYPE...]:]KEY=VALUE`, where a type is one of `allowed`.
    /// The first of these is meant if there is none.
    ///
    /// # Errors
    /// If it is not of this form.
    pub fn add(&mut self, text: &str, allowed: [Subject; 2]) -> Result<(), Diagnostic> {
        let wrong = |why: String| Diagnostic::new(lower::OPTION, format!("the annotation `{text}` {why}"));
        let (left, value) = text.split_once('=').ok_or_else(|| wrong("has no value; write KEY=VALUE".to_owned()))?;
        // A key may have a colon of its own: what stands before it is a type only if it looks like one.
        let typed = left
            .split_once(':')
            .filter(|(types, _)| types.split(',').all(|t| Subject::read(t.split('[').next().unwrap_or(t)).is_some()));
        let (types, key) = typed.map_or((None, left), |(types, key)| (Some(types), key));
        if key.is_empty() {
            return Err(wrong("has no key; write KEY=VALUE".to_owned()));
        }
        let Some(types) = types else {
            self.push(allowed[0], None, key, value);
            return Ok(());
        };
        for kind in types.split(',') {
            let (kind, platform) = match kind.split_once('[') {
                None => (kind, None),
                Some((kind, rest)) => {
                    let text = rest.strip_suffix(']').ok_or_else(|| wrong("lacks a `]`".to_owned()))?;
                    let platform = Platform::parse(text, &Platform::new("linux", "amd64"));
                    (kind, Some(platform.map_err(|e| e.diagnostic(text))?))
                }
            };
            let on = Subject::read(kind).filter(|on| allowed.contains(on));
            let on = on.ok_or_else(|| wrong(format!("is for a `{kind}`, which is not supported here")))?;
            self.push(on, platform, key, value);
        }
        Ok(())
    }

    fn push(&mut self, on: Subject, platform: Option<Platform>, key: &str, value: &str) {
        self.0.push(Annotation { on, platform, key: key.to_owned(), value: value.to_owned() });
    }

    /// Those of the manifest for a platform.
    pub fn of_manifest(&self, platform: Option<&Platform>) -> BTreeMap<String, String> {
        let here =
            |a: &&Annotation| a.on == Subject::Manifest && (a.platform.is_none() || a.platform.as_ref() == platform);
        self.0.iter().filter(here).map(|a| (a.key.clone(), a.value.clone())).collect()
    }

    /// Those of the index.
    pub fn of_index(&self) -> BTreeMap<String, String> {
        self.0.iter().filter(|a| a.on == Subject::Index).map(|a| (a.key.clone(), a.value.clone())).collect()
    }

    /// Those of what an index says of manifests, each with the platform that it is for.
    pub fn of_entries(&self) -> Vec<(Option<Platform>, String, String)> {
        let entries = self.0.iter().filter(|a| a.on == Subject::ManifestDescriptor);
        entries.map(|a| (a.platform.clone(), a.key.clone(), a.value.clone())).collect()
    }
}

impl Export {
    /// A form with the usual options.
    pub fn new(form: Form) -> Self {
        let oci_types = !matches!(form, Form::Docker(_) | Form::Load);
        Export {
            form,
            image: ImageOptions { oci_types, ..ImageOptions::default() },
            names: Vec::new(),
            annotations: Annotations::default(),
            split: None,
            others: BTreeMap::new(),
        }
    }

    /// What `--output` or a bake file says.
    ///
    /// # Errors
    /// If a type or a parameter is not known, or a destination is missing.
    pub fn read(output: &plan::Output) -> Result<Export, Diagnostic> {
        let mut attrs = Attrs { kind: &output.kind, left: output.attrs.iter().map(|(k, v)| (&**k, &**v)).collect() };
        let place = || match &*output.dest {
            "" => None,
            "-" => Some(Place::Stdout),
            path => Some(Place::File(PathBuf::from(path))),
        };
        let missing = || {
            Diagnostic::new(lower::OPTION, format!("an output of the type `{}` needs a destination", output.kind))
                .note("write `dest=PATH`, or `dest=-` for standard output")
        };
        let form = match &*output.kind {
            "cacheonly" => Form::Cache,
            kind @ ("image" | "registry") => Form::Image {
                push: attrs.truth("push")?.unwrap_or(kind == "registry"),
                by_digest: attrs.truth("push-by-digest")?.unwrap_or(false),
            },
            "local" => match place() {
                Some(Place::File(path)) => {
                    let mode = attrs.take("mode");
                    if let Some(mode) = mode.filter(|m| !["copy", "delete"].contains(m)) {
                        return Err(attrs.wrong("mode", mode, "it is `copy` or `delete`"));
                    }
                    Form::Directory { path, delete: mode == Some("delete") }
                }
                Some(Place::Stdout) => {
                    let found = Diagnostic::new(lower::OPTION, "a directory cannot go to standard output");
                    return Err(found.note("write `type=tar,dest=-`"));
                }
                None => return Err(missing()),
            },
            "tar" => Form::Tar(place().ok_or_else(missing)?),
            "oci" => match (attrs.truth("tar")?, place().ok_or_else(missing)?) {
                (Some(false), Place::File(path)) => Form::Layout(path),
                (Some(false), Place::Stdout) => return Err(missing()),
                (_, place) => Form::Oci(place),
            },
            "docker" => place().map_or(Form::Load, Form::Docker),
            other => {
                let kinds = ["image", "registry", "local", "tar", "oci", "docker", "cacheonly"];
                let found = Diagnostic::new(lower::OPTION, format!("there is no output of the type `{other}`"));
                return Err(found.note(format!("there are {}", kinds.join(", "))).suggest(other, kinds));
            }
        };
        let mut export = Export::new(form);
        export.settings(&mut attrs)?;
        match attrs.left.keys().next() {
            Some(key) => {
                let message = format!("an output of the type `{}` has no parameter `{key}`", output.kind);
                Err(Diagnostic::new(lower::OPTION, message).suggest(key, PARAMETERS))
            }
            None => Ok(export),
        }
    }

    fn settings(&mut self, attrs: &mut Attrs) -> Result<(), Diagnostic> {
        self.split = attrs.truth("platform-split")?.or(attrs.truth("multi-platform")?);
        if matches!(self.form, Form::Cache | Form::Directory { .. } | Form::Tar(_)) {
            return Ok(());
        }
        for name in attrs.take("name").unwrap_or_default().split(',').filter(|n| !n.is_empty()) {
            self.names.push(name_of(name)?);
        }
        let level = match attrs.take("compression-level") {
            None => None,
            Some(text) => {
                let level = text.parse::<i32>();
                Some(level.map_err(|_| attrs.wrong("compression-level", text, "it is a number"))?)
            }
        };
        self.image.compression = match attrs.take("compression") {
            None | Some("gzip") => match level {
                None => Compression::default(),
                Some(level) => Compression::Gzip(level.clamp(0, 9).unsigned_abs()),
            },
            Some("zstd") => Compression::Zstd(level.unwrap_or(3).clamp(1, 22)),
            Some("uncompressed") => Compression::None,
            Some(other) => return Err(attrs.wrong("compression", other, "it is `gzip`, `zstd` or `uncompressed`")),
        };
        self.image.force_compression = attrs.truth("force-compression")?.unwrap_or(false);
        self.image.oci_types = attrs.truth("oci-mediatypes")?.unwrap_or(self.image.oci_types);
        self.image.rewrite_timestamps = attrs.truth("rewrite-timestamp")?.unwrap_or(false);
        // An image is in the store and unpacked there anyway.
        for known in ["store", "unpack", "dangling-name-prefix", "name-canonical", "registry.insecure"] {
            if let Some(value) = attrs.take(known) {
                self.others.insert(known.to_owned(), value.to_owned());
            }
        }
        for (key, value) in std::mem::take(&mut attrs.left) {
            let annotation = [
                ("annotation.", Subject::Manifest),
                ("annotation-manifest.", Subject::Manifest),
                ("annotation-index.", Subject::Index),
            ];
            match annotation.iter().find_map(|(prefix, on)| Some((key.strip_prefix(prefix)?, *on))) {
                Some((key, on)) => self.annotations.push(on, None, key, value),
                None => {
                    attrs.left.insert(key, value);
                }
            }
        }
        Ok(())
    }
}

/// Reads the name of an image; without a tag it is `latest`.
///
/// # Errors
/// If it is none.
pub fn name_of(text: &str) -> Result<Reference, Diagnostic> {
    Ok(Reference::parse_normalized(text).map_err(|e| e.diagnostic(text))?.with_default_tag())
}

/// Parameters that some output has.
const PARAMETERS: [&str; 11] = [
    "compression",
    "compression-level",
    "force-compression",
    "mode",
    "name",
    "oci-mediatypes",
    "platform-split",
    "push",
    "push-by-digest",
    "rewrite-timestamp",
    "tar",
];

/// Parameters that were not looked at yet.
struct Attrs<'a> {
    kind: &'a str,
    left: BTreeMap<&'a str, &'a str>,
}

impl<'a> Attrs<'a> {
    fn take(&mut self, key: &str) -> Option<&'a str> {
        self.left.remove(key)
    }

    fn truth(&mut self, key: &str) -> Result<Option<bool>, Diagnostic> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match go_bool(value) {
                Some(truth) => Ok(Some(truth)),
                None => Err(self.wrong(key, value, "it is `true` or `false`")),
            },
        }
    }

    fn wrong(&self, key: &str, value: &str, note: &str) -> Diagnostic {
        let message = format!("`{key}={value}` cannot be for an output of the type `{}`", self.kind);
        Diagnostic::new(lower::OPTION, message).note(note)
    }
}
