//! From flags to what the compiler takes: files read, attributes collected.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rbc_context::{Context, classify};
use rbc_ir::CapSet;
use rbc_oci::Platform;
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, FileId, Sources, environment, lower};

use super::args::BuildArgs;
use crate::{Frontend, Input, Purpose};

/// What a command line names, loaded.
pub struct Project {
    /// All texts.
    pub sources: Sources,
    /// The recipe's.
    pub file: FileId,
    /// Attributes for the compiler.
    pub attrs: BTreeMap<String, String>,
    /// Name and text of the ignore file.
    pub ignore: Option<(String, String)>,
    /// Directories of the client, by the name of their local source.
    pub locals: BTreeMap<String, PathBuf>,
    /// OCI layouts that are contexts, by the name of their store.
    pub layouts: BTreeMap<String, PathBuf>,
    /// Where the recipe lies; the lock file's default place is beside it.
    pub dir: PathBuf,
    unique: String,
    labs: bool,
    frontend: Option<&'static Frontend>,
}

/// Where a recipe comes from.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// From where the flags say.
    Flags,
    /// From the context, where it has this name.
    Context(&'a str),
    /// It is a text.
    Text {
        /// What messages call it.
        name: &'a str,
        /// The text.
        text: &'a str,
    },
}

pub(super) fn cannot_read(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(environment::READ, format!("`{}` cannot be read: {error}", path.display()))
}

fn option(message: String) -> Diagnostic {
    Diagnostic::new(lower::OPTION, message)
}

/// All of standard input.
///
/// # Errors
/// It cannot be read.
pub fn standard_input() -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|e| Diagnostic::new(environment::READ, format!("standard input cannot be read: {e}")))?;
    Ok(bytes)
}

/// The bytes of a file, or of standard input if it is `-`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    if path == Path::new("-") { standard_input() } else { std::fs::read(path).map_err(|e| cannot_read(path, &e)) }
}

impl Project {
    /// Loads what the flags name.
    ///
    /// # Errors
    /// A file cannot be read, or a flag has a value that cannot be.
    pub fn load(args: &BuildArgs) -> Result<Project, Diagnostic> {
        Project::load_beside(Sources::new(), args, From::Flags)
    }

    /// The same, where other texts are there already, and the recipe may come from elsewhere.
    ///
    /// # Errors
    /// Those of [`Project::load`].
    pub fn load_beside(sources: Sources, args: &BuildArgs, from: From<'_>) -> Result<Project, Diagnostic> {
        let mut project = Project {
            sources,
            file: FileId(0),
            attrs: BTreeMap::new(),
            ignore: None,
            locals: BTreeMap::new(),
            layouts: BTreeMap::new(),
            dir: PathBuf::from("."),
            unique: String::new(),
            labs: args.labs,
            frontend: args.frontend.as_deref().and_then(Frontend::by_name),
        };
        project.find_recipe(args, from)?;
        project.set_flags(args)?;
        // A release of the reference frontend with experimental features is asked for by its tag.
        let syntax = rbc_grammar::detect_syntax(project.sources.get(project.file).text());
        project.labs |= syntax.is_some_and(|s| s.first().ends_with("labs"));
        Ok(project)
    }

