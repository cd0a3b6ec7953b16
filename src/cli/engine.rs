//! What runs builds: this program, or a builder elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use rbc_buildkit::{Capabilities, Daemon, Endpoint};
use rbc_ir::CapSet;
use rbc_local::{Cancel, Config, Executor, Progress};
use rbc_oci::Platform;
use rbc_registry::Client;
use rbc_source::{Diagnostic, environment};

use super::Failure;
use super::args::ExecutorArgs;
use super::build::open_store;
use crate::Input;
use crate::build::{self, Built, Failed, Job};
use crate::optimize::Optimizer;

/// What runs builds.
pub enum Engine {
    /// This program.
    Here(Executor),
    /// A builder, to which we give the credentials for registries that it asks for.
    There(Box<Elsewhere>, Option<Arc<Client>>),
}

/// A builder, and what it can do.
pub struct Elsewhere {
    /// The nodes that have something to do; the first is asked what concerns none in particular.
    nodes: Vec<build::Node>,
    /// What all of them can do.
    caps: CapSet,
}

impl Elsewhere {
    /// The node that stands for all.
    pub fn first(&self) -> &Daemon {
        &self.nodes[0].daemon
    }
}

/// Connects to the builder that the flags name or, if they name none, the one that is used: to those of its nodes that are to
/// build some of the platforms.
///
/// # Errors
/// There is none of the name, or a node cannot be reached.
pub fn builder(args: &ExecutorArgs, platforms: &[String]) -> Result<Option<Elsewhere>, Failure> {
    let Some(builder) = super::builder::find(args.builder.as_deref())? else { return Ok(None) };
    let here = super::project::host_platform();
    let platforms: Vec<Platform> = platforms.iter().filter_map(|text| Platform::parse(text, &here).ok()).collect();
    let mut nodes = Vec::new();
    let mut caps: Option<BTreeSet<String>> = None;
    for node in builder.nodes_for(&platforms) {
        let daemon = Daemon::connect(&Endpoint::parse(&node.endpoint)?)?;
        let Capabilities { llb, .. } = daemon.capabilities()?;
        caps = Some(match caps {
            Some(caps) => caps.intersection(&llb).cloned().collect(),
            None => llb,
        });
        nodes.push(build::Node { daemon, platforms: node.platforms.clone() });
    }
    Ok(Some(Elsewhere { nodes, caps: CapSet::of(caps.unwrap_or_default()) }))
}

/// What is to be compiled, for who builds it: what that can do, and the platform that it has.
///
/// # Errors
/// The builder says of no platform that it has it.
pub fn input<'a>(mut input: Input<'a>, builder: Option<&Elsewhere>) -> Result<Input<'a>, Diagnostic> {
    let Some(builder) = builder else { return Ok(input) };
    input.caps = builder.caps.clone();
    let Some(platform) = builder.first().workers().iter().find_map(|worker| worker.platforms.first()) else {
        let message = format!("the builder {} has no worker", builder.first().endpoint());
        return Err(Diagnostic::new(environment::BUILDER, message));
    };
    let mut own = Platform::new(platform.os.as_str(), platform.architecture.as_str());
    own.variant.clone_from(&platform.variant);
    input.surroundings.build_platform = own.clone().normalize();
    input.surroundings.host_platform = own.normalize();
    Ok(input)
}

/// Opens what the flags say builds are run by. From here on, an interrupt cancels what it does.
///
/// # Errors
/// The store cannot be opened.
pub fn open(
    args: &ExecutorArgs,
    builder: Option<Elsewhere>,
    registry: Option<Arc<Client>>,
) -> Result<(Engine, Cancel), Diagnostic> {
    let engine = match builder {
        Some(builder) => Engine::There(Box::new(builder), registry),
        None => {
            let config = Config { registry, parallel: args.parallel, ..Config::default() };
            Engine::Here(open_store(args.store.as_deref(), config)?)
        }
    };
    let cancel = Cancel::new().and_then(|cancel| cancel.on_signals().map(|()| cancel));
    let cancel = cancel.map_err(|e| Diagnostic::new(environment::INTERNAL, format!("signals cannot be heard: {e}")))?;
    Ok((engine, cancel))
}

impl Engine {
    /// Optimizes and builds targets, and delivers their results; the answers are in the order of the jobs.
    ///
    /// # Errors
    /// The first failure.
    pub fn run(
        &self,
        jobs: &mut [Job],
        optimizer: &mut Optimizer,
        progress: &dyn Progress,
        cancel: &Cancel,
    ) -> Result<Vec<Built>, Failed> {
        match self {
            Engine::Here(executor) => build::run(jobs, executor, optimizer, progress, Some(cancel)),
            Engine::There(builder, registry) => {
                optimizer.options.caps = builder.caps.clone();
                build::run_elsewhere(jobs, &builder.nodes, registry.as_ref(), optimizer, progress, cancel)
            }
        }
    }
}
