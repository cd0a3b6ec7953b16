//! Bake files - HCL, HCL's JSON syntax, compose - to a [`Plan`](rbc_ast::plan::Plan).
//!
//! [`evaluate`] reads all files into [`Definitions`]: variables, functions, matrices and references are gone after it.
//! [`Definitions::plan`] selects what a [`Request`] asks for, with inheritance, overrides and links applied. [`print()`]
//! and [`list`] write what `--print` and `--list` show, [`Rights`] computes what a plan may do and needs to do, and
//! [`check_host`] looks for secrets and keys. [`parse`] is all of it in one step.
//!
//! Nothing here reads a file, the environment or a clock: the files come as texts, the environment as an
//! [`Environment`], and whatever else is needed through a [`Host`].

mod affected;
mod arguments;
mod compose;
mod csv;
mod definitions;
mod entitlements;
mod environment;
mod explain;
mod finish;
pub mod forms;
mod lookup;
mod overrides;
mod present;
mod print;
mod select;
mod spec;
mod world;

pub use affected::{Ignores, affected};
pub use definitions::{Definitions, evaluate};
pub use entitlements::Rights;
pub use environment::Environment;
pub use explain::explain;
pub use lookup::{Arguments, DEFAULT_FILES, files_of_variable, split_arguments};
pub use overrides::{Allowed, Call, Request};
pub use present::check_host;
pub use print::{List, ListFormat, list, parse_list, print};
pub use select::{Planned, linked_targets};
pub use world::Variable;

use rbc_hcl::{BlockSchema, Schema};
use rbc_source::SourceFile;

/// What bake needs of the machine, besides what HCL's functions need.
pub trait Host: rbc_hcl::Host {
    /// What a path leads to.
    fn find(&self, path: &str) -> Found;
    /// The text of a file; none if it is not there or not text.
    fn read(&self, path: &str) -> Option<String>;
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A file of so many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A socket.
    Socket,
}

/// What properties of a JSON file are blocks.
const SCHEMA: Schema = Schema {
    blocks: &[
        BlockSchema {
            kind: "variable",
            labels: 1,
            body: Schema { blocks: &[BlockSchema { kind: "validation", labels: 0, body: Schema { blocks: &[] } }] },
        },
        BlockSchema { kind: "function", labels: 1, body: Schema { blocks: &[] } },
        BlockSchema { kind: "group", labels: 1, body: Schema { blocks: &[] } },
        BlockSchema { kind: "target", labels: 1, body: Schema { blocks: &[] } },
    ],
};

/// From files to a plan.
pub fn parse(files: &[&SourceFile], request: &Request, env: &Environment, host: &dyn Host) -> Planned {
    evaluate(files, env, host).plan(request, env)
}
