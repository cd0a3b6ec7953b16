//! What a build is given, and what it tells.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use rbc_ir::{Exec, Meta, Ref};

use rbc_source::Diagnostic;
use rbc_wire::Digest;

use crate::sandbox::Stream;
use crate::{CacheSource, Cancel, Snapshot};

/// What a build may use of the machine and its user.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Directories, by the names that `local://` sources have.
    pub local: BTreeMap<String, PathBuf>,
    /// OCI layouts, by the names that `oci-layout://` sources have before the first slash.
    pub layouts: BTreeMap<String, PathBuf>,
    /// Archives of images, made by `docker save` or as an OCI archive, and folders that are OCI layouts: `docker-image://`
    /// sources are looked for there before a registry is asked.
    pub archives: Vec<PathBuf>,
    /// Secrets, by their ids.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// Sockets of ssh agents, by their ids.
    pub ssh: BTreeMap<String, PathBuf>,
    /// Results of other machines, which are looked at after the store.
    pub caches: Vec<Arc<CacheSource>>,
    /// Stops the build.
    pub cancel: Option<Cancel>,
}

/// What happens during a build.
#[derive(Debug)]
pub enum Event<'a> {
    /// A vertex belongs to the build. Told of all vertices before anything else, of inputs first.
    Planned {
        /// The vertex.
        vertex: Digest,
        /// What it is, for people.
        name: &'a str,
        /// What it needs.
        inputs: &'a [Digest],
        /// The group of vertices that people see as one: its id, and its name.
        group: Option<(&'a str, &'a str)>,
    },
    /// It is being found out what a source is.
    Looking {
        /// The vertex.
        vertex: Digest,
        /// What it is, for people.
        name: &'a str,
    },
    /// It has been found out what a source is.
    Found {
        /// The vertex.
        vertex: Digest,
        /// Whether nothing more has to be done: it is a local directory.
        ready: bool,
        /// Why it could not be found out, if so.
        failure: Option<&'a str>,
    },
    /// Work on a vertex begins.
    Started {
        /// The vertex.
        vertex: Digest,
        /// What it is, for people.
        name: &'a str,
    },
    /// The result of a vertex was there.
    Cached {
        /// The vertex.
        vertex: Digest,
        /// What it is, for people.
        name: &'a str,
    },
    /// A command wrote something: a line without its end, or a part of one that is long or was not ended.
    Output {
        /// The vertex.
        vertex: Digest,
        /// Where to.
        stream: Stream,
        /// What.
        line: &'a [u8],
    },
    /// A vertex is at something that takes time.
    Status {
        /// The vertex.
        vertex: Digest,
        /// What.
        what: &'a str,
        /// How much is done.
        current: u64,
        /// How much there is, or 0 if that is not known.
        total: u64,
    },
    /// Something that a user should know, and that does not stop the build.
    Warning {
        /// The vertex.
        vertex: Digest,
        /// What, in one sentence.
        message: &'a str,
    },
    /// Work on a vertex has ended.
    Finished {
        /// The vertex.
        vertex: Digest,
        /// Why it failed, if it did.
        failure: Option<&'a str>,
    },
}

/// Is told what happens. Called from several threads at a time.
pub trait Progress: Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// Where a command failed: what it is, and the files that it saw and left.
#[derive(Clone, Debug)]
pub struct Scene {
    pub(crate) exec: Exec,
    pub(crate) meta: Meta,
    pub(crate) root: Snapshot,
    pub(crate) inputs: HashMap<Ref, Snapshot>,
}

impl Scene {
    /// Its root file system.
    pub fn root(&self) -> &Snapshot {
        &self.root
    }
}

/// Why a build failed.
#[derive(Debug)]
pub struct SolveError {
    /// The vertex that failed, if it was one.
    pub vertex: Option<Digest>,
    /// How its command ended, if it did: 128 and the number of a signal if that killed it.
    pub exit_code: Option<i32>,
    /// The last of what its command wrote.
    pub tail: Vec<u8>,
    /// Where its command failed.
    pub at: Option<Box<Scene>>,
    /// What to tell the user.
    pub diagnostic: Box<Diagnostic>,
}

impl SolveError {
    pub(crate) fn cancelled() -> Self {
        crate::error::failure(rbc_source::execute::CANCELLED, "the build was cancelled").into()
    }
}

impl From<Box<Diagnostic>> for SolveError {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        SolveError { vertex: None, exit_code: None, tail: Vec::new(), at: None, diagnostic }
    }
}

impl std::fmt::Display for SolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.message)?;
        self.diagnostic.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

impl std::error::Error for SolveError {}

/// A vertex at work, to speak of it.
#[derive(Clone, Copy)]
pub(crate) struct Reporter<'a> {
    pub vertex: Digest,
    pub progress: &'a dyn Progress,
}

impl Reporter<'_> {
    pub(crate) fn warn(&self, message: &str) {
        self.progress.event(Event::Warning { vertex: self.vertex, message });
    }

    pub(crate) fn status(&self, what: &str, current: u64, total: u64) {
        self.progress.event(Event::Status { vertex: self.vertex, what, current, total });
    }

    pub(crate) fn output(&self, stream: Stream, line: &[u8]) {
        self.progress.event(Event::Output { vertex: self.vertex, stream, line });
    }
}
