//! rbc: a compiler toolchain for container builds.
//!
//! This package is the driver: it loads files, asks the world what lowering must know, and renders what the phases found.
//! The phases themselves are pure and live in the crates below `frontends/` and `llb/`; ARCHITECTURE.md has the map.

pub mod build;
pub mod call;
pub mod cli;
pub mod compile;
pub mod frontend;
pub mod optimize;

pub use compile::{Compiled, Found, Host, Input, Output, Purpose, compile};
pub use frontend::Frontend;
