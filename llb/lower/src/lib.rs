//! From the Model to the build graph.
//!
//! [`lower`] takes a recipe and what the build is told, and gives the graph that BuildKit's own frontend would make of them,
//! vertex for vertex, with the image's config and history. It is pure: where it needs a fact from outside (the config of a
//! base image) it asks and is called again with the answer, see [`questions`].

mod builder;
mod chmod;
mod context;
mod copy;
pub mod entry;
mod env;
mod expose;
mod format;
mod mount;
mod outline;
pub mod questions;
mod run;
mod stage;
mod state;
mod weight;

use rbc_ast::check::CheckConfig;
use rbc_ast::recipe::Recipe;
use rbc_context::ignore::Matcher;
use rbc_ir::{CapSet, Graph, Ref};
use rbc_oci::{ImageConfig, Platform};
use rbc_sema::model::{EPOCH, EpochSource};
use rbc_sema::{Checks, Model, Options, Scope};
use rbc_source::{Diagnostic, Parsed, SourceFile, lower as codes};

pub use mount::bytes;
pub use outline::{Outline, OutlineArg, OutlineMount};

use builder::Builder;
use context::{MainContext, Stop};
use questions::{Answers, Question, SourceQuestion};

/// What to lower.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The text of the recipe.
    pub file: &'a SourceFile,
    /// The recipe, with what its parser found.
    pub recipe: &'a Parsed<Recipe>,
    /// How checks are configured, as for the parser.
    pub checks: &'a CheckConfig,
    /// What the build is told.
    pub options: &'a Options,
    /// The platform to build for; none for the default.
    pub platform: Option<&'a Platform>,
    /// What the backend can do.
    pub caps: &'a CapSet,
    /// The text of `.dockerignore` with its name, if there is one.
    pub ignore: Option<(&'a str, &'a str)>,
    /// Experimental features are allowed, as in the reference's `labs` releases.
    pub labs: bool,
    /// All stages are looked at, not just those that the target needs.
    pub all_stages: bool,
    /// Checks report nothing: this is a further platform of a build whose first has reported.
    pub quiet: bool,
}

/// What lowering came to.
#[derive(Debug)]
pub struct Lowered {
    /// The graph, or what is missing.
    pub outcome: Outcome,
    /// Findings that do not stop a build, in the reference's order. Complete only if nothing is needed.
    pub warnings: Vec<Diagnostic>,
}

/// How lowering ended.
#[derive(Debug)]
pub enum Outcome {
    /// Well.
    Done(Box<Product>),
    /// It must be told more.
    Need(Vec<Question>),
    /// With errors; the first is the one that the reference would report.
    Failed(Vec<Diagnostic>),
}

/// A graph, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Product {
    /// The graph.
    pub graph: Graph,
    /// The result's file system; none is empty.
    pub result: Option<Ref>,
    /// The config of the image.
    pub image: ImageConfig,
    /// The config of the base image.
    pub base_image: Option<ImageConfig>,
    /// The time for everything that is made, in seconds since 1970.
    pub epoch: Option<i64>,
    /// The target ignores the cache.
    pub ignore_cache: bool,
    /// What a scanner for bills of materials is to look at beside the result, by name.
    pub scan: Vec<(String, Option<Ref>)>,
    /// What the target takes from outside.
    pub outline: Outline,
    /// Why the graph cannot be built all the same, found where the reference finds it: when it is sent off.
    pub unbuildable: Option<Box<Diagnostic>>,
    /// The stages, and the images that steps take files from.
    pub stages: Vec<StageSummary>,
}

/// A stage with its names resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSummary {
    /// Its name, or its number as `stage-2`, or the image.
    pub name: String,
    /// The platform that it is for.
    pub platform: Option<Platform>,
    /// The stage or image that it starts from.
    pub base: String,
    /// Stages and images that its steps take files from.
    pub sources: Vec<String>,
    /// The target needs it.
    pub needed: bool,
}

/// Lowers a recipe for one platform, all at once. Who answers questions does it with [`Lowerer`].
pub fn lower(request: &Request<'_>, answers: &Answers) -> Lowered {
    Lowerer::new(request).lower(answers)
}

/// Lowers a recipe for one platform, round by round, each with more answers than the one before.
///
/// What does not depend on images (names, arguments, the stage graph) is found out once. The images of bases are asked for
/// before anything is lowered, so that a build without triggers and named contexts is lowered once, with all facts known.
#[derive(Debug)]
pub struct Lowerer<'a> {
    request: &'a Request<'a>,
    prepared: Option<Box<Prepared<'a>>>,
}

/// What is known of a recipe without any image.
#[derive(Debug)]
struct Prepared<'a> {
    builder: Builder<'a>,
    model: Model<'a>,
    main: MainContext,
}

impl<'a> Lowerer<'a> {
    /// Nothing is done yet.
    pub fn new(request: &'a Request<'a>) -> Self {
        Lowerer { request, prepared: None }
    }

