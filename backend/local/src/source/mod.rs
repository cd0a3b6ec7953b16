//! What builds start from.

mod archive;
mod donor;
mod git;
mod http;
mod image;
mod index;
mod local;

use std::sync::Arc;

use rbc_ir::{Platform, Source};
use rbc_source::execute;
use rbc_wire::Digest;

use crate::error::{Result, failure, show};
use crate::session::{Reporter, Session, SolveError};
use crate::store::{Snapshot, Store};
use crate::{Cancel, Config};

pub(crate) use donor::Donor;
pub(crate) use image::{Origin, at_hand, fetch_blobs, host_platform, unpack};
pub(crate) use local::{Filter, LocalTree};

/// What a source is found and fetched with.
pub(crate) struct Job<'a> {
    pub store: &'a Store,
    pub config: &'a Config,
    pub session: &'a Session,
    pub cancel: &'a [&'a Cancel],
    pub report: Reporter<'a>,
}

/// What a source was found to be. It will not be anything else in this build.
pub(crate) enum Pin {
    Local(Arc<LocalTree>),
    Image(Box<image::Pinned>),
    Http(Box<http::Pinned>),
    Git(Box<git::Pinned>),
}

impl Pin {
    /// Its definition key.
    pub(crate) fn key(&self) -> Digest {
        match self {
            Pin::Local(tree) => tree.digest(),
            Pin::Image(image) => image.key(),
            Pin::Http(file) => file.key(),
            Pin::Git(commit) => commit.key(),
        }
    }
}

/// Finds out what a source is, without fetching it.
pub(crate) fn pin(job: &Job, op: &Source, platform: Option<&Platform>) -> std::result::Result<Pin, SolveError> {
    let (scheme, rest) = op.identifier.split_once("://").unwrap_or(("", &op.identifier));
    match scheme {
        "local" => Ok(Pin::Local(Arc::new(local(job, op, rest)?))),
        "docker-image" | "oci-layout" => Ok(Pin::Image(Box::new(image::pin(job, op, scheme, rest, platform)?))),
        "http" | "https" => Ok(Pin::Http(Box::new(http::pin(job, op)?))),
        "git" => Ok(Pin::Git(Box::new(git::pin(job, op)?))),
        _ => {
            Err(failure(execute::UNSUPPORTED, format!("there is no source of the kind of `{}`", show(&op.identifier)))
                .into())
        }
    }
}

/// Fetches a source.
pub(crate) fn fetch(job: &Job, op: &Source, pin: &Pin) -> std::result::Result<Snapshot, SolveError> {
    match pin {
        Pin::Local(tree) => Ok(tree.snapshot(job.store, job.cancel)?),
        Pin::Image(image) => image::fetch(job, op, image),
        Pin::Http(file) => Ok(http::fetch(job, file)?),
        Pin::Git(commit) => Ok(git::fetch(job, op, commit)?),
    }
}

fn local(job: &Job, op: &Source, name: &str) -> Result<LocalTree> {
    let Some(root) = job.session.local.get(name) else {
        let known: Vec<_> = job.session.local.keys().collect();
        let found = *failure(execute::SOURCE, format!("the build was not given the directory `{}`", show(name)));
        let found = if known.is_empty() { found } else { found.note(format!("it was given {known:?}")) };
        return Err(Box::new(found));
    };
    let list = |key: &str| -> Result<Vec<String>> {
        match op.attrs.get(key) {
            None => Ok(Vec::new()),
            Some(json) => {
                serde_json::from_str::<Option<Vec<String>>>(json).map(Option::unwrap_or_default).map_err(|e| {
                    failure(
                        execute::SOURCE,
                        format!("`{key}` of the directory `{}` is no list of texts: {e}", show(name)),
                    )
                })
            }
        }
    };
    let filter = Filter {
        include: list("local.includepattern")?,
        exclude: list("local.excludepatterns")?,
        follow: list("local.followpaths")?,
    };
    LocalTree::read(job.store, root, &filter, job.cancel)
}
