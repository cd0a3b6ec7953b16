//! The build graph: LLB, as a typed arena.
//!
//! A [`Graph`] holds [`Node`]s. A node is an [`Op`] with what names it (platform, constraints) and its [`Meta`]: what is
//! known about it but is no part of its name. Ops refer to one another by [`Ref`]; `None` in place of a `Ref` is the empty
//! file system, *scratch*. Nodes are occurrences: two equal ones stay two until emission or a pass joins them, so each
//! keeps where it came from.
//!
//! Nothing here knows bytes or digests; that is `rbc-wire`.

pub mod caps;
pub mod equiv;
mod graph;
mod local;
mod meta;
mod op;
mod pass;
#[cfg(any(test, feature = "random"))]
pub mod random;
pub mod shape;
mod sorted;
mod state;
pub mod text;
pub mod tree;
mod verify;

pub use caps::{Cap, CapSet};
pub use graph::{Graph, Node, NodeId, Ref, Root, SourceInfo};
pub use meta::{Frame, LinuxResources, Location, Meta, Origin, Position, ProgressGroup, Range};
pub use op::{
    Action, Build, CacheMount, CacheSharing, CdiDevice, ChownOpt, ContentCache, Copy, Diff, Exec, ExecMeta, File,
    FileAction, HostIp, Input, Merge, Mkdir, Mkfile, Mount, MountKind, NetMode, Op, Passthrough, Platform, ProxyEnv,
    ROOT_MOUNT, Rm, SecretEnv, SecretMount, SecurityMode, Source, SshMount, Symlink, TmpfsMount, Ulimit, UserOpt,
};
pub use pass::{Level, Options, Outcome, PASSES, Pass, Remark, Watch, Work, optimize, optimize_text, prune, share};
pub use sorted::{SortedMap, SortedSet};
pub use state::Known;
pub use verify::{Broken, verify};

#[cfg(test)]
mod tests;
