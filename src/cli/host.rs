//! The world as a command line sees it: registries, layouts, the lock file, directories, git and HTTP.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_oci::{History, ImageConfig, Reference};
use rbc_registry::{
    Chain, Client, Credentials, ImageRequest, ImageResolver, Layout, Lock, LockResolver, Mode, Offline, RegistryConfig,
    RegistryResolver,
};
use rbc_sema::options::ResolveMode;
use rbc_source::{Diagnostic, Sources, environment, image};

use super::args::BuildArgs;
use super::project::{Project, host_platform};
use super::remote;
use crate::{Found, Host};

/// Answers from lock file, layouts and registries, in this order.
pub struct World {
    resolver: Chain,
    /// Who talks to registries, unless that is forbidden.
    pub client: Option<Arc<Client>>,
    locals: BTreeMap<String, PathBuf>,
    layouts: BTreeMap<String, PathBuf>,
    offline: bool,
    /// Images are taken for empty ones.
    no_resolve: bool,
    /// Every image that was asked for with its answer, for `rbc lock`.
    pub seen: Vec<(ImageRequest, rbc_registry::ResolvedImage)>,
}

/// The lock file of a project.
pub fn lock_path(args: &BuildArgs, project: &Project) -> PathBuf {
    args.images.lock_file.clone().unwrap_or_else(|| project.dir.join("rbc.lock"))
}

/// Reads a lock file; none if it does not exist.
///
/// # Errors
/// It cannot be read, or is not well formed.
pub fn read_lock(path: &Path, project: &mut Project) -> Result<Option<Lock>, Vec<Diagnostic>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(vec![Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", path.display()))]);
        }
    };
    let id = project.sources.add_bytes(path.to_string_lossy(), bytes);
    let lock = Lock::parse(project.sources.get(id));
    if lock.has_errors() { Err(lock.diagnostics) } else { Ok(Some(lock.value)) }
}

/// Who talks to registries, unless that is forbidden.
///
/// # Errors
/// A configuration cannot be read.
pub fn registry_client(
    config: Option<&Path>,
    offline: bool,
    sources: &mut Sources,
) -> Result<Option<Arc<Client>>, Vec<Diagnostic>> {
    if offline {
        return Ok(None);
    }
    let config = match config {
        None => RegistryConfig::default(),
        Some(path) => read_config(path, sources)?,
    };
    let credentials = match docker_config() {
        Some(path) => Credentials::from_docker_config(&path).map_err(|e| vec![*e])?,
        None => Credentials::none(),
    };
    Ok(Some(Arc::new(Client::new(config, credentials))))
}

impl World {
    /// The world of a command line.
    ///
    /// # Errors
    /// The lock file, a layout or a configuration cannot be read.
    pub fn new(args: &BuildArgs, project: &mut Project, lock: Option<Lock>) -> Result<World, Vec<Diagnostic>> {
        let one = |error: Box<Diagnostic>| vec![*error];
        let path = lock_path(args, project);
        let client = registry_client(
            args.images.registry.registry_config.as_deref(),
            args.images.offline,
            &mut project.sources,
        )?;
        let mut chain: Vec<Box<dyn ImageResolver>> = Vec::new();
        match lock {
            Some(lock) => chain.push(Box::new(LockResolver::new(lock, path.to_string_lossy()))),
            None if args.images.locked => {
                let message = format!("there is no lock file `{}`", path.display());
                return Err(vec![Diagnostic::new(image::NOT_LOCKED, message).note("`rbc lock` writes it")]);
            }
            None => {}
        }
        if !args.images.locked {
            for dir in &args.images.oci_layouts {
                chain.push(Box::new(Layout::open(dir).map_err(one)?));
            }
            if let Some(client) = &client {
                chain.push(Box::new(RegistryResolver::new(client.clone())));
            }
        }
        let offline = args.images.offline || args.images.locked;
        Ok(World {
            resolver: Chain(chain),
            client,
            locals: project.locals.clone(),
            layouts: project.layouts.clone(),
            offline,
            no_resolve: args.no_resolve,
            seen: Vec::new(),
        })
    }

    fn refuse_offline(&self, what: &str) -> Result<(), Diagnostic> {
        if !self.offline {
            return Ok(());
        }
        Err(Diagnostic::new(image::OFFLINE, format!("`{what}` would have to be fetched"))
            .note("`--offline` forbids that"))
    }
}

