//! Building on a builder elsewhere: graphs and files go there, results come back.

mod caches;
mod exports;
mod shares;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use rbc_buildkit::{Build, Daemon, Failure, Outcome, Session};
use rbc_ir::{CapSet, Graph, Ref};
use rbc_local::{Cancel, Progress, SolveError};
use rbc_oci::Platform;
use rbc_proto::details::Detail;
use rbc_registry::Client;
use rbc_source::{Diagnostic, environment, execute};
use rbc_wire::{Digest, Emitter, Order};
use serde_json::{Map, Value, json};

use super::{Built, Export, Failed, Job, blame, permit, put};
use crate::optimize::Optimizer;

/// A daemon of a builder.
#[derive(Debug)]
pub struct Node {
    /// The connection to it.
    pub daemon: Daemon,
    /// The platforms that it is to build rather than others.
    pub platforms: Vec<Platform>,
}

/// Optimizes targets and has them built elsewhere, one after the other: what they share is there after the first. Each platform
/// of a target is built by the node that has it, all nodes at a time. There is at least one node.
///
/// # Errors
/// The first failure.
pub fn run(
    jobs: &mut [Job],
    nodes: &[Node],
    registry: Option<&Arc<Client>>,
    optimizer: &mut Optimizer,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Vec<Built>, Failed> {
    let mut graph = Graph::new();
    let mut roots = Vec::new();
    // A single target keeps the names of its sources, by which the builder knows files that were sent before.
    let several = jobs.len() > 1;
    let mut locals = Vec::new();
    for job in jobs.iter() {
        permit(job)?;
        let mut own_locals = job.locals.clone();
        for output in &job.outputs {
            let mut own = output.product.graph.clone();
            if several {
                own_locals.extend(put(&mut own, &job.locals));
            }
            roots.push(output.product.result.map(|result| graph.graft(&own, result)));
        }
        locals.push(own_locals);
    }
    able(&graph, &nodes[0].daemon, &optimizer.options.caps)?;
    let (graph, roots) = optimizer.run_for(graph, &roots)?;
    let mut rest = &roots[..];
    let mut built = Vec::new();
    for (job, locals) in jobs.iter().zip(locals) {
        let (own, others) = rest.split_at(job.outputs.len().min(rest.len()));
        rest = others;
        let results: Vec<_> = job.outputs.iter().zip(own.iter().copied()).collect();
        let one = |share: &shares::Share<'_>, exports: &[Export]| {
            let watch = watch::Watcher::new(progress, cancel);
            let (daemon, results) = (&share.node.daemon, share.results.clone());
            Site { job, daemon, registry, graph: &graph, results, exports, locals: &locals }.build(&watch)
        };
        let outcome = match &shares::shares(results, nodes, job)[..] {
            [only] => one(only, &job.exports),
            several => shares::build(several, job, registry, &one),
        };
        built.push(outcome?);
    }
    Ok(built)
}

/// Refuses what the builder cannot do; it would say so itself, but not where.
fn able(graph: &Graph, builder: &Daemon, caps: &CapSet) -> Result<(), Diagnostic> {
    for (_, node) in graph.iter() {
        let Some(missing) = node.meta.caps.iter().find(|cap| !caps.supports(cap)) else { continue };
        let message = format!("the builder {} is too old for this: it lacks `{missing}`", builder.endpoint());
        let found =
            Diagnostic::new(environment::OLD_BACKEND, message).note("build without `--builder`, or on a newer one");
        let span = node.meta.origins.iter().find_map(|origin| origin.span);
        return Err(match span {
            Some(span) => found.labelled(span, "needed by this step"),
            None => found,
        });
    }
    Ok(())
}

/// A target, and what it is built from.
struct Site<'a> {
    job: &'a Job,
    daemon: &'a Daemon,
    registry: Option<&'a Arc<Client>>,
    graph: &'a Graph,
    results: Vec<(&'a crate::Output, Option<Ref>)>,
    exports: &'a [Export],
    locals: &'a BTreeMap<String, PathBuf>,
}

