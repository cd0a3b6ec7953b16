//! Pictures of a build graph.
//!
//! [`picture`] decides what is shown (steps in stages, with what they need) and where it stands; [`svg`], [`html`], [`dot`]
//! and [`mermaid`] write it down. The same graph and options always give the same bytes.
//!
//! ```
//! use rbc_picture::{Options, picture, svg};
//!
//! let graph = rbc_ir::Graph::new();
//! let picture = picture(&graph, &graph.roots, &|_| None, Options::default());
//! assert!(svg(&picture).starts_with("<svg"));
//! ```

mod build;
mod describe;
mod dot;
mod escape;
mod fold;
mod group;
mod html;
mod layout;
mod mermaid;
mod model;
mod name;
mod style;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod wires;

use rbc_ir::{Graph, NodeId, Root};

pub use dot::dot;
pub use html::html;
pub use layout::Direction;
pub use mermaid::mermaid;
pub use model::{Detail, Edge, Group, Kind, Model, Options, Role, Step, Theme};
pub use svg::svg;

/// A picture: what it shows, and where.
#[derive(Clone, Debug)]
pub struct Picture {
    options: Options,
    /// Every step.
    whole: Model,
    /// What the boxes are, at the level of detail asked for.
    model: Model,
    drawing: layout::Drawing,
}

impl Picture {
    /// What the picture shows.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How it was asked to be.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

/// Makes a picture of what `roots` need. Equal vertices are one box. `digest` says what a vertex of `graph` is called, if
/// that is known, to be shown with it.
///
/// Stages come from what the vertices know of their origin ([`rbc_ir::Meta::origins`]) or, in a graph read from elsewhere,
/// from names such as `[build 2/5] RUN make`; vertices with neither are grouped by what builds on what.
///
/// # Panics
/// If the graph breaks one of the first two invariants that [`rbc_ir::verify`] states, or a root is not of it.
pub fn picture(graph: &Graph, roots: &[Root], digest: &dyn Fn(NodeId) -> Option<String>, options: Options) -> Picture {
    picture_of(build::build(graph, roots, digest), options)
}

/// Makes a picture of a model that is not of a build graph.
///
/// # Panics
/// If the model breaks what [`Model`] says of itself.
pub fn picture_of(whole: Model, options: Options) -> Picture {
    let model = match options.detail {
        Detail::Steps => fold::runs(whole.clone()),
        Detail::Stages => fold::stages(&whole).0,
    };
    let drawing = layout::draw(&model, options.direction);
    Picture { options, whole, model, drawing }
}
