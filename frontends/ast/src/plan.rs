//! What to build: targets, and groups of them.
//!
//! A plan is what a bake file says after everything in it is evaluated: variables, matrices, inheritance and overrides are
//! gone, and every value remembers where it came from, so that it can be explained and blamed.

use rbc_source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A name or text that many values share.
pub type Text = Arc<str>;
/// Values by name, in the order of names.
pub type Map<T> = BTreeMap<Text, T>;

/// All that is to be built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The groups that were asked for or that are within such; `default` always lists what was asked for.
    pub groups: Map<Group>,
    /// The targets to build, and those that a context of one of them names.
    pub targets: Map<Target>,
}

/// A named set of targets and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// What it is for.
    pub description: Text,
    /// Names of targets and groups.
    pub members: Vec<Text>,
    /// Where it is declared; none for one that a request or a matrix implies.
    pub span: Option<Span>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody wrote it.
    Default,
    /// It is written in the block of a target, from which this one may have inherited it.
    Written {
        /// The target in whose block it stands.
        target: Text,
        /// The value.
        span: Span,
    },
    /// A command-line flag set it.
    Flag(Text),
    /// A variable of the environment set it.
    Environment(Text),
    /// It follows from another value: which, in a few words.
    Implied(&'static str),
}

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

impl<T> Given<T> {
    /// A value from somewhere.
    pub fn new(value: T, origin: Origin) -> Self {
        Given { value, origin }
    }
}

/// One build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Its name.
    pub name: Text,
    /// Head of the block that declares it; of the last one if there are several.
    pub span: Option<Span>,
    /// It was not asked for: the context of another target names it, and its result is only used there.
    pub linked: bool,
    /// What it is for.
    pub description: Option<Given<Text>>,
    /// Annotations of the image, as `[type:]key=value`.
    pub annotations: Vec<Given<Text>>,
    /// Attestations to make.
    pub attest: Vec<Given<Attest>>,
    /// Main context: a path, an URL, a git reference, ...
    pub context: Option<Given<Text>>,
    /// Further contexts by name; `target:x` is the result of another target.
    pub contexts: Map<Given<Text>>,
    /// Path of the recipe within the main context.
    pub dockerfile: Option<Given<Text>>,
    /// The recipe itself.
    pub dockerfile_inline: Option<Given<Text>>,
    /// Build arguments.
    pub args: Map<Given<Text>>,
    /// Labels of the image.
    pub labels: Map<Given<Text>>,
    /// Names of the image.
    pub tags: Vec<Given<Text>>,
    /// Caches to read.
    pub cache_from: Vec<Given<Cache>>,
    /// Caches to write.
    pub cache_to: Vec<Given<Cache>>,
    /// The stage to build.
    pub target: Option<Given<Text>>,
    /// Secrets that steps can mount.
    pub secrets: Vec<Given<Secret>>,
    /// SSH agents and keys that steps can use.
    pub ssh: Vec<Given<Ssh>>,
    /// Platforms to build for.
    pub platforms: Vec<Given<Text>>,
    /// Where the result goes.
    pub outputs: Vec<Given<Output>>,
    /// Whether to look for newer base images.
    pub pull: Option<Given<bool>>,
    /// Whether to build without the cache.
    pub no_cache: Option<Given<bool>>,
    /// Network of steps: `default`, `none`, `host`.
    pub network: Option<Given<Text>>,
    /// Stages to build without the cache.
    pub no_cache_filter: Vec<Given<Text>>,
    /// Size of `/dev/shm`.
    pub shm_size: Option<Given<Text>>,
    /// Resource limits of processes, as `name=soft[:hard]`.
    pub ulimits: Vec<Given<Text>>,
    /// Resource limits of steps.
    pub resources: Resources,
    /// What to do instead of a build: `check`, `outline`, `targets`.
    pub call: Option<Given<Text>>,
    /// What the build may do beyond its sandbox: `network.host`, `security.insecure`, `device=...`.
    pub entitlements: Vec<Given<Text>>,
    /// Addresses by host name.
    pub extra_hosts: Map<Given<Text>>,
    /// Policies that sources must satisfy.
    pub policy: Vec<Given<Policy>>,
}

/// An attestation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attest {
    /// `provenance`, `sbom`.
    pub kind: Text,
    /// It is not to be made.
    pub disabled: bool,
    /// Further parameters.
    pub attrs: Map<Text>,
}

/// A cache to read or write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cache {
    /// `registry`, `local`, `inline`, `gha`, ...
    pub kind: Text,
    /// Further parameters.
    pub attrs: Map<Text>,
}

/// Where a result goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Output {
    /// `image`, `registry`, `local`, `tar`, `oci`, `docker`, `cacheonly`.
    pub kind: Text,
    /// Path on this machine; `-` is standard output, empty is none.
    pub dest: Text,
    /// Further parameters.
    pub attrs: Map<Text>,
}

/// A secret; empty parts are unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// Its name in the recipe.
    pub id: Text,
    /// File that holds it.
    pub src: Text,
    /// Variable of the environment that holds it.
    pub env: Text,
}

/// An SSH agent, or keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssh {
    /// Its name in the recipe; empty is `default`.
    pub id: Text,
    /// An agent's socket or key files; none is the agent of the environment.
    pub paths: Vec<Text>,
}

/// A policy that sources must satisfy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Files that hold it.
    pub files: Vec<Text>,
    /// Policies before this one do not count.
    pub reset: bool,
    /// No policy is evaluated.
    pub disabled: bool,
    /// Whether warnings are errors.
    pub strict: Option<bool>,
    /// How much the evaluation says.
    pub log_level: Option<Text>,
}

/// Resource limits of steps; sizes are written with a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Memory.
    pub memory: Option<Given<Text>>,
    /// Memory and swap together.
    pub memory_swap: Option<Given<Text>>,
    /// Weight among others that want processor time.
    pub cpu_shares: Option<Given<i64>>,
    /// Length of an accounting period in microseconds.
    pub cpu_period: Option<Given<i64>>,
    /// Processor time in a period in microseconds.
    pub cpu_quota: Option<Given<i64>>,
    /// Processors to run on.
    pub cpuset_cpus: Option<Given<Text>>,
    /// Memory nodes to use.
    pub cpuset_mems: Option<Given<Text>>,
}

impl Resources {
    /// Whether no limit is set.
    pub fn is_empty(&self) -> bool {
        *self == Resources::default()
    }
}