    fn find_recipe(&mut self, args: &BuildArgs, from: From<'_>) -> Result<(), Diagnostic> {
        let remote = match classify(&args.path) {
            Context::Local => None,
            Context::Invalid(why) => return Err(Diagnostic::new(lower::CONTEXT, why)),
            Context::Git(_) | Context::Http => Some(args.path.clone()),
        };
        // What is not here lies in the context.
        let within = match from {
            From::Context(name) => Some(name),
            _ => args.file.as_deref().filter(|file| !Path::new(file).exists()),
        };
        if let From::Text { name, text } = from {
            self.file = self.take_in(name, text.as_bytes().to_vec());
        } else if args.path == "-" || args.file.as_deref() == Some("-") {
            if args.path == "-" && args.file.is_some() {
                return Err(option("`-` reads the Dockerfile from standard input, so `--file` has no use".to_owned()));
            }
            self.file = self.sources.add_bytes("Dockerfile", standard_input()?);
        } else if let Some(url) = remote.as_deref().filter(|_| args.file.is_none() || within.is_some()) {
            // It lies in its context, where a backend looks for it, too.
            let file = within.unwrap_or("Dockerfile");
            let bytes = super::remote::recipe(url, file)?;
            if file != "Dockerfile" {
                self.attrs.insert("filename".to_owned(), file.to_owned());
            }
            self.file = self.take_in(&format!("{url}:{file}"), bytes);
            self.attrs.insert("context".to_owned(), url.to_owned());
            self.unique = name_of(Path::new(url));
            return Ok(());
        } else {
            let path = match &args.file {
                Some(file) => PathBuf::from(file),
                None => default_recipe(Path::new(&args.path)),
            };
            let bytes = std::fs::read(&path).map_err(|e| {
                let found = cannot_read(&path, &e);
                match (&args.file, e.kind()) {
                    (None, std::io::ErrorKind::NotFound) => found.note("name another file with `--file`"),
                    _ => found,
                }
            })?;
            self.dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if name != "Dockerfile" {
                self.attrs.insert("filename".to_owned(), name.clone());
            }
            self.file = self.take_in(&path.to_string_lossy(), bytes);
            self.ignore = read_optional(&self.dir.join(format!("{name}.dockerignore")))?;
            self.locals.insert("dockerfile".to_owned(), self.dir.clone());
        }
        match remote {
            Some(url) => {
                self.attrs.insert("context".to_owned(), url);
                self.attrs.insert("dockerfilekey".to_owned(), "dockerfile".to_owned());
            }
            None if args.path != "-" => {
                let dir = PathBuf::from(&args.path);
                if !dir.is_dir() {
                    return Err(Diagnostic::new(environment::READ, format!("there is no directory `{}`", args.path)));
                }
                if self.ignore.is_none() {
                    self.ignore = read_optional(&dir.join(".dockerignore"))?;
                }
                self.locals.insert("context".to_owned(), dir);
            }
            None => {}
        }
        // Local sources of one project are one to a backend, and those of another project are others.
        self.unique = name_of(self.locals.get("context").unwrap_or(&self.dir));
        Ok(())
    }

    /// Adds a text, unless it is there already.
    fn take_in(&mut self, name: &str, bytes: Vec<u8>) -> FileId {
        let known = self.sources.iter().find(|f| f.name() == name && f.bytes() == bytes).map(|f| f.id());
        known.unwrap_or_else(|| self.sources.add_bytes(name, bytes))
    }

    fn set_flags(&mut self, args: &BuildArgs) -> Result<(), Diagnostic> {
        let mut set = |key: &str, value: String| {
            self.attrs.insert(key.to_owned(), value);
        };
        for arg in &args.build_args {
            match arg.split_once('=') {
                Some((name, value)) => set(&format!("build-arg:{name}"), value.to_owned()),
                None => {
                    if let Ok(value) = std::env::var(arg) {
                        set(&format!("build-arg:{arg}"), value);
                    }
                }
            }
        }
        for label in &args.labels {
            let (name, value) = label.split_once('=').unwrap_or((label, ""));
            set(&format!("label:{name}"), value.to_owned());
        }
        for (key, value) in
            [("target", &args.target), ("cgroup-parent", &args.cgroup_parent), ("hostname", &args.hostname)]
        {
            if let Some(value) = value {
                set(key, value.clone());
            }
        }
        if !args.platform.is_empty() {
            set("platform", args.platform.join(","));
        }
        if let Some(size) = &args.shm_size {
            let bytes = rbc_lower::bytes(size)
                .ok_or_else(|| option(format!("`{size}` is no size; write a number of bytes, or one such as `64m`")))?;
            set("shm-size", bytes.to_string());
        }
        match args.network.as_deref() {
            None | Some("default" | "") => {}
            Some(mode) => set("force-network-mode", mode.to_owned()),
        }
        if args.no_cache {
            set("no-cache", String::new());
        } else if !args.no_cache_filter.is_empty() {
            set("no-cache", args.no_cache_filter.join(","));
        }
        if args.pull {
            set("image-resolve-mode", "pull".to_owned());
        }
        if !args.ulimits.is_empty() {
            set("ulimit", args.ulimits.join(","));
        }
        if !args.add_hosts.is_empty() {
            let hosts: Result<Vec<String>, Diagnostic> = args.add_hosts.iter().map(|h| add_host(h)).collect();
            set("add-hosts", hosts?.join(","));
        }
        self.add_contexts(args)?;
        for opt in &args.opts {
            let (key, value) =
                opt.split_once('=').ok_or_else(|| option(format!("`--opt {opt}` has no value; write KEY=VALUE")))?;
            self.attrs.insert(key.to_owned(), value.to_owned());
        }
        Ok(())
    }

