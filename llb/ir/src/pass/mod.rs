//! Passes over the graph, as a plain table.

mod downloads;
mod flatten;
mod forward;
mod fuse;
mod narrow;
mod parallel;
mod prune;
mod share;
mod uses;
mod work;

use rbc_source::{Diagnostic, SourceFile, ir as codes};

use crate::{Broken, CapSet, Graph, Known, text, verify};

pub use prune::prune;
pub use share::share;
pub use work::{Outcome, Remark, Watch, Work};

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
    /// The pass itself. It asks before each change whether it may, and says what it did.
    pub run: fn(Graph, &mut Work) -> Graph,
}

impl Pass {
    /// The pass of this name, if there is one.
    pub fn named(name: &str) -> Option<&'static Pass> {
        PASSES.iter().find(|pass| pass.name == name)
    }
}

/// Every pass, in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass { name: "prune", about: "removes vertices that no result needs", preserves: Level::Layers, run: prune::run },
    Pass {
        name: "downloads",
        about: "joins images that are the same under several tags",
        preserves: Level::Layers,
        run: downloads::run,
    },
    Pass {
        name: "share",
        about: "joins equal vertices, also those of different targets and platforms",
        preserves: Level::Layers,
        run: share::run,
    },
    Pass {
        name: "forward",
        about: "lets copies and mounts read files where they come from",
        preserves: Level::Files,
        run: forward::run,
    },
    Pass { name: "flatten", about: "makes merges of merges one", preserves: Level::Files, run: flatten::run },
    Pass {
        name: "parallel",
        about: "makes copies that do not depend on one another side by side",
        preserves: Level::Files,
        run: parallel::run,
    },
    Pass {
        name: "fuse",
        about: "does file operations that follow one another in one vertex",
        preserves: Level::Files,
        run: fuse::run,
    },
    Pass {
        name: "narrow",
        about: "sends of the client's directories only what a step can see, and that once",
        preserves: Level::Layers,
        run: narrow::run,
    },
];

/// What to optimize for, and how far.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What must stay.
    pub level: Level,
    /// These passes, in this order, instead of those that keep `level`.
    pub passes: Option<Vec<&'static Pass>>,
    /// The last pass to run, by its name.
    pub last: Option<&'static str>,
    /// So many changes are made at most, counted over all passes; the rest is left as it is. Halving it finds the change
    /// that breaks a build.
    pub limit: Option<usize>,
    /// What the backend can do.
    pub caps: CapSet,
    /// What is known of sources.
    pub known: Known,
}

impl Options {
    /// Everything that keeps a level.
    pub fn level(level: Level) -> Self {
        Options { level, ..Options::default() }
    }

    /// The passes that run, in order.
    pub fn passes(&self) -> Vec<&'static Pass> {
        let mut passes = match &self.passes {
            Some(passes) => passes.clone(),
            None => PASSES.iter().filter(|pass| pass.preserves <= self.level).collect(),
        };
        if let Some(last) = self.last.and_then(|last| passes.iter().position(|pass| pass.name == last)) {
            passes.truncate(last + 1);
        }
        passes
    }
}

/// Runs passes. The graph is verified before the first and behind each. `watch` is told what happens; `&mut ()` does not
/// care.
///
/// # Errors
/// The first invariant that does not hold, with the name of the pass in its message.
pub fn optimize(graph: Graph, options: &Options, watch: &mut dyn Watch) -> Result<Graph, Broken> {
    let mut graph = check(graph, "before the first pass")?;
    let mut changes = 0;
    for pass in options.passes() {
        watch.begin(pass);
        let mut work = Work::new(pass.name, options, changes, watch);
        let after = (pass.run)(graph, &mut work);
        changes = work.changes();
        graph = check(after, &format!("after the pass `{}`", pass.name))?;
        watch.end(pass, &graph);
    }
    Ok(graph)
}

fn check(graph: Graph, when: &str) -> Result<Graph, Broken> {
    match verify(&graph) {
        Ok(()) => Ok(graph),
        Err(broken) => {
            let first = broken.into_iter().next();
            let first = first.unwrap_or(Broken { invariant: 0, node: None, message: String::new() });
            Err(Broken { message: format!("{} {when}", first.message), ..first })
        }
    }
}

/// Runs passes on the text form of a graph and gives that of the result.
///
/// # Errors
/// E0404 if the text cannot be read or is that of a broken graph; E0403 if a pass breaks it.
pub fn optimize_text(file: &SourceFile, options: &Options, watch: &mut dyn Watch) -> Result<String, Box<Diagnostic>> {
    let graph = text::parse(file)?;
    if let Err(broken) = verify(&graph) {
        let found = Diagnostic::new(codes::GRAPH_TEXT, "the graph breaks an invariant").at(file.span(0, 0));
        return Err(Box::new(broken.iter().fold(found, |found, broken| found.note(broken.to_string()))));
    }
    match optimize(graph, options, watch) {
        Ok(graph) => Ok(text::print(&graph)),
        Err(broken) => Err(Box::new(broken.to_diagnostic())),
    }
}
