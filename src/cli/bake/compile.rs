//! Targets compiled, each with the results of those that it uses.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use rbc_ast::plan::{Plan, Target, Text};
use rbc_ir::{Frame, NodeId, Origin};
use rbc_lower::questions::{ImageQuestion, Input, SourceQuestion};
use rbc_oci::ImageConfig;
use rbc_registry::Client;
use rbc_source::{Diagnostic, Sources};

use super::args::BakeArgs;
use super::recipe;
use crate::cli::engine::{self, Elsewhere};
use crate::cli::host::{World, lock_path, read_lock};
use crate::cli::project::Project;
use crate::{Found, Host, Output, Purpose, build, compile};

/// A target, compiled.
#[derive(Debug, Default)]
pub struct Compiled {
    /// A result for each platform.
    pub outputs: Vec<Output>,
    /// Directories, by the names of the local sources in them.
    pub locals: BTreeMap<String, PathBuf>,
    /// OCI layouts, by the names of their stores.
    pub layouts: BTreeMap<String, PathBuf>,
}

/// All targets of a plan, compiled.
#[derive(Default)]
pub struct All {
    /// The texts.
    pub sources: Sources,
    /// The targets that compile.
    pub targets: BTreeMap<Text, Compiled>,
    /// Findings that do not stop a build, each once.
    pub warnings: Vec<Diagnostic>,
    /// Findings that do, by target; none for a target that only lacks another.
    pub errors: BTreeMap<Text, Vec<Diagnostic>>,
    /// Who talks to registries.
    pub client: Option<Arc<Client>>,
    /// Who builds them, if not this program.
    pub builder: Option<Elsewhere>,
    images: HashMap<ImageQuestion, Result<Found, Diagnostic>>,
}

/// Compiles the targets of a plan that `wanted` names, and those that they use, for a builder if there is one.
pub fn all(
    plan: &Plan,
    args: &BakeArgs,
    sources: Sources,
    builder: Option<Elsewhere>,
    wanted: impl Fn(&Target) -> bool,
) -> All {
    let mut all = All { sources, builder, ..All::default() };
    for target in in_order(plan, wanted) {
        let mut found = Vec::new();
        match all.target(target, args, &mut found) {
            Some(compiled) => _ = all.targets.insert(target.name.clone(), compiled),
            None => _ = all.errors.insert(target.name.clone(), found),
        }
    }
    all
}

/// Targets, each behind those that it uses. A plan has no circles.
pub fn in_order(plan: &Plan, wanted: impl Fn(&Target) -> bool) -> Vec<&Target> {
    let mut out = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for target in plan.targets.values().filter(|t| wanted(t)) {
        let mut stack = vec![(target, false)];
        while let Some((target, ready)) = stack.pop() {
            if ready {
                out.push(target);
            } else if seen.insert(&target.name) {
                stack.push((target, true));
                stack.extend(rbc_bake::linked_targets(target).filter_map(|n| Some((plan.targets.get(n)?, false))));
            }
        }
    }
    out
}

impl All {
    /// Compiles one; none if there are errors, its own or of a target that it uses.
    fn target(&mut self, target: &Target, args: &BakeArgs, errors: &mut Vec<Diagnostic>) -> Option<Compiled> {
        if rbc_bake::linked_targets(target).any(|other| !self.targets.contains_key(other)) {
            return None;
        }
        let known = self.sources.clone();
        let mut project = match recipe::load(target, args, std::mem::take(&mut self.sources)) {
            Ok(project) => project,
            Err(problem) => {
                self.sources = known;
                errors.push(within(problem, target));
                return None;
            }
        };
        let compiled = self.compile(target, args, &mut project, Purpose::Build);
        self.sources = std::mem::take(&mut project.sources);
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(found) => {
                errors.extend(found.into_iter().map(|f| within(f, target)));
                return None;
            }
        };
        for warning in compiled.warnings {
            // Targets of one recipe have the same.
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        if !compiled.errors.is_empty() {
            errors.extend(compiled.errors.into_iter().map(|f| within(f, target)));
            return None;
        }
        let mut out = Compiled { outputs: compiled.outputs, locals: BTreeMap::new(), layouts: project.layouts.clone() };
        for output in &mut out.outputs {
            name(output, target);
            // Every target calls its context `context`, and this one may be taken into others.
            out.locals.extend(build::put(&mut output.product.graph, &project.locals));
        }
        for used in rbc_bake::linked_targets(target).filter_map(|other| self.targets.get(other)) {
            out.locals.extend(used.locals.clone());
            out.layouts.extend(used.layouts.clone());
        }
        Some(out)
    }