    fn add_contexts(&mut self, args: &BuildArgs) -> Result<(), Diagnostic> {
        for context in &args.build_contexts {
            let (name, place) = context
                .split_once('=')
                .ok_or_else(|| option(format!("`--build-context {context}` has no value; write NAME=VALUE")))?;
            let value = if Path::new(place).is_dir() {
                self.locals.insert(name.to_owned(), PathBuf::from(place));
                format!("local:{name}")
            } else if let Some(layout) = place.strip_prefix("oci-layout://") {
                self.add_layout(layout)?
            } else if place.contains(':') {
                place.to_owned()
            } else {
                return Err(option(format!("the context `{name}` is `{place}`, which is no directory"))
                    .note("a context is a directory, `docker-image://REF`, `oci-layout://DIR@DIGEST`, a git repository or an URL"));
            };
            self.attrs.insert(format!("context:{name}"), value);
        }
        Ok(())
    }

    /// Makes the context that is an OCI layout, `DIR[:TAG][@DIGEST]`, one by its digest in a store with a name.
    fn add_layout(&mut self, text: &str) -> Result<String, Diagnostic> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (dir, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((dir, tag)) => (dir, Some(tag)),
            None => (rest, None),
        };
        let wrong = |e: rbc_oci::DigestError| option(format!("the context `oci-layout://{text}`: {e}"));
        let digest = match digest {
            Some(digest) => rbc_oci::Digest::parse(digest).map_err(wrong)?,
            None => {
                let layout = rbc_registry::Layout::open(dir).map_err(|e| *e)?;
                // A layout with one image has no need of a name.
                layout.find(tag, None).map_err(|e| *e)?.digest
            }
        };
        let name = name_of(Path::new(dir));
        self.layouts.insert(name.clone(), PathBuf::from(dir));
        Ok(format!("oci-layout://{name}@{digest}"))
    }

    /// The language of the recipe.
    pub fn frontend(&self) -> &'static Frontend {
        self.frontend.unwrap_or_else(|| Frontend::of(self.sources.get(self.file)))
    }

    /// The input of the compiler.
    pub fn input(&self, purpose: Purpose) -> Input<'_> {
        let host = host_platform();
        Input {
            file: self.sources.get(self.file),
            attrs: self.attrs.clone(),
            surroundings: Surroundings {
                build_platform: host.clone(),
                host_platform: host,
                session: None,
                unique: self.unique.clone(),
            },
            caps: CapSet::all(),
            ignore: self.ignore.clone(),
            inputs: BTreeMap::new(),
            labs: self.labs,
            frontend: self.frontend,
            purpose,
        }
    }
}

/// A name for a directory that no other has.
fn name_of(dir: &Path) -> String {
    let whole = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf());
    let digest = rbc_wire::Digest::of(whole.to_string_lossy().as_bytes()).to_string();
    digest.rsplit(':').next().unwrap_or_default().chars().take(25).collect()
}

/// The recipe of a directory: a Dockerfile, in lower case if there is no other, or else a Mockerfile.
fn default_recipe(dir: &Path) -> PathBuf {
    let names = ["Dockerfile", "dockerfile", "Mockerfile.yaml"];
    let found = names.iter().map(|name| dir.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| dir.join("Dockerfile"))
}

/// Name and text of a file that need not be there.
pub(super) fn read_optional(path: &Path) -> Result<Option<(String, String)>, Diagnostic> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            Ok(Some((name, String::from_utf8_lossy(&bytes).into_owned())))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(cannot_read(path, &e)),
    }
}

/// `host=ip` of `host=ip`, `host:ip` or `host:[ip]`.
fn add_host(text: &str) -> Result<String, Diagnostic> {
    let (host, ip) = text
        .split_once('=')
        .or_else(|| text.split_once(':'))
        .ok_or_else(|| option(format!("the additional host `{text}` has no address; write `host=address`")))?;
    let ip = ip.strip_prefix('[').and_then(|i| i.strip_suffix(']')).unwrap_or(ip);
    Ok(format!("{host}={ip}"))
}

/// What this program runs on, by Go's names.
pub fn host_platform() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        other => other,
    };
    // Images are Linux ones unless this is Windows; a Mac builds for Linux too.
    let os = if cfg!(windows) { "windows" } else { "linux" };
    Platform::new(os, architecture).normalize()
}
