//! Names, scopes and the stage graph.
//!
//! [`resolve`] takes a recipe and what the build is told, and gives the [`Model`]: global arguments evaluated, every
//! stage's base and platform expanded, every reference to a stage or image resolved, the target chosen. It looks at no
//! image and expands nothing inside a stage: that is lowering.

pub mod checks;
pub mod env;
pub mod growth;
pub mod model;
pub mod near;
pub mod options;

pub use checks::Checks;
pub use env::Vars;
pub use growth::Growth;
pub use model::{Model, Scope, resolve};
pub use options::Options;