    /// Compiles a loaded recipe for a purpose.
    ///
    /// # Errors
    /// A lock file, a layout or a configuration cannot be read.
    pub fn compile(
        &mut self,
        target: &Target,
        args: &BakeArgs,
        project: &mut Project,
        purpose: Purpose,
    ) -> Result<crate::Compiled, Vec<Diagnostic>> {
        let flags = recipe::flags(target, args, String::new(), None).map_err(|e| vec![e])?;
        let lock = read_lock(&lock_path(&flags, project), project)?;
        let shared = lock.is_none();
        let world = World::new(&flags, project, lock)?;
        self.client = self.client.take().or_else(|| world.client.clone());
        let inputs = self.inputs(target, project);
        let mut input = engine::input(project.input(purpose), self.builder.as_ref()).map_err(|e| vec![e])?;
        input.inputs = inputs;
        // A lock file is of one directory and says nothing about images of another.
        let mut none = HashMap::new();
        let images = if shared { &mut self.images } else { &mut none };
        Ok(compile(input, &mut Remembering { world, images }))
    }

    /// Results of other targets, and the contexts that they are.
    fn inputs(&self, target: &Target, project: &mut Project) -> BTreeMap<String, Input> {
        let mut inputs = BTreeMap::new();
        for (context, value) in &target.contexts {
            let Some(other) = value.value.strip_prefix("target:") else { continue };
            let Some(used) = self.targets.get(other) else { continue };
            for output in &used.outputs {
                let platform = match &output.platform {
                    Some(platform) if used.outputs.len() > 1 => format!("::{}", platform.format_all()),
                    _ => String::new(),
                };
                let name = format!("{other}{platform}");
                project.attrs.insert(format!("context:{context}{platform}"), format!("input:{name}"));
                let config = ImageConfig::parse(output.image().as_bytes()).ok();
                let product = &output.product;
                inputs.insert(name, Input { graph: product.graph.clone(), result: product.result, config });
            }
        }
        inputs
    }
}

/// Says whose step each is, for progress and for errors.
fn name(output: &mut Output, target: &Target) {
    let graph = &mut output.product.graph;
    let frame = Frame { name: target.name.clone(), span: target.span };
    for at in 0..graph.len() as u32 {
        let meta = &mut graph.node_mut(NodeId(at)).meta;
        // What is no step of a stage has an origin all the same, so that nobody else names it again.
        if meta.origins.is_empty() {
            meta.origins.push(Origin { target: None, stage: None, step: 0, span: None });
        }
        let mut own = false;
        for origin in meta.origins.iter_mut().filter(|origin| origin.target.is_none()) {
            origin.target = Some(frame.clone());
            own = true;
        }
        if own
            && let Some(text) = meta.description.get_mut("llb.customname")
            && let Some(rest) = text.strip_prefix('[')
        {
            *text = format!("[{} {rest}", target.name);
        }
    }
}

/// A finding about a target.
fn within(problem: Diagnostic, target: &Target) -> Diagnostic {
    let text = format!("while compiling target `{}`", target.name);
    match target.span {
        Some(span) if problem.primary.is_some() => problem.within(span, text),
        Some(span) => problem.labelled(span, text),
        None => problem.note(text),
    }
}

/// A world that asks for each image once.
struct Remembering<'i> {
    world: World,
    images: &'i mut HashMap<ImageQuestion, Result<Found, Diagnostic>>,
}

impl Host for Remembering<'_> {
    fn image(&mut self, image: &ImageQuestion) -> Result<Found, Diagnostic> {
        if let Some(known) = self.images.get(image) {
            return known.clone();
        }
        let found = self.world.image(image);
        self.images.insert(image.clone(), found.clone());
        found
    }

    fn images(&mut self, images: &[ImageQuestion]) -> Vec<Result<Found, Diagnostic>> {
        let new: Vec<ImageQuestion> = images.iter().filter(|i| !self.images.contains_key(i)).cloned().collect();
        let found = self.world.images(&new);
        self.images.extend(new.into_iter().zip(found));
        images.iter().map(|image| self.image(image)).collect()
    }

    fn ignore(&mut self, local: &str) -> Result<Option<String>, Diagnostic> {
        self.world.ignore(local)
    }

    fn is_archive(&mut self, url: &str) -> Result<bool, Diagnostic> {
        self.world.is_archive(url)
    }

    fn time(&mut self, source: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        self.world.time(source)
    }
}
