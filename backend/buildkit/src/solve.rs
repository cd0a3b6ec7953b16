//! Builds: definitions to a daemon, results from it.
//!
//! We are the frontend of our builds, over the connection for control: `Control.Solve` without a definition waits for one
//! who says by the gateway's API what the result is. That way one build may have results for several platforms, and what
//! belongs to them (configs of images) is said in the same way by all frontends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rbc_proto::control::{CacheOptions, Exporter, SolveRequest, SolveResponse, StatusRequest, StatusResponse};
use rbc_proto::gateway::{self, PongResponse, Ref, RefEntry, RefMap, Refs, ReturnRequest};
use rbc_proto::{Bytes, CacheEntry, Empty, Status, control};
use rbc_source::Diagnostic;
use serde_json::json;

use crate::daemon::Daemon;
use crate::error::{Failure, failed};
use crate::session::{Services, Session, Target};
use rbc_rpc::{Channel, code, status};

/// How long the last events of a build are waited for when it is over.
const LATE: Duration = Duration::from_secs(3);
/// How often it is looked whether the user wants to stop.
const TICK: Duration = Duration::from_millis(50);
/// How long a daemon may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// A build.
#[derive(Debug, Default)]
pub struct Build {
    /// A result for each platform.
    pub results: Vec<Outcome>,
    /// A frontend of the daemon's that says what the results are, instead of us.
    pub frontend: Option<Frontend>,
    /// Where they go.
    pub exports: Vec<Export>,
    /// Caches to be read.
    pub cache_from: Vec<CacheEntry>,
    /// Caches to be written.
    pub cache_to: Vec<CacheEntry>,
    /// What commands may do beyond the sandbox: `network.host`, `security.insecure`.
    pub entitlements: Vec<String>,
}

/// A frontend that the daemon runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontend {
    /// `gateway.v0` for an image, `dockerfile.v0` for the one within the daemon.
    pub name: String,
    /// What it is told.
    pub attrs: BTreeMap<String, String>,
}

/// A result of a build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The platform, in the form `linux/arm64`, with its parts as JSON; none if there is only one and nobody asked for it.
    pub platform: Option<(String, serde_json::Value)>,
    /// The definition; empty if the result is.
    pub definition: Vec<u8>,
    /// The config of the image, as JSON.
    pub config: String,
    /// The config of the base image, as JSON.
    pub base_config: Option<String>,
    /// Files and images are not newer than this, in seconds since 1970.
    pub epoch: Option<i64>,
}

/// Where a result goes.
#[derive(Debug)]
pub struct Export {
    /// `image`, `oci`, `local`, ...
    pub kind: String,
    /// What the daemon has to know.
    pub attrs: BTreeMap<String, String>,
    /// What it sends us, if anything.
    pub target: Option<Target>,
}

/// Is told what happens, and says whether to go on.
pub trait Watch: Sync {
    /// Something happened.
    fn status(&self, status: &StatusResponse);
    /// Whether the build is to be stopped.
    fn is_cancelled(&self) -> bool;
}

/// What a daemon can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Ids of what its solver can do.
    pub llb: BTreeSet<String>,
    /// Ids of what its gateway can do.
    pub frontend: BTreeSet<String>,
}

impl Daemon {
    /// Asks what the daemon can do. That is told only to those who build, so that this is a build of nothing; it stays
    /// out of the history.
    ///
    /// # Errors
    /// E0805.
    pub fn capabilities(&self) -> Result<Capabilities, Diagnostic> {
        let id = crate::id();
        let request =
            SolveRequest { reference: id.clone(), session: id.clone(), internal: true, ..SolveRequest::default() };
        let answer: Result<PongResponse, Status> = self.runtime.block_on(async {
            let services = Services::new(Arc::default(), BTreeMap::new());
            let session = services.run(&self.endpoint, &self.channel, &id, "");
            let bridge = Bridge { channel: &self.channel, id: &id };
            let solve = self.channel.unary::<SolveResponse>(control::SOLVE, &[], &request);
            tokio::pin!(session, solve);
            let closed = |outcome: Result<(), Status>| {
                Err(outcome.err().unwrap_or_else(|| status(code::UNAVAILABLE, "it closes the session")))
            };
            let early = |outcome: Result<SolveResponse, Status>| {
                Err(outcome.err().unwrap_or_else(|| status(code::INTERNAL, "it ends a build before its beginning")))
            };
            let pong = tokio::select! {
                pong = bridge.call(gateway::PING, &Empty {}) => pong?,
                outcome = &mut solve => return early(outcome),
                outcome = &mut session => return closed(outcome),
            };
            let nothing = ReturnRequest { result: Some(gateway::Result::default()), error: None };
            // What becomes of nothing does not matter, but that it is over does.
            let end = async { tokio::join!(bridge.give(nothing), solve) };
            tokio::select! {
                _ = end => {}
                _ = session => {}
            }
            Ok(pong)
        });
        let pong = answer
            .map_err(|e| failed(&self.endpoint, "tell what it can do", &Failure::from(e), &self.keeper.said()))?;
        let enabled = |caps: Vec<rbc_proto::ApiCap>| caps.into_iter().filter(|cap| cap.enabled).map(|cap| cap.id);
        Ok(Capabilities { llb: enabled(pong.llb_caps).collect(), frontend: enabled(pong.frontend_caps).collect() })
    }

