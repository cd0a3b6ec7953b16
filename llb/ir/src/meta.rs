//! What is known about a vertex but is no part of its name.

use std::borrow::Cow;
use std::sync::Arc;

use rbc_source::Span;

use crate::{Cap, SortedMap, SortedSet};

/// Metadata of one vertex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Run it even if its result is in the cache.
    pub ignore_cache: bool,
    /// Texts for people, by key; `llb.customname` is what progress output shows.
    pub description: SortedMap<Cow<'static, str>, String>,
    /// Whether its result goes to an exported cache; `None` leaves that to the build.
    pub export_cache: Option<bool>,
    /// The capabilities that a backend must have to run it, see [`crate::caps`].
    pub caps: SortedSet<Cap>,
    /// The group that progress output folds it into.
    pub progress_group: Option<Box<ProgressGroup>>,
    /// Limits of the container that runs it.
    pub linux_resources: Option<Box<LinuxResources>>,
    /// The places in the sources of the graph that it comes from; they go out with the definition.
    pub locations: Vec<Location>,
    /// Who asked for it; rbc's own way back to spans, which stays here.
    pub origins: Vec<Origin>,
}

impl Meta {
    /// Takes in what is known about an equal vertex. Everything either knows stays, places and origins pile up; where they
    /// contradict each other (two texts under one key, two progress groups) the later one wins, as in the reference
    /// (client/llb/state.go, `mergeMetadata`).
    pub fn join(&mut self, later: &Meta) {
        let Meta { ignore_cache, description, export_cache, caps, progress_group, linux_resources, locations, origins } =
            later;
        self.ignore_cache |= ignore_cache;
        self.description.extend(description.iter().map(|(k, v)| (k.clone(), v.clone())));
        self.caps.extend(caps.iter().cloned());
        if export_cache.is_some() {
            self.export_cache = *export_cache;
        }
        if progress_group.is_some() {
            self.progress_group.clone_from(progress_group);
        }
        if linux_resources.is_some() {
            self.linux_resources.clone_from(linux_resources);
        }
        self.locations.extend(locations.iter().cloned());
        self.origins.extend(origins.iter().cloned());
    }
}

/// Vertices that progress output shows as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressGroup {
    /// Equal for all vertices of the group.
    pub id: String,
    /// What to show.
    pub name: String,
    /// Whether a vertex of the group that also belongs elsewhere is shown there.
    pub weak: bool,
}

/// Limits of a container, in the units of Linux cgroups; 0 or empty is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxResources {
    /// Memory, in bytes.
    pub memory: i64,
    /// Memory and swap together, in bytes.
    pub memory_swap: i64,
    /// Weight among other containers.
    pub cpu_shares: u64,
    /// Length of a scheduling period, in microseconds.
    pub cpu_period: u64,
    /// Processor time within a period, in microseconds.
    pub cpu_quota: i64,
    /// Processors that may be used (`0-3`).
    pub cpuset_cpus: String,
    /// Memory nodes that may be used (`0,1`).
    pub cpuset_mems: String,
}

/// Places in one source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Index into [`crate::Graph::sources`].
    pub source: u32,
    /// The places. May be empty.
    pub ranges: Vec<Range>,
}

/// A range of a source text. The reference Dockerfile frontend gives one a line, with characters 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Where it begins.
    pub start: Position,
    /// Where it ends.
    pub end: Position,
}

impl Range {
    /// A whole line, counted from 1, as the reference Dockerfile frontend writes it.
    pub fn line(line: i32) -> Self {
        Range { start: Position { line, character: 0 }, end: Position { line, character: 0 } }
    }
}

/// A place in a source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: i32,
    /// Character within the line, from 0.
    pub character: i32,
}

/// Who asked for a vertex: target, stage and step, outermost first. A joined vertex has several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The bake target or Mockerfile image, if the build was described by one.
    pub target: Option<Frame>,
    /// The stage; it also names the vertex in the text form (`%build.2`).
    pub stage: Option<Frame>,
    /// The step within the stage, from 1; 0 is what the stage starts from.
    pub step: u32,
    /// Where the step is written.
    pub span: Option<Span>,
}

/// A named place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is written.
    pub span: Option<Span>,
}
