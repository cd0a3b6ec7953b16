//! Passes over the graph, as a plain table.

mod prune;
mod share;

use crate::{Broken, Graph, verify};

pub use prune::prune;
pub use share::share;

/// What of a build stays as the reference would make it. A weaker promise allows more passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// `-O0`: the vertices, metadata and source map, byte for byte.
    Exact,
    /// `-O1`: layers, history, configuration and cache identity.
    #[default]
    Layers,
    /// `-O2`: root file systems and configuration; layers and parallelism may differ.
    Files,
}

/// A pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its name, one word.
    pub name: &'static str,
    /// What it does, as a phrase.
    pub about: &'static str,
    /// The strongest promise under which it runs: what it does to a graph keeps this promise.
    pub preserves: Level,
    /// The pass itself.
    pub run: fn(Graph) -> Graph,
}

/// Every pass, in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass { name: "prune", about: "removes vertices that no result needs", preserves: Level::Layers, run: prune },
    Pass {
        name: "share",
        about: "joins equal vertices, also those of different targets",
        preserves: Level::Layers,
        run: share,
    },
];

/// What to optimize for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What must stay.
    pub level: Level,
}

/// Runs the passes that keep `options.level`. The graph is verified before the first and behind each.
///
/// # Errors
/// The first invariant that does not hold, with the name of the pass in its message.
pub fn optimize(graph: Graph, options: Options) -> Result<Graph, Broken> {
    let check = |graph: Graph, when: &str| match verify(&graph) {
        Ok(()) => Ok(graph),
        Err(broken) => {
            let first = broken.into_iter().next();
            let first = first.unwrap_or(Broken { invariant: 0, node: None, message: String::new() });
            Err(Broken { message: format!("{} {when}", first.message), ..first })
        }
    };
    let mut graph = check(graph, "before the first pass")?;
    for pass in PASSES.iter().filter(|pass| pass.preserves <= options.level) {
        graph = check((pass.run)(graph), &format!("after the pass `{}`", pass.name))?;
    }
    Ok(graph)
}
