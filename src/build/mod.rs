//! Building: compiled targets to results, and results to where they belong.
//!
//! All targets of a call are one graph, so that what they share is done once and everything that can run in parallel does.

mod blame;
mod caches;
mod deliver;
mod elsewhere;
mod export;
mod places;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rbc_ast::plan;
use rbc_ir::{Graph, NetMode, Op, Ref, SecurityMode};
use rbc_local::{Cancel, Event, Executor, Exported, Progress, Scene, Session, Snapshot, SolveError};
use rbc_oci::Reference;
use rbc_source::{Diagnostic, execute, lower};
use rbc_wire::Digest;

pub use caches::{CacheExport, CachePlace, cache_from, cache_to, open as open_cache, write as write_cache};
pub use elsewhere::{Node, run as run_elsewhere};
pub use export::{Annotation, Annotations, Export, Form, Place, Subject, name_of};
pub use places::put;

use crate::Output;
use crate::optimize::Optimizer;

/// A compiled target, what it may use, and what shall become of it.
#[derive(Debug, Default)]
pub struct Job {
    /// What messages call it; empty if it is the only one.
    pub name: String,
    /// What it was compiled to, for each platform.
    pub outputs: Vec<Output>,
    /// An image that compiles it where it is built, instead of us; there are no outputs then.
    pub frontend: Option<rbc_buildkit::Frontend>,
    /// Directories, by the names of its local sources.
    pub locals: BTreeMap<String, PathBuf>,
    /// OCI layouts, by the names of their stores.
    pub layouts: BTreeMap<String, PathBuf>,
    /// Archives of images and OCI layouts in which base images are looked for before a registry is asked.
    pub archives: Vec<PathBuf>,
    /// Secrets, by id.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// Sockets of ssh agents, by id.
    pub ssh: BTreeMap<String, PathBuf>,
    /// What its commands may do beyond the sandbox.
    pub allow: Allow,
    /// The names of its image.
    pub names: Vec<Reference>,
    /// Annotations of its image.
    pub annotations: Annotations,
    /// Where the result goes.
    pub exports: Vec<Export>,
    /// Caches of other machines.
    pub cache_from: Vec<CachePlace>,
    /// Caches for other machines.
    pub cache_to: Vec<CacheExport>,
    /// Both as they were asked for: a builder elsewhere knows kinds and parameters that are not known here.
    pub asked: Asked,
}

/// Caches as they were asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Those to be read.
    pub from: Vec<plan::Cache>,
    /// Those to be written.
    pub to: Vec<plan::Cache>,
}

/// What commands may do beyond the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Use the network of this machine by `RUN --network=host`.
    pub network_host: bool,
    /// Run with nearly all rights by `RUN --security=insecure`.
    pub insecure: bool,
}

/// What a job came to.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// The files, for each platform.
    pub snapshots: Vec<Snapshot>,
    /// The images that were made of them, one for each export that is an image, with their names.
    pub images: Vec<(Exported, Vec<Reference>)>,
    /// The id of its image: of its config, or of the index of several.
    pub id: Option<String>,
    /// What `--metadata-file` says of it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

impl Built {
    /// What came to be here.
    fn here(snapshots: Vec<Snapshot>, images: Vec<(Exported, Vec<Reference>)>) -> Self {
        let mut built = Built { snapshots, ..Built::default() };
        if let Some((made, names)) = images.first() {
            let id = match &made.manifests[..] {
                [(_, manifest)] => &manifest.config.digest,
                _ => &made.top.digest,
            };
            built.id = Some(id.to_string());
            built.metadata = deliver::metadata(made, names);
        }
        Built { images, ..built }
    }
}

/// Why a build failed.
#[derive(Debug)]
pub struct Failed {
    /// What to tell the user.
    pub diagnostics: Vec<Diagnostic>,
    /// Where it failed, if a command did, and what it could use.
    pub at: Option<(Box<Scene>, Session)>,
}

impl From<Diagnostic> for Failed {
    fn from(found: Diagnostic) -> Self {
        Failed { diagnostics: vec![found], at: None }
    }
}

impl From<Box<Diagnostic>> for Failed {
    fn from(found: Box<Diagnostic>) -> Self {
        Failed::from(*found)
    }
}