    /// Builds, and gives what the daemon says of what it exported. Files, secrets and credentials come from the session.
    ///
    /// `shared` names what may be reused of files that were sent before: builds of the same directory share it.
    ///
    /// # Errors
    /// What the daemon says; it is of the code [`Failure::CANCELLED`] if the user stopped it.
    pub fn build(
        &self,
        mut build: Build,
        session: Session,
        shared: &str,
        watch: &dyn Watch,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let id = crate::id();
        let mut targets = BTreeMap::new();
        for (number, export) in build.exports.iter_mut().enumerate() {
            if let Some(target) = export.target.take() {
                targets.insert(number, target);
            }
        }
        let services = Services::new(Arc::new(session), targets);
        self.runtime.block_on(async {
            let work = self.run(&build, &id, watch);
            let session = services.run(&self.endpoint, &self.channel, &id, shared);
            let stopped = async {
                while !watch.is_cancelled() {
                    tokio::time::sleep(TICK).await;
                }
            };
            let outcome = {
                tokio::select! {
                    outcome = work => outcome,
                    outcome = session => {
                        Err(outcome.err().unwrap_or_else(|| status(code::UNAVAILABLE, "the builder closes the session")))
                    }
                    () = stopped => Err(status(code::CANCELLED, "the build was cancelled")),
                }
            };
            if watch.is_cancelled() {
                self.settle(&id).await;
            }
            outcome.map_err(Failure::from)
        })
    }

    /// Waits until the daemon has stopped a build. What we gave up is told to it when something else is sent.
    async fn settle(&self, id: &str) {
        let ended = async {
            let request = StatusRequest { reference: id.to_owned() };
            if let Ok(mut call) = self.channel.ask(control::STATUS, &[], &request).await {
                while let Ok(Some(_)) = call.message::<StatusResponse>().await {}
            }
        };
        // One that does not stop is not waited for.
        _ = tokio::time::timeout(STOP, ended).await;
    }

    async fn run(&self, build: &Build, id: &str, watch: &dyn Watch) -> Result<BTreeMap<String, String>, Status> {
        let exporters: Vec<Exporter> = build
            .exports
            .iter()
            .map(|export| Exporter { kind: export.kind.clone(), attrs: export.attrs.clone() })
            .collect();
        let asked = build.frontend.clone().unwrap_or_else(|| {
            // A daemon compares what it gets with what it was to get, and warns if that is not said.
            let platforms: Vec<&str> =
                build.results.iter().filter_map(|one| Some(one.platform.as_ref()?.0.as_str())).collect();
            let attrs = (!platforms.is_empty()).then(|| ("platform".to_owned(), platforms.join(",")));
            Frontend { name: String::new(), attrs: attrs.into_iter().collect() }
        });
        let first = exporters.first().cloned().unwrap_or_default();
        let request = SolveRequest {
            reference: id.to_owned(),
            session: id.to_owned(),
            frontend: asked.name,
            frontend_attrs: asked.attrs,
            exporter_deprecated: first.kind,
            exporter_attrs_deprecated: first.attrs,
            exporters,
            cache: Some(CacheOptions { exports: build.cache_to.clone(), imports: build.cache_from.clone() }),
            entitlements: build.entitlements.clone(),
            ..SolveRequest::default()
        };
        let solve = self.channel.unary::<SolveResponse>(control::SOLVE, &[], &request);
        let frontend = async {
            let bridge = Bridge { channel: &self.channel, id };
            let outcome = bridge.results(build).await;
            let answer = match &outcome {
                Ok(result) => ReturnRequest { result: Some(result.clone()), error: None },
                Err(error) => ReturnRequest { result: None, error: Some(error.clone()) },
            };
            // How it ends is said by the other call, and why it fails by this one.
            let given = bridge.give(answer).await;
            outcome.map(|_| ()).and(given)
        };
        let progress = async {
            let request = StatusRequest { reference: id.to_owned() };
            let Ok(mut call) = self.channel.ask(control::STATUS, &[], &request).await else { return };
            while let Ok(Some(status)) = call.message::<StatusResponse>().await {
                watch.status(&status);
            }
        };
        tokio::pin!(progress, solve, frontend);
        let mut shown = false;
        // With a frontend of the daemon's, there is nothing for us to say.
        let mut said = build.frontend.as_ref().map(|_| Ok(()));
        let outcome = loop {
            tokio::select! {
                outcome = &mut solve => break outcome,
                outcome = &mut frontend, if said.is_none() => said = Some(outcome),
                () = &mut progress, if !shown => shown = true,
            }
        };
        if !shown {
            // It lacks at most the end.
            _ = tokio::time::timeout(LATE, &mut progress).await;
        }
        match (outcome, said) {
            (Ok(answer), _) => Ok(answer.exporter_response),
            // The daemon repeats what we said, and may know less about it.
            (Err(error), Some(Err(cause))) if error.details.is_empty() && !cause.details.is_empty() => Err(cause),
            (Err(error), _) => Err(error),
        }
    }
}

