//! A daemon, and what can be asked of it.

use std::fmt;

use rbc_proto::control::{
    DiskUsageRequest, DiskUsageResponse, HistoryEvent, HistoryRecord, HistoryRequest, InfoResponse, ListWorkersRequest,
    ListWorkersResponse, PruneRequest, UpdateHistoryRequest, UsageRecord,
};
use rbc_proto::{Empty, Status, Version, WorkerRecord, control};
use rbc_source::{Diagnostic, environment};
use tokio::runtime::Runtime;

use crate::endpoint::Endpoint;
use crate::error::{Failure, failed};
use crate::transport::{Keeper, connect};
use rbc_rpc::{Channel, code};

/// A daemon to which there is a connection.
pub struct Daemon {
    pub(crate) endpoint: Endpoint,
    pub(crate) channel: Channel,
    pub(crate) keeper: Keeper,
    workers: Vec<WorkerRecord>,
    // Last, so that what runs in it has somewhere to run until everything else is gone.
    pub(crate) runtime: Runtime,
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Daemon {
    /// Connects to a daemon, and asks it for its workers.
    ///
    /// # Errors
    /// E0805: it cannot be reached, or is no BuildKit.
    pub fn connect(endpoint: &Endpoint) -> Result<Daemon, Diagnostic> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Diagnostic::new(environment::INTERNAL, e.to_string()))?;
        let (channel, keeper, workers) = runtime.block_on(async {
            let way = connect(endpoint, "/grpc", &[]).await.map_err(|e| unreachable(endpoint, &e, &[]))?;
            let keeper = way.keeper;
            let meet = async {
                let channel = Channel::over(way.stream, "localhost").await?;
                let workers: ListWorkersResponse =
                    channel.unary(control::LIST_WORKERS, &[], &ListWorkersRequest::default()).await?;
                Ok((channel, workers.record))
            };
            match meet.await {
                Ok((channel, workers)) => Ok((channel, keeper, workers)),
                Err(e) => {
                    let e: Status = e;
                    // What a program says of its failure comes by another way.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    Err(unreachable(endpoint, &e.message, &keeper.said()))
                }
            }
        })?;
        Ok(Daemon { endpoint: endpoint.clone(), channel, keeper, workers, runtime })
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its workers, as they were when we connected; the first is used unless something else is said.
    pub fn workers(&self) -> &[WorkerRecord] {
        &self.workers
    }

    /// Which BuildKit it is; none if it is too old to say.
    ///
    /// # Errors
    /// E0805.
    pub fn version(&self) -> Result<Option<Version>, Diagnostic> {
        let answer = self.runtime.block_on(self.channel.unary::<InfoResponse>(control::INFO, &[], &Empty {}));
        match answer {
            Ok(info) => Ok(info.version),
            Err(e) if e.code == code::UNIMPLEMENTED => Ok(None),
            Err(e) => Err(self.failed("tell its version", e)),
        }
    }

    /// What takes up space, by filters of BuildKit's form.
    ///
    /// # Errors
    /// E0805.
    pub fn usage(&self, request: &DiskUsageRequest) -> Result<Vec<UsageRecord>, Diagnostic> {
        let answer = self.runtime.block_on(self.channel.unary::<DiskUsageResponse>(control::DISK_USAGE, &[], request));
        answer.map(|answer| answer.record).map_err(|e| self.failed("tell what it keeps", e))
    }

    /// Removes what is not needed, and tells what was removed.
    ///
    /// # Errors
    /// E0805.
    pub fn prune(&self, request: &PruneRequest) -> Result<Vec<UsageRecord>, Diagnostic> {
        let answer = self.runtime.block_on(async {
            let mut call = self.channel.ask(control::PRUNE, &[], request).await?;
            let mut all = Vec::new();
            while let Some(record) = call.message().await? {
                all.push(record);
            }
            Ok(all)
        });
        answer.map_err(|e| self.failed("prune", e))
    }

    /// The builds that it remembers and those that run, the newest last; none if it is too old to remember any.
    ///
    /// # Errors
    /// E0805.
    pub fn history(&self) -> Result<Vec<HistoryRecord>, Diagnostic> {
        let request = HistoryRequest { early_exit: true, ..HistoryRequest::default() };
        let answer: Result<Vec<HistoryRecord>, Status> = self.runtime.block_on(async {
            let mut call = self.channel.ask(control::LISTEN_BUILD_HISTORY, &[], &request).await?;
            let mut all = Vec::new();
            while let Some(event) = call.message::<HistoryEvent>().await? {
                all.extend(event.record);
            }
            Ok(all)
        });
        match answer {
            Ok(mut all) => {
                all.sort_by_key(|record| record.created_at);
                Ok(all)
            }
            Err(e) if e.code == code::UNIMPLEMENTED => Ok(Vec::new()),
            Err(e) => Err(self.failed("tell its history", e)),
        }
    }

    /// Keeps a build in the history, or lets it go, or removes it.
    ///
    /// # Errors
    /// E0805.
    pub fn update_history(&self, request: &UpdateHistoryRequest) -> Result<(), Diagnostic> {
        let answer = self.runtime.block_on(self.channel.unary::<Empty>(control::UPDATE_BUILD_HISTORY, &[], request));
        answer.map(|_| ()).map_err(|e| self.failed("change its history", e))
    }

    fn failed(&self, what: &str, error: Status) -> Diagnostic {
        failed(&self.endpoint, what, &Failure::from(error), &self.keeper.said())
    }
}

fn unreachable(endpoint: &Endpoint, why: &dyn fmt::Display, said: &[String]) -> Diagnostic {
    let found = Diagnostic::new(environment::BUILDER, format!("the builder {endpoint} cannot be reached: {why}"));
    match said {
        [] => found,
        said => found.note(format!("it said:\n{}", said.join("\n"))),
    }
}
