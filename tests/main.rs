//! The one test binary of the project: one link step, a module a topic.

mod architecture;
mod bake;
mod build;
mod builders;
mod cli;
mod conformance;
mod daemon;
mod docs;
mod frontend;
mod fuzz;
mod harness;
mod images;
mod imagetools;
mod levels;
mod limits;
mod mockerfile;
mod nodes;