/// The API of frontends, for one build.
struct Bridge<'a> {
    channel: &'a Channel,
    id: &'a str,
}

impl Bridge<'_> {
    async fn call<M: rbc_proto::Message + Default>(
        &self,
        path: &str,
        message: &impl rbc_proto::Message,
    ) -> Result<M, Status> {
        self.channel.unary(path, &[(gateway::BUILD_ID, self.id)], message).await
    }

    async fn give(&self, answer: ReturnRequest) -> Result<(), Status> {
        self.call::<Empty>(gateway::RETURN, &answer).await.map(|_| ())
    }

    /// Has all definitions taken in, and says what the result of the build is.
    async fn results(&self, build: &Build) -> Result<gateway::Result, Status> {
        let mut metadata = BTreeMap::new();
        let mut refs = Vec::new();
        let several = build.results.len() > 1;
        let mut platforms = Vec::new();
        for one in &build.results {
            let reference = self.solve(one, build).await?;
            let suffix = match &one.platform {
                Some((name, _)) if several => format!("/{name}"),
                _ => String::new(),
            };
            metadata.insert(format!("containerimage.config{suffix}"), one.config.clone().into_bytes());
            if let Some(base) = &one.base_config {
                metadata.insert(format!("containerimage.base.config{suffix}"), base.clone().into_bytes());
            }
            if let Some(epoch) = one.epoch {
                metadata.insert(format!("source.date.epoch{suffix}"), epoch.to_string().into_bytes());
            }
            if let Some((name, parts)) = &one.platform {
                platforms.push(json!({"ID": name, "Platform": parts}));
            }
            refs.push((one.platform.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(), reference));
        }
        let refs = match several {
            true => {
                metadata.insert("refs.platforms".to_owned(), json!({"Platforms": platforms}).to_string().into_bytes());
                let entry = |(key, value)| RefEntry { key, value };
                Some(Refs::Many(RefMap { refs: refs.into_iter().map(entry).collect() }))
            }
            false => refs.into_iter().next().map(|(_, reference)| Refs::One(reference)),
        };
        Ok(gateway::Result { refs, metadata, ..gateway::Result::default() })
    }

    async fn solve(&self, one: &Outcome, build: &Build) -> Result<Ref, Status> {
        if one.definition.is_empty() {
            return Ok(Ref::default());
        }
        let request = gateway::SolveRequest {
            definition: Some(Bytes::from(one.definition.clone())),
            allow_result_return: true,
            allow_result_array_ref: true,
            cache_imports: build.cache_from.clone(),
            ..gateway::SolveRequest::default()
        };
        let answer: gateway::SolveResponse = self.call(gateway::SOLVE, &request).await?;
        let id = |id: String| Ref { id, definition: None };
        match answer.result.and_then(|result| result.refs) {
            Some(Refs::One(reference)) => Ok(reference),
            Some(Refs::Id(reference)) => Ok(id(reference)),
            Some(Refs::Many(_)) => Err(status(code::INTERNAL, "a definition has several results")),
            None => Ok(id(answer.reference)),
        }
    }
}
