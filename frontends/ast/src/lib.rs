//! The shared tree that all frontends write and all later phases read.
//!
//! A [`recipe::Recipe`] says *how* to build: stages of steps, words unexpanded, every node with its place. Dockerfiles and
//! Mockerfiles are recipes. A [`plan::Plan`] says *what* to build: targets, groups, arguments, outputs; bake files are plans.
//! Nothing here is specific to one syntax: a kind of step that only one frontend can write must name a concept of OCI or LLB.

pub mod check;
pub mod limits;
pub mod plan;
pub mod recipe;