fn read_config(path: &Path, sources: &mut Sources) -> Result<RegistryConfig, Vec<Diagnostic>> {
    let bytes = std::fs::read(path)
        .map_err(|e| vec![Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", path.display()))])?;
    let id = sources.add_bytes(path.to_string_lossy(), bytes);
    let config = RegistryConfig::parse(sources.get(id));
    if config.has_errors() { Err(config.diagnostics) } else { Ok(config.value) }
}

/// The configuration of the docker command, which holds credentials.
/// Docker's configuration file, which may be missing.
pub fn docker_config() -> Option<PathBuf> {
    let dir = match std::env::var_os("DOCKER_CONFIG") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".docker"),
    };
    Some(dir.join("config.json"))
}

/// An image of which nothing is known but that it is not empty.
pub(super) fn unresolved(question: &ImageQuestion) -> Found {
    let platform = question.platform.clone().unwrap_or_else(host_platform);
    let config = ImageConfig {
        platform,
        rootfs_type: "layers".to_owned(),
        history: vec![History::default()],
        ..ImageConfig::default()
    };
    Found { reference: question.reference.clone(), digest: None, config: config.to_json().into_bytes() }
}

fn request(question: &ImageQuestion) -> Result<ImageRequest, Diagnostic> {
    let reference = Reference::parse_normalized(&question.reference).map_err(|e| e.diagnostic(&question.reference))?;
    let mode = match question.mode {
        ResolveMode::Default => Mode::Default,
        ResolveMode::ForcePull => Mode::Pull,
        ResolveMode::PreferLocal => Mode::Local,
    };
    Ok(ImageRequest { reference, platform: question.platform.clone().unwrap_or_else(host_platform), mode })
}

impl Host for World {
    fn image(&mut self, question: &ImageQuestion) -> Result<Found, Diagnostic> {
        self.images(std::slice::from_ref(question)).pop().unwrap_or_else(|| {
            Err(Diagnostic::new(environment::INTERNAL, "an image was asked for and nobody answered"))
        })
    }

    fn images(&mut self, questions: &[ImageQuestion]) -> Vec<Result<Found, Diagnostic>> {
        if self.no_resolve {
            return questions.iter().map(|q| Ok(unresolved(q))).collect();
        }
        let requests: Vec<Result<ImageRequest, Diagnostic>> = questions.iter().map(request).collect();
        let (layouts, asked): (Vec<usize>, Vec<usize>) =
            (0..questions.len()).filter(|i| requests[*i].is_ok()).partition(|i| questions[*i].layout.is_some());
        let list: Vec<ImageRequest> = asked.iter().filter_map(|i| requests[*i].clone().ok()).collect();
        let mut answers: BTreeMap<usize, _> = asked.into_iter().zip(self.resolver.resolve_all(&list)).collect();
        for i in layouts {
            if let (Ok(request), Some(dir)) = (&requests[i], &questions[i].layout) {
                let dir = self
                    .layouts
                    .get(dir)
                    .or_else(|| self.locals.get(dir))
                    .cloned()
                    .unwrap_or_else(|| PathBuf::from(dir));
                answers.insert(i, Layout::open(dir).and_then(|layout| layout.resolve(request)));
            }
        }
        requests
            .into_iter()
            .enumerate()
            .map(|(i, request)| {
                let request = request?;
                let found = match answers.remove(&i) {
                    Some(answer) => answer.map_err(|e| *e)?,
                    None => Offline.resolve(&request).map_err(|e| *e)?,
                };
                self.seen.push((request, found.clone()));
                Ok(Found {
                    reference: questions[i].reference.clone(),
                    digest: Some(found.digest),
                    config: found.config,
                })
            })
            .collect()
    }

    fn ignore(&mut self, local: &str) -> Result<Option<String>, Diagnostic> {
        let Some(dir) = self.locals.get(local) else { return Ok(None) };
        let path = dir.join(".dockerignore");
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", path.display()))),
        }
    }

    fn is_archive(&mut self, url: &str) -> Result<bool, Diagnostic> {
        self.refuse_offline(url)?;
        remote::is_archive(url)
    }

    fn time(&mut self, source: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        self.refuse_offline(&source.identifier)?;
        remote::time(source)
    }
}