/// Optimizes and builds targets, and delivers their results; the answers are in the order of the jobs.
///
/// # Errors
/// The first failure, after all that was running has ended. Nothing is delivered unless all targets are built.
pub fn run(
    jobs: &[Job],
    executor: &Executor,
    optimizer: &mut Optimizer,
    progress: &dyn Progress,
    cancel: Option<&Cancel>,
) -> Result<Vec<Built>, Failed> {
    let mut graph = Graph::new();
    let mut session = Session { cancel: cancel.cloned(), ..Session::default() };
    let mut roots = Vec::new();
    for job in jobs {
        permit(job)?;
        session.join(job)?;
        for output in &job.outputs {
            let mut own = output.product.graph.clone();
            session.local.extend(put(&mut own, &job.locals));
            roots.push(output.product.result.map(|result| graph.graft(&own, result)));
        }
    }
    if optimizer.moves_files() {
        optimizer.options.known = executor.known(&graph, &session);
    }
    let (graph, roots) = optimizer.run_for(graph, &roots)?;
    import(jobs, executor, progress, &mut session);
    let solved = executor.solve_all(&graph, &roots, &session, progress);
    let mut snapshots = solved.map_err(|e| failed(&graph, &roots, &session, e))?.into_iter();
    let mut roots = roots.into_iter();
    let mut built = Vec::new();
    for job in jobs {
        let snapshots: Vec<Snapshot> = snapshots.by_ref().take(job.outputs.len()).collect();
        let roots: Vec<Option<Ref>> = roots.by_ref().take(job.outputs.len()).collect();
        let records = match &job.cache_to[..] {
            [] => Vec::new(),
            _ => executor.cache_records(&graph, &roots, &session).map_err(|e| e.diagnostic)?,
        };
        let delivery = deliver::Delivery { job, executor, progress, cancel, snapshots: &snapshots, records: &records };
        let images = delivery.all()?;
        delivery.caches()?;
        built.push(Built::here(snapshots, images));
    }
    Ok(built)
}

/// Looks at caches of other machines, each once. One that is not there is none: the build can do without.
fn import(jobs: &[Job], executor: &Executor, progress: &dyn Progress, session: &mut Session) {
    let mut seen: Vec<&CachePlace> = Vec::new();
    for place in jobs.iter().flat_map(|job| &job.cache_from) {
        if seen.contains(&place) {
            continue;
        }
        seen.push(place);
        let name = format!("importing cache from {place}");
        let vertex = Digest::of(name.as_bytes());
        progress.event(Event::Planned { vertex, name: &name, inputs: &[], group: None });
        progress.event(Event::Started { vertex, name: &name });
        match caches::open(place, executor) {
            Ok(Some(cache)) => session.caches.push(Arc::new(cache)),
            Ok(None) => progress.event(Event::Warning { vertex, message: "the image holds no cache" }),
            Err(e) => progress.event(Event::Warning { vertex, message: &e.message }),
        }
        progress.event(Event::Finished { vertex, failure: None });
    }
}

fn failed(graph: &Graph, roots: &[Option<Ref>], session: &Session, mut error: SolveError) -> Failed {
    let session = Session { cancel: None, ..session.clone() };
    let at = error.at.take().map(|scene| (scene, session));
    Failed { diagnostics: vec![blame::diagnostic(graph, roots, error)], at }
}

/// Refuses what the user did not allow.
fn permit(job: &Job) -> Result<(), Diagnostic> {
    for output in &job.outputs {
        for (_, node) in output.product.graph.iter() {
            let Op::Exec(exec) = &node.op else { continue };
            let wanted = match (exec.network, exec.security) {
                (_, SecurityMode::Insecure) if !job.allow.insecure => "security.insecure",
                (NetMode::Host, _) if !job.allow.network_host => "network.host",
                _ => continue,
            };
            let found = Diagnostic::new(execute::NOT_ALLOWED, format!("a command asks for `{wanted}`"));
            let found = found.note(format!("allow it with `--allow {wanted}`"));
            let span = node.meta.origins.iter().find_map(|origin| origin.span);
            return Err(match span {
                Some(span) => found.labelled(span, "by this step"),
                None => found,
            });
        }
    }
    Ok(())
}

/// Takes in what a job may use.
trait Join {
    fn join(&mut self, job: &Job) -> Result<(), Diagnostic>;
}

impl Join for Session {
    fn join(&mut self, job: &Job) -> Result<(), Diagnostic> {
        self.layouts.extend(job.layouts.clone());
        for archive in &job.archives {
            if !self.archives.contains(archive) {
                self.archives.push(archive.clone());
            }
        }
        let differs = |what: &str, id: &str| {
            let found = Diagnostic::new(lower::OPTION, format!("two targets give the {what} `{id}` different values"));
            found.note("they are built together: give one of them another id, or build one at a time")
        };
        for (id, value) in &job.secrets {
            if self.secrets.insert(id.clone(), value.clone()).is_some_and(|other| other != *value) {
                return Err(differs("secret", id));
            }
        }
        for (id, path) in &job.ssh {
            if self.ssh.insert(id.clone(), path.clone()).is_some_and(|other| other != *path) {
                return Err(differs("ssh agent", id));
            }
        }
        Ok(())
    }
}