    /// Goes on with what is known now.
    pub fn lower(&mut self, answers: &Answers) -> Lowered {
        let prepared = match self.prepared.take().map_or_else(|| prepare(self.request, answers), Ok) {
            Ok(prepared) => prepared,
            Err(lowered) => return *lowered,
        };
        let questions = stage::images_of_bases(self.request, &prepared.model, answers);
        if !questions.is_empty() {
            self.prepared = Some(prepared);
            return Lowered { warnings: Vec::new(), outcome: Outcome::Need(questions) };
        }
        let Prepared { builder, model, main } = *prepared;
        stage::Lowering::new(self.request, answers, builder, model, main).run()
    }
}

/// Finds out what does not depend on images; if that fails or something must be known for it, what it came to.
fn prepare<'a>(request: &'a Request<'a>, answers: &Answers) -> Result<Box<Prepared<'a>>, Box<Lowered>> {
    let recipe = &request.recipe.value;
    let target_platform = request.platform.unwrap_or(&request.options.surroundings.build_platform);
    let mut builder = Builder::new(request.file, request.caps, request.options, target_platform);
    let ended = |warnings: &[Diagnostic], outcome| Err(Box::new(Lowered { warnings: warnings.to_vec(), outcome }));
    // The reference reads the recipe from the context, so that an error of this comes before any of the recipe.
    let main = match builder.main_context(answers) {
        Ok(main) => main,
        Err(stop) => return ended(&[], stopped(stop)),
    };
    builder.set_source(&main.filename, main.recipe.as_ref().and_then(|s| s.out));
    let mut checks = if request.quiet { Checks::muted() } else { Checks::new(request.checks.clone()) };
    // The reference stops at the first error, and knows of no warning behind it.
    let (errors, warnings): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        request.recipe.diagnostics.iter().partition(|d| d.is_error());
    let before = request.recipe.diagnostics.iter().take_while(|d| !d.is_error()).count();
    checks.extend(warnings.into_iter().take(before).cloned());
    if !errors.is_empty() {
        return ended(checks.found(), Outcome::Failed(errors.into_iter().cloned().collect()));
    }
    let mut scope = match Scope::new(recipe, request.options, request.platform, checks) {
        Ok(scope) => scope,
        Err((error, checks)) => return ended(checks.found(), Outcome::Failed(vec![*error])),
    };
    if let Err(stop) = set_epoch(&mut scope, answers, &mut builder, &main) {
        return ended(scope.checks.found(), stopped(stop));
    }
    let resolved = rbc_sema::resolve(scope);
    match resolved.value {
        Ok(model) => Ok(Box::new(Prepared { builder, model, main })),
        Err(checks) => ended(checks.found(), Outcome::Failed(resolved.diagnostics)),
    }
}

fn stopped(stop: Stop) -> Outcome {
    match stop {
        Stop::Ask(question) => Outcome::Need(vec![*question]),
        Stop::Error(error) => Outcome::Failed(vec![*error]),
    }
}

/// What is ignored of the context.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    /// Patterns of `.dockerignore`; they count for a directory of the client only.
    pub patterns: Vec<String>,
    /// The same, to match paths with.
    pub matcher: Option<Matcher>,
}

impl Ignored {
    fn read(text: &str, name: &str) -> Result<Self, Box<Diagnostic>> {
        let patterns = context::read_ignore(text, name)?;
        let matcher = match &patterns[..] {
            [] => None,
            patterns => Some(Matcher::new(patterns).map_err(|e| {
                Box::new(Diagnostic::new(rbc_source::lower::IGNORE, format!("`{name}` has a bad pattern: {e}")))
            })?),
        };
        Ok(Ignored { patterns, matcher })
    }
}

/// Finds out the time for everything that is made.
fn set_epoch(
    scope: &mut Scope<'_>,
    answers: &Answers,
    builder: &mut Builder<'_>,
    main: &MainContext,
) -> Result<(), Stop> {
    let epoch = match &scope.epoch_source()? {
        // An empty build argument is as good as none.
        EpochSource::None if scope.build_args.contains_key(EPOCH) => None,
        EpochSource::None => return Ok(()),
        EpochSource::Fixed(seconds) => Some(*seconds),
        source => match builder.epoch_question(source, main, answers)? {
            None => None,
            Some(question) => time(answers, question)?,
        },
    };
    scope.set_epoch(epoch);
    Ok(())
}

fn time(answers: &Answers, question: SourceQuestion) -> Result<Option<i64>, Stop> {
    match answers.times.get(&question) {
        None => Err(Stop::Ask(Box::new(Question::Time(question)))),
        Some(Err(error)) => Err(Stop::Error(Box::new(error.clone()))),
        Some(Ok(time)) => Ok(*time),
    }
}

/// The error that `error=true` of the check configuration asks for when checks found something.
pub(crate) fn violation(checks: &Checks) -> Option<Diagnostic> {
    if !checks.are_errors() || checks.found().is_empty() {
        return None;
    }
    let mut rules: Vec<&str> = checks.found().iter().map(|d| d.code.name).collect();
    rules.sort_unstable();
    rules.dedup();
    let message = format!("checks that are set to be errors found something: {}", rules.join(", "));
    let mut found = Diagnostic::new(codes::VIOLATION, message);
    for finding in checks.found() {
        if let Some(label) = &finding.primary {
            found.secondary.push(rbc_source::Label { span: label.span, message: finding.code.name.to_owned() });
        }
    }
    Some(found)
}
