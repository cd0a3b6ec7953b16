//! What is compiled: recorded cases, files, generated texts; with a host that answers from memory.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rbc::{Found, Host, Input, Purpose};
use rbc_ir::CapSet;
use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_oci::{Digest, Platform};
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, FileId, SourceFile, image};
use serde_json::Value;

/// A Dockerfile with what its build is told.
pub struct Build {
    /// What it is called.
    pub name: String,
    pub file: SourceFile,
    pub attrs: BTreeMap<String, String>,
    pub labs: bool,
    pub ignore: Option<(String, String)>,
    pub host: Memory,
}

/// Answers from memory.
#[derive(Clone, Default)]
pub struct Memory {
    /// By reference and platform. Images that are not here are made up, unless there are some that are.
    images: HashMap<(String, String), Result<Found, Diagnostic>>,
}

/// The digest of every image that is made up.
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The config of an image that is made up.
pub const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Cmd":["sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]},"history":[{"created":"2026-01-01T00:00:00Z","created_by":"ADD rootfs / # buildkit"}]}"#;

pub fn digest() -> Digest {
    Digest::parse(DIGEST).expect("a well-formed digest")
}

impl Host for Memory {
    fn image(&mut self, wanted: &ImageQuestion) -> Result<Found, Diagnostic> {
        let platform = wanted.platform.as_ref().map_or("linux/amd64".to_owned(), Platform::format_all);
        match self.images.get(&(wanted.reference.clone(), platform)) {
            Some(found) => found.clone(),
            None if self.images.is_empty() => {
                Ok(Found { reference: wanted.reference.clone(), digest: Some(digest()), config: CONFIG.into() })
            }
            None => Err(Diagnostic::new(image::NOT_FOUND, "not recorded")),
        }
    }

    fn ignore(&mut self, _local: &str) -> Result<Option<String>, Diagnostic> {
        Ok(None)
    }

    fn is_archive(&mut self, _url: &str) -> Result<bool, Diagnostic> {
        Ok(false)
    }

    fn time(&mut self, _source: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        Ok(Some(1_700_000_000))
    }
}

impl Build {
    /// A text on its own.
    pub fn new(name: impl Into<String>, text: String) -> Build {
        Build {
            name: name.into(),
            file: SourceFile::new(FileId(0), "Dockerfile", text),
            attrs: BTreeMap::new(),
            labs: false,
            ignore: None,
            host: Memory::default(),
        }
    }

    /// The text of a file.
    pub fn read(path: &Path) -> std::io::Result<Build> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Build::new(name, std::fs::read_to_string(path)?))
    }

    /// A recorded case, if it compiles and is told nothing out of the ordinary.
    fn recorded(case: &Value) -> Option<Build> {
        let options = &case["opts"];
        let plain = options["buildPlatform"] == "linux/amd64" && options["inputs"].is_null();
        if case["status"] != "ok" || !plain || !options["disabledCaps"].is_null() {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let images = options["images"].as_array().into_iter().flatten().map(|found| {
            let reference = text(&found["ref"]);
            let answer = match found["error"].as_str() {
                Some(error) => Err(Diagnostic::new(image::NOT_FOUND, error)),
                None => Ok(Found {
                    reference: reference.clone(),
                    digest: found["digest"].as_str().and_then(|d| Digest::parse(d).ok()),
                    config: text(&found["config"]).into_bytes(),
                }),
            };
            ((reference, text(&found["platform"])), answer)
        });
        let ignore = options["dockerignore"].as_str().map(|t| (".dockerignore".to_owned(), t.to_owned()));
        let attrs = options["attrs"].as_object().into_iter().flatten();
        Some(Build {
            host: Memory { images: images.collect() },
            attrs: attrs.map(|(k, v)| (k.clone(), text(v))).collect(),
            labs: options["labs"] == true,
            ignore,
            ..Build::new(text(&case["id"]), text(&case["dockerfile"]))
        })
    }

    /// As the compiler takes it.
    pub fn input(&self) -> Input<'_> {
        let linux = Platform::new("linux", "amd64");
        Input {
            file: &self.file,
            attrs: self.attrs.clone(),
            surroundings: Surroundings {
                build_platform: linux.clone(),
                host_platform: linux,
                session: None,
                unique: "bench".to_owned(),
            },
            caps: CapSet::all(),
            ignore: self.ignore.clone(),
            inputs: BTreeMap::new(),
            labs: self.labs,
            purpose: Purpose::Build,
            frontend: None,
        }
    }
}

/// The recorded builds, if they are there.
pub fn recorded() -> Vec<Build> {
    let folder = match std::env::var_os("RBC_CONFORMANCE") {
        Some(folder) => folder.into(),
        None => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let found = root.ancestors().map(|dir| dir.join("shared/conformance")).find(|dir| dir.is_dir());
            found.unwrap_or_default()
        }
    };
    let Ok(files) = folder.join("dockerfile/cases").read_dir() else { return Vec::new() };
    let mut builds = Vec::new();
    for file in files.filter_map(Result::ok) {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        let cases = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        builds.extend(cases.filter_map(|case| Build::recorded(&case)));
    }
    builds.sort_by(|a, b| a.name.cmp(&b.name));
    builds
}
