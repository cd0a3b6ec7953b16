//! Running the optimizer's passes, and keeping what there is to tell about them.

use std::time::{Duration, Instant};

use rbc_ir::{Broken, Graph, Level, Options, Pass, Ref, Remark, Root, Watch, text};
use rbc_source::Diagnostic;

use crate::Output;

/// Passes to run, and what they said.
#[derive(Debug, Default)]
pub struct Optimizer {
    /// Which passes run, and how far.
    pub options: Options,
    /// The graph is kept, in its text form, as it is behind this pass.
    pub keep_after: Option<&'static Pass>,
    /// What was done at each place, or why not.
    pub remarks: Vec<Remark>,
    /// How long each pass took.
    pub times: Vec<(&'static Pass, Duration)>,
    /// The graphs that were kept, one for each that was optimized.
    pub kept: Vec<String>,
    began: Option<Instant>,
}

impl Optimizer {
    /// An optimizer with nothing to tell yet.
    pub fn new(options: Options) -> Self {
        Optimizer { options, ..Optimizer::default() }
    }

    /// Whether a pass may move files between vertices, and so gains from knowing what base images hold.
    pub fn moves_files(&self) -> bool {
        self.options.passes().iter().any(|pass| pass.preserves == Level::Files)
    }

    /// Optimizes a graph whose roots are set.
    ///
    /// # Errors
    /// A pass has broken the graph, which is a fault of rbc.
    pub fn run(&mut self, graph: Graph) -> Result<Graph, Diagnostic> {
        let options = self.options.clone();
        let runs = options.passes();
        if self.keep_after.is_some_and(|pass| !runs.iter().any(|run| run.name == pass.name)) {
            self.kept.push(text::print(&graph));
        }
        rbc_ir::optimize(graph, &options, self).map_err(|broken: Broken| broken.to_diagnostic())
    }

    /// Optimizes a graph for several results.
    ///
    /// # Errors
    /// Those of [`Optimizer::run`].
    pub fn run_for(
        &mut self,
        mut graph: Graph,
        results: &[Option<Ref>],
    ) -> Result<(Graph, Vec<Option<Ref>>), Diagnostic> {
        let root = |result: &Option<Ref>| Root { name: String::new(), platform: None, result: *result };
        graph.roots = results.iter().map(root).collect();
        let graph = self.run(graph)?;
        let results = graph.roots.iter().map(|root| root.result).collect();
        Ok((graph, results))
    }

    /// Optimizes what was compiled for one platform.
    ///
    /// # Errors
    /// Those of [`Optimizer::run`].
    pub fn run_output(&mut self, mut output: Output) -> Result<Output, Diagnostic> {
        let product = &mut output.product;
        let (graph, results) = self.run_for(std::mem::take(&mut product.graph), &[product.result])?;
        product.graph = graph;
        product.result = results.first().copied().flatten();
        Ok(output)
    }
}

impl Watch for Optimizer {
    fn begin(&mut self, _: &'static Pass) {
        self.began = Some(Instant::now());
    }

    fn end(&mut self, pass: &'static Pass, graph: &Graph) {
        self.times.extend(self.began.take().map(|began| (pass, began.elapsed())));
        if self.keep_after.is_some_and(|keep| keep.name == pass.name) {
            self.kept.push(text::print(graph));
        }
    }

    fn remark(&mut self, remark: Remark) {
        self.remarks.push(remark);
    }
}