impl Site<'_> {
    fn build(self, watch: &watch::Watcher<'_>) -> Result<Built, Failed> {
        let job = self.job;
        let mut session = Session {
            local: self.locals.clone(),
            layouts: job.layouts.clone(),
            secrets: job.secrets.clone(),
            ssh: job.ssh.clone(),
            registry: self.registry.cloned(),
            ..Session::default()
        };
        let frontend = job.frontend.clone();
        let mut build = Build { results: self.results(), frontend, ..Build::default() };
        for (right, allowed) in [("network.host", job.allow.network_host), ("security.insecure", job.allow.insecure)] {
            if allowed {
                build.entitlements.push(right.to_owned());
            }
        }
        for cache in &job.asked.from {
            build.cache_from.extend(caches::from(cache, &mut session)?);
        }
        for cache in &job.asked.to {
            build.cache_to.push(caches::to(cache, &mut session)?);
        }
        let mut deliveries = exports::Deliveries::default();
        for export in self.exports {
            build.exports.extend(deliveries.export(export, job, self.daemon.endpoint().is_docker(), &mut session)?);
        }
        let written = build.cache_to.clone();
        let outcome = self.daemon.build(build, session, &self.shared(), watch);
        watch.end();
        match outcome {
            Ok(answer) => {
                caches::list(&written, &answer)?;
                deliveries.finish(&answer)?;
                Ok(made(answer))
            }
            Err(failure) => Err(self.failed(failure, watch)),
        }
    }

    /// The results, in the form that the builder takes.
    fn results(&self) -> Vec<Outcome> {
        let mut emitter = Emitter::new(self.graph, Order::Walk);
        let result = |(output, root): &(&crate::Output, Option<Ref>)| {
            let mut emitted = emitter.emit(*root);
            emitted.number_progress_groups();
            Outcome {
                platform: output.platform.as_ref().map(|platform| (platform.format_all(), parts(platform))),
                definition: emitted.to_bytes(),
                config: output.image(),
                base_config: output.base_image(),
                epoch: output.product.epoch,
            }
        };
        self.results.iter().map(result).collect()
    }

    /// What the files of this build are known by: the directory, and the machine that it is on.
    fn shared(&self) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let context = self.job.locals.get("context").or(self.job.locals.values().next());
        let path = context.map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).unwrap_or_default();
        Digest::of(format!("{host}\n{}", path.display()).as_bytes()).to_string()
    }

    /// A failure at the lines that it is about.
    fn failed(&self, failure: Failure, watch: &watch::Watcher<'_>) -> Failed {
        if failure.code == Failure::CANCELLED {
            return Diagnostic::new(execute::CANCELLED, "the build was cancelled").into();
        }
        let vertex = failure.details.iter().find_map(|detail| match detail {
            Detail::Vertex(digest) => Digest::parse(digest),
            _ => None,
        });
        let vertex = vertex.or_else(|| watch.failed());
        let exit_code = failure.details.iter().find_map(|detail| match detail {
            Detail::Exit(code) => i32::try_from(*code).ok(),
            _ => None,
        });
        // Old daemons say it in words only.
        let exit_code = exit_code.or_else(|| failure.message.rsplit_once("exit code: ")?.1.parse().ok());
        let diagnostic = match exit_code {
            Some(code) => {
                let found = Diagnostic::new(execute::STEP, format!("the command ended with status {code}"));
                found.note(format!("the builder says: {}", failure.message))
            }
            None => Diagnostic::new(execute::ELSEWHERE, failure.message),
        };
        let tail = vertex.map(|vertex| watch.tail(vertex)).unwrap_or_default();
        let roots: Vec<Option<Ref>> = self.results.iter().map(|(_, root)| *root).collect();
        let error = SolveError { vertex, exit_code, tail, at: None, diagnostic: Box::new(diagnostic) };
        Failed { diagnostics: vec![blame::diagnostic(self.graph, &roots, error)], at: None }
    }
}

/// The parts of a platform, by their names in JSON.
fn parts(platform: &Platform) -> Value {
    let mut all = json!({"architecture": platform.architecture, "os": platform.os});
    for (key, value) in [("variant", &platform.variant), ("os.version", &platform.os_version)] {
        if !value.is_empty() {
            all[key] = value.as_str().into();
        }
    }
    all
}

/// What the builder says of its exports. Objects come in base64.
fn made(answer: BTreeMap<String, String>) -> Built {
    let mut metadata = Map::new();
    let own = |key: &str| answer.get(key).filter(|id| !id.is_empty()).cloned();
    let id = own("containerimage.config.digest").or_else(|| own("containerimage.digest"));
    for (key, value) in answer {
        let object = base64::engine::general_purpose::STANDARD
            .decode(&value)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            .filter(Value::is_object);
        metadata.insert(key, object.unwrap_or(Value::String(value)));
    }
    Built { id, metadata, ..Built::default() }
}
