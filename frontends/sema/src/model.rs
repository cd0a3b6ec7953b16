//! The stage graph: every name resolved.
//!
//! The order of things, and what counts as a name of what, follow BuildKit's `dockerfile2llb`: stages are looked up among
//! those written so far for a base, among all for `--from`; a source that is no stage is an image, and each place that
//! names it has an entry of its own.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use rbc_ast::recipe::{self, Recipe, Step, StepKind, Trigger, Word};
use rbc_oci::{Platform, Reference};
use rbc_source::{Code, Diagnostic, Parsed, Span, lint, lower as codes};
use rbc_word::{WordError, WordErrorKind};

use crate::checks::Checks;
use crate::growth::Growth;
use crate::near::Near;
use crate::{Options, Vars};

/// Index of a stage in [`Model::stages`].
pub type StageId = usize;

/// The name of the empty image.
pub const SCRATCH: &str = "scratch";

/// Arguments that steer the frontend and never become variables.
pub const NON_ENV_ARGS: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// What is known of a declared argument, for the outline of a target.
#[derive(Clone, Debug)]
pub struct ArgInfo {
    /// Its value; empty if it has none.
    pub value: String,
    /// Its description.
    pub doc: Option<Box<str>>,
    /// Names of the arguments that its default uses.
    pub deps: BTreeSet<String>,
    /// The instruction that declares it.
    pub span: Span,
}

/// Where files of a name come from, if the build says so by `context:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedContext {
    /// What it is: `docker-image://alpine`, `local:NAME`, ...
    pub input: String,
    /// The name, in familiar form and without `:latest`.
    pub name: String,
    /// The name by which it was found, with `::platform` if it was given for that platform only.
    pub key: String,
    /// Hint for sharing the transfer of a local directory between builds.
    pub shared_key: String,
    /// The platform that it is wanted for.
    pub platform: Option<Platform>,
}

/// What all stages share: arguments declared before the first, platforms.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// What the build is told.
    pub options: &'a Options,
    /// The platform that was asked for, if any.
    pub requested: Option<Platform>,
    /// The platform to build for.
    pub target_platform: Platform,
    /// Build arguments, SOURCE_DATE_EPOCH resolved.
    pub build_args: BTreeMap<String, String>,
    /// Global arguments, predefined ones first.
    pub args: Vars,
    /// What is known of the declared ones.
    pub arg_infos: BTreeMap<String, ArgInfo>,
    /// The time for everything that is made, in seconds since 1970.
    pub epoch: Option<i64>,
    /// Checks, with what they found.
    pub checks: Checks,
    /// Suggestions for unknown names.
    pub near: Near,
    /// What expanded words may grow to.
    growth: Growth,
}

/// What SOURCE_DATE_EPOCH says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EpochSource {
    /// Nothing.
    None,
    /// Seconds since 1970.
    Fixed(i64),
    /// The time of the main context.
    MainContext,
    /// The time of a named context.
    Context(NamedContext),
    /// The time of what a stage downloads.
    Stage {
        /// The URL or git reference.
        source: String,
        /// Its checksum, if given.
        checksum: Option<String>,
        /// Whether `.git` is kept.
        keep_git_dir: bool,
        /// The stage.
        span: Span,
    },
}

/// Every name resolved.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    /// What all stages share.
    pub scope: Scope<'a>,
    /// Stages in order, then the images that `--from` names.
    pub stages: Vec<Stage<'a>>,
    /// The stage to build.
    pub target: StageId,
    /// Stages by lower-case name; of several the last.
    names: HashMap<String, StageId>,
    /// Stages and images by the numbers that `--from` may give. In the reference every mount without a source has an empty
    /// image of its own, and so a number; here they share one.
    numbers: Vec<StageId>,
    /// That image, if there are such mounts.
    empty_image: Option<StageId>,
    /// For a stage and one of its sources, where that stands in [`Stage::deps`].
    dep_places: HashMap<(StageId, StageId), usize>,
}

/// A stage, or an image that `--from` names.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    /// The stage as written; none for an image.
    pub written: Option<&'a recipe::Stage>,
    /// Where it is written: the FROM instruction, or the step whose `--from` names the image (COPY), or nowhere (RUN).
    pub span: Option<Span>,
    /// What it starts from, expanded.
    pub base_name: String,
    /// The stage that it starts from.
    pub base: Option<StageId>,
    /// The platform that it says it is for.
    pub platform: Option<Platform>,
    /// The name to show; empty in a build of one stage.
    pub display_name: String,
    /// What takes its place.
    pub context: Option<NamedContext>,
    /// Stages and images that its steps take files from, with the step.
    pub deps: Vec<(StageId, Span)>,
    /// Its steps.
    pub steps: Vec<StepRef<'a>>,
    /// The triggers among them.
    pub triggers: Vec<&'a Trigger>,
    /// Global arguments that its FROM uses.
    pub used_args: BTreeSet<String>,
    /// How many steps the progress display counts.
    pub step_total: usize,
    /// It ignores the cache.
    pub no_cache: bool,
}

/// A step of a stage.
#[derive(Clone, Debug)]
pub struct StepRef<'a> {
    /// The step.
    pub step: &'a Step,
    /// Where errors and the source map point: the step, or for a trigger of the base the FROM instruction.
    pub span: Span,
    /// It is a trigger of the base.
    pub on_build: bool,
    /// Where its files come from: for COPY the source of `--from`; for RUN one a mount.
    pub sources: Vec<StageId>,
}

impl Stage<'_> {
    /// Its lower-case name; empty if it has none.
    pub fn name(&self) -> &str {
        self.written.and_then(|w| w.name.as_deref()).unwrap_or_default()
    }

    /// It is an image that a `--from` names, not a stage.
    pub fn is_image(&self) -> bool {
        self.written.is_none()
    }
}

/// An expanded word on its own.
struct Expanded {
    text: String,
    matched: Vec<String>,
    unmatched: Vec<String>,
}

fn expand(text: &str, escape: char, vars: &Vars, growth: &Growth) -> Result<Expanded, WordError> {
    let found = rbc_word::expand(text, escape, vars)?;
    if !growth.add(found.text.len().saturating_sub(text.len())) {
        return Err(WordError { kind: WordErrorKind::TooLong, at: 0..text.len() });
    }
    let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    Ok(Expanded { text: found.text.into_owned(), matched: names(found.matched), unmatched: names(found.unmatched) })
}

/// Turns an error of word expansion into a finding.
pub fn word_error(text: &str, error: &WordError, span: Span) -> Diagnostic {
    Diagnostic::new(codes::WORD, format!("`{text}` cannot be expanded: {error}")).at(span)
}

impl<'a> Scope<'a> {
    /// Evaluates what stands before the first stage, for one platform (or the default one).
    ///
    /// # Errors
    /// An argument cannot be evaluated. What checks found is given back.
    pub fn new(
        recipe: &'a Recipe,
        options: &'a Options,
        requested: Option<&Platform>,
        mut checks: Checks,
    ) -> Result<Self, (Box<Diagnostic>, Checks)> {
        let target_platform = requested.unwrap_or(&options.surroundings.build_platform).clone();
        let target_name = match &options.target {
            Some(name) => name,
            None => recipe.stages.last().and_then(|s| s.name.as_deref()).unwrap_or_default(),
        };
        let predefined = predefined_args(options, &target_platform, target_name);
        let growth = Growth::of_text(size(recipe));
        let defaults = global_args(recipe, predefined.clone(), None, &growth);
        if let Ok((args, _)) = &defaults {
            check_default_bases(recipe, args, &mut checks, &growth);
        }
        let is_given = |decl: &recipe::ArgDecl| options.build_args.contains_key(&*decl.name.text);
        let mut decls = recipe.global_args.iter().flat_map(|step| match &step.kind {
            StepKind::Arg(decls) => &decls[..],
            _ => &[],
        });
        let found = if decls.any(is_given) {
            global_args(recipe, predefined, Some(&options.build_args), &growth)
        } else {
            defaults
        };
        let (args, arg_infos) = match found {
            Ok(found) => found,
            Err(error) => return Err((error, checks)),
        };
        Ok(Scope {
            recipe,
            options,
            requested: requested.cloned(),
            target_platform,
            build_args: options.build_args.clone(),
            args,
            arg_infos,
            epoch: None,
            checks,
            near: Near::default(),
            growth,
        })
    }

    /// What SOURCE_DATE_EPOCH says.
    ///
    /// # Errors
    /// It names nothing that has a time.
    pub fn epoch_source(&self) -> Result<EpochSource, Box<Diagnostic>> {
        let value = match self.build_args.get(EPOCH) {
            Some(value) => value,
            None => self.args.value(EPOCH).unwrap_or_default(),
        };
        if value.is_empty() {
            return Ok(EpochSource::None);
        }
        if let Ok(seconds) = value.parse() {
            return Ok(EpochSource::Fixed(seconds));
        }
        if value == "context" {
            return Ok(EpochSource::MainContext);
        }
        if let Some(context) = find_context(self.options, value, None)? {
            return Ok(EpochSource::Context(context));
        }
        match self.recipe.stages.iter().find(|s| s.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(value))) {
            Some(stage) => self.stage_epoch(stage),
            None => Err(Box::new(
                Diagnostic::new(codes::EPOCH, format!("SOURCE_DATE_EPOCH is `{value}`, which says no time"))
                    .note("it is a number of seconds since 1970, `context`, or the name of a context or stage"),
            )),
        }
    }

    /// Fixes the time and tells the arguments.
    pub fn set_epoch(&mut self, epoch: Option<i64>) {
        self.epoch = epoch;
        let value = epoch.map(|e| e.to_string());
        if self.build_args.contains_key(EPOCH) {
            match &value {
                Some(v) => _ = self.build_args.insert(EPOCH.to_owned(), v.clone()),
                None => _ = self.build_args.remove(EPOCH),
            }
        }
        if self.args.value(EPOCH).is_some() {
            match value {
                Some(v) => self.args.set(EPOCH, v),
                None => self.args.unset(EPOCH),
            }
        }
    }

    /// The download that gives a stage its time: the stage is `FROM scratch` with arguments and one remote ADD.
    fn stage_epoch(&self, stage: &recipe::Stage) -> Result<EpochSource, Box<Diagnostic>> {
        let span = stage.head.span;
        let wrong = |why: &str| {
            Box::new(
                Diagnostic::new(codes::EPOCH, format!("this stage gives SOURCE_DATE_EPOCH no time: {why}"))
                    .at(span)
                    .note("such a stage is `FROM scratch` with just one ADD of a URL or git repository"),
            )
        };
        let mut args = self.args.clone();
        args.unset(EPOCH);
        let expand = |word: &Word, args: &Vars| {
            self.expand(&word.text, args).map(|e| e.text).map_err(|e| Box::new(word_error(&word.text, &e, span)))
        };
        if expand(&stage.base, &args)? != SCRATCH {
            return Err(wrong("it does not start from `scratch`"));
        }
        let mut found = None;
        for step in &stage.steps {
            match &step.kind {
                StepKind::Arg(decls) => {
                    for decl in decls {
                        if let Some(value) = self.build_args.get(&*decl.name.text) {
                            args.set(&*decl.name.text, &**value);
                        } else if let Some(default) = &decl.default {
                            let value = expand(default, &args)?;
                            args.set(&*decl.name.text, value);
                        }
                    }
                }
                StepKind::Add(_) if found.is_some() => return Err(wrong("it has more than one ADD")),
                StepKind::Add(add) => {
                    let ([source], []) = (&add.transfer.sources[..], &add.transfer.files[..]) else {
                        return Err(wrong("its ADD has not just one source"));
                    };
                    let checksum = add.checksum.as_ref().map(|c| expand(c, &args)).transpose()?;
                    found = Some(EpochSource::Stage {
                        source: expand(source, &args)?,
                        checksum: checksum.filter(|c| !c.is_empty()),
                        keep_git_dir: add.keep_git_dir == Some(true),
                        span,
                    });
                }
                _ => return Err(wrong(&format!("it has a {} instruction", step.head.keyword.to_uppercase()))),
            }
        }
        found.ok_or_else(|| wrong("it has no ADD"))
    }

    /// Expands a text with the escape character of the recipe.
    fn expand(&self, text: &str, args: &Vars) -> Result<Expanded, WordError> {
        expand(text, self.recipe.escape, args, &self.growth)
    }

    fn report(&mut self, code: &'static Code, stage: &recipe::Stage, message: String) {
        self.checks.report(code, &stage.head.comments, stage.head.span, message);
    }

    /// Reports what is not declared in a word that cannot be expanded.
    fn report_unknown_before_fault(&mut self, stage: &recipe::Stage, text: &str) {
        let names = rbc_word::unset_before_fault(text, self.recipe.escape, Default::default(), &self.args);
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        self.report_unknown_args(stage, &names);
    }

    fn report_unknown_args(&mut self, stage: &recipe::Stage, unmatched: &[String]) {
        for name in unmatched {
            if self.arg_infos.contains_key(name) || self.args.value(name).is_some() {
                continue;
            }
            let declared = self.arg_infos.keys().map(String::as_str);
            let others = self.args.iter().map(|(k, _)| k).filter(|k| !self.arg_infos.contains_key(*k));
            let near = self
                .near
                .find(name, declared.chain(others))
                .map(|n| format!(" (did you mean {n}?)"))
                .unwrap_or_default();
            self.report(lint::UNDEFINED_ARG_IN_FROM, stage, format!("FROM argument '{name}' is not declared{near}"));
        }
    }
}

/// The argument that says the time for everything that is made.
pub const EPOCH: &str = "SOURCE_DATE_EPOCH";

fn predefined_args(options: &Options, target: &Platform, stage: &str) -> Vars {
    let build = &options.surroundings.build_platform;
    let (build_name, target_name) = (build.format(), target.format_all());
    let predefined = [
        ("BUILDPLATFORM", &build_name),
        ("BUILDOS", &build.os),
        ("BUILDOSVERSION", &build.os_version),
        ("BUILDARCH", &build.architecture),
        ("BUILDVARIANT", &build.variant),
        ("TARGETPLATFORM", &target_name),
        ("TARGETOS", &target.os),
        ("TARGETOSVERSION", &target.os_version),
        ("TARGETARCH", &target.architecture),
        ("TARGETVARIANT", &target.variant),
    ];
    let mut args = Vars::new();
    let stage = if stage.is_empty() { "default" } else { stage };
    for (name, value) in predefined.into_iter().map(|(n, v)| (n, v.as_str())).chain([("TARGETSTAGE", stage)]) {
        args.set(name, options.build_args.get(name).map_or(value, String::as_str));
    }
    args
}

/// Evaluates the arguments before the first stage on top of `args`. Build arguments override defaults; without them
/// only defaults count.
fn global_args(
    recipe: &Recipe,
    mut args: Vars,
    build_args: Option<&BTreeMap<String, String>>,
    growth: &Growth,
) -> Result<(Vars, BTreeMap<String, ArgInfo>), Box<Diagnostic>> {
    let mut infos: BTreeMap<String, ArgInfo> = BTreeMap::new();
    for step in &recipe.global_args {
        let StepKind::Arg(decls) = &step.kind else { continue };
        for decl in decls {
            let name = &*decl.name.text;
            let mut deps = BTreeSet::new();
            let mut value = None;
            if let Some(given) = build_args.and_then(|b| b.get(name)) {
                value = Some(given.clone());
            } else if let Some(default) = &decl.default {
                let expanded = expand(&default.text, recipe.escape, &args, growth)
                    .map_err(|e| Box::new(word_error(&default.text, &e, step.head.span)))?;
                deps.extend(expanded.matched);
                if deps.remove(name)
                    && let Some(mut earlier) = infos.remove(name)
                {
                    // The larger set takes in the smaller.
                    if earlier.deps.len() > deps.len() {
                        std::mem::swap(&mut earlier.deps, &mut deps);
                    }
                    deps.extend(earlier.deps);
                }
                value = Some(expanded.text);
            }
            if let Some(value) = &value {
                args.set(name, &**value);
            }
            let info = ArgInfo { value: value.unwrap_or_default(), doc: decl.doc.clone(), deps, span: step.head.span };
            infos.insert(name.to_owned(), info);
        }
    }
    Ok((args, infos))
}

/// How long the steps of a recipe are, in bytes.
fn size(recipe: &Recipe) -> usize {
    let stages = recipe.stages.iter().flat_map(|stage| stage.steps.iter().map(|step| &step.head).chain([&stage.head]));
    stages.chain(recipe.global_args.iter().map(|step| &step.head)).map(|head| head.code.len()).sum()
}

/// BuildKit's check that base names hold even when no build argument is given.
fn check_default_bases(recipe: &Recipe, args: &Vars, checks: &mut Checks, growth: &Growth) {
    for stage in &recipe.stages {
        let Ok(base) = expand(&stage.base.text, recipe.escape, args, growth) else { return };
        if !Reference::is_simple(&base.text) && Reference::parse_normalized(&base.text).is_err() {
            let message =
                format!("Default value for ARG {} results in empty or invalid base image name", stage.base.text);
            // This check has the configuration of the file only, not that of comments.
            checks.report(lint::INVALID_DEFAULT_ARG_IN_FROM, &[], stage.head.span, message);
        }
    }
}

/// The context that the build gives for a name.
///
/// # Errors
/// The name cannot be one of a context.
pub fn find_context(
    options: &Options,
    name: &str,
    platform: Option<&Platform>,
) -> Result<Option<NamedContext>, Box<Diagnostic>> {
    if !options.has_contexts() && Reference::is_simple(name) {
        return Ok(None);
    }
    let named = Reference::parse_normalized(name).map_err(|e| {
        let mut found = e.diagnostic(name);
        found
            .notes
            .push(format!("`{name}` is looked up among the named contexts, so it must be well formed as a reference"));
        Box::new(found)
    })?;
    let familiar = named.familiar();
    let name = familiar.strip_suffix(":latest").unwrap_or(&familiar);
    if !options.has_contexts() {
        return Ok(None);
    }
    let wanted = platform.unwrap_or(&options.surroundings.host_platform).normalize();
    let context = |key: String| {
        let input = options.attrs.get(&format!("context:{key}"))?;
        Some(NamedContext {
            input: input.clone(),
            name: name.to_owned(),
            shared_key: options.attrs.get(&format!("sharedkey:localdir:{key}")).cloned().unwrap_or_default(),
            key,
            platform: platform.cloned(),
        })
    };
    Ok(context(format!("{name}::{}", wanted.format_all())).or_else(|| context(name.to_owned())))
}

/// Resolves every name of a recipe. Without a model, what checks found is given back.
pub fn resolve(scope: Scope<'_>) -> Parsed<Result<Model<'_>, Checks>> {
    let mut diagnostics = Vec::new();
    let recipe = scope.recipe;
    let mut model = Model {
        scope,
        stages: Vec::with_capacity(recipe.stages.len()),
        target: 0,
        names: HashMap::new(),
        numbers: Vec::with_capacity(recipe.stages.len()),
        empty_image: None,
        dep_places: HashMap::new(),
    };
    if recipe.stages.is_empty() {
        let found = Diagnostic::new(codes::NO_STAGE, "there is no stage to build");
        diagnostics.push(found.note("begin with `FROM image`, or `FROM scratch` for an empty one"));
    }
    for (i, written) in recipe.stages.iter().enumerate() {
        if let Err(error) = model.add_stage(i, written) {
            diagnostics.push(*error);
            model.scope.checks.close();
        }
    }
    if diagnostics.is_empty()
        && let Err(error) = model.choose_target().and_then(|()| model.link(&mut diagnostics))
    {
        diagnostics.push(*error);
    }
    let value = if diagnostics.is_empty() { Ok(model) } else { Err(model.scope.checks) };
    Parsed { value, diagnostics }
}

impl<'a> Model<'a> {
    fn add_stage(&mut self, index: usize, written: &'a recipe::Stage) -> Result<(), Box<Diagnostic>> {
        let span = written.head.span;
        let base = self.scope.expand(&written.base.text, &self.scope.args);
        match &base {
            Ok(expansion) => self.scope.report_unknown_args(written, &expansion.unmatched),
            Err(_) => self.scope.report_unknown_before_fault(written, &written.base.text),
        }
        let base = base.map_err(|e| Box::new(word_error(&written.base.text, &e, span)))?;
        if base.text.is_empty() {
            return Err(Box::new(
                Diagnostic::new(codes::BASE_NAME, format!("the base `{}` is blank once expanded", written.base.text))
                    .labelled(span, "this stage has no base")
                    .note("give the argument a default: `ARG NAME=value` before the first FROM"),
            ));
        }
        let mut used_args: BTreeSet<String> = base.matched.into_iter().collect();
        let platform = match written.platform.as_ref().filter(|p| !p.text.is_empty()) {
            Some(word) => Some(self.stage_platform(written, word, &mut used_args)?),
            None => None,
        };
        let mut stage = Stage {
            written: Some(written),
            span: Some(span),
            base_name: base.text,
            base: None,
            platform,
            display_name: written.name.as_deref().unwrap_or_default().to_owned(),
            context: None,
            deps: Vec::new(),
            steps: Vec::new(),
            triggers: Vec::new(),
            used_args: BTreeSet::new(),
            step_total: 0,
            no_cache: false,
        };
        if let Some(name) = &written.name {
            stage.context = self.context_for(name, stage.platform.as_ref())?;
            if stage.context.is_some() {
                let id = self.add(stage);
                self.stages[id].base = None;
                return Ok(());
            }
        } else {
            stage.display_name = format!("stage-{index}");
        }
        stage.no_cache = self.scope.options.no_cache.covers(written.name.as_deref().unwrap_or_default());
        let id = self.add(stage);
        let stage = &mut self.stages[id];
        stage.used_args = used_args;
        let shown = |s: &&Step| {
            matches!(s.kind, StepKind::Add(_) | StepKind::Copy(_) | StepKind::Run(_) | StepKind::Workdir(_))
        };
        stage.step_total = written.steps.iter().filter(shown).count()
            + usize::from(stage.base_name != SCRATCH && stage.base.is_none());
        Ok(())
    }

    fn stage_platform(
        &mut self,
        written: &recipe::Stage,
        word: &Word,
        used_args: &mut BTreeSet<String>,
    ) -> Result<Platform, Box<Diagnostic>> {
        let span = written.head.span;
        let expanded = self.scope.expand(&word.text, &self.scope.args).map_err(|e| {
            self.scope.report_unknown_before_fault(written, &word.text);
            Box::new(word_error(&word.text, &e, span))
        })?;
        self.scope.report_unknown_args(written, &expanded.unmatched);
        if expanded.unmatched.is_empty()
            && let [only] = &expanded.matched[..]
            && only == "TARGETPLATFORM"
            && self.scope.args.value(only) == Some(&expanded.text)
        {
            let message = format!(
                "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
                word.text
            );
            self.scope.report(lint::REDUNDANT_TARGET_PLATFORM, written, message);
        }
        let host = &self.scope.options.surroundings.host_platform;
        let platform = Platform::parse(&expanded.text, host);
        if let Ok(p) = &platform
            && expanded.matched.is_empty()
            && expanded.unmatched.is_empty()
        {
            let name = written.name.as_deref().unwrap_or_default();
            if !name.contains(&p.os) && !name.contains(&p.architecture) {
                let message = format!("FROM --platform flag should not use constant value {}", quote(&expanded.text));
                self.scope.report(lint::FROM_PLATFORM_FLAG_CONST_DISALLOWED, written, message);
            }
        }
        let (args, near) = (&self.scope.args, &mut self.scope.near);
        let mut unknown = |mut found: Diagnostic| {
            let mut near = |n| near.find(n, args.iter().map(|(k, _)| k));
            if let Some((name, near)) = expanded.unmatched.iter().find_map(|n| Some((n, near(n)?))) {
                found.notes.push(format!("`{name}` is not declared: did you mean `{near}`?"));
            }
            Box::new(found)
        };
        if expanded.text.is_empty() {
            let message = format!("the platform `{}` is empty once expanded", word.text);
            return Err(unknown(Diagnostic::new(codes::STAGE_PLATFORM, message).at(span)));
        }
        let platform = platform.map_err(|e| unknown(e.diagnostic(&expanded.text).at(span)))?;
        used_args.extend(expanded.matched.iter().cloned());
        Ok(platform)
    }

    /// The context that the build gives for the name of a stage or image.
    ///
    /// # Errors
    /// The name cannot be one of a context.
    pub fn context_for(
        &self,
        name: &str,
        platform: Option<&Platform>,
    ) -> Result<Option<NamedContext>, Box<Diagnostic>> {
        if name.eq_ignore_ascii_case(SCRATCH) || name.eq_ignore_ascii_case("context") {
            return Ok(None);
        }
        find_context(self.scope.options, name, platform.or(self.scope.requested.as_ref()))
    }

    fn add(&mut self, mut stage: Stage<'a>) -> StageId {
        let id = self.stages.len();
        stage.base = self.names.get(&stage.base_name).copied();
        if !stage.name().is_empty() {
            self.names.insert(stage.name().to_owned(), id);
        }
        self.stages.push(stage);
        self.numbers.push(id);
        id
    }

    /// The stage of a name, whatever its case.
    pub fn by_name(&self, name: &str) -> Option<StageId> {
        match name.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) {
            true => self.names.get(&name.to_lowercase()).copied(),
            false => self.names.get(name).copied(),
        }
    }

    /// Names to suggest.
    pub fn display_names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|s| &*s.display_name).filter(|n| !n.is_empty())
    }

    fn choose_target(&mut self) -> Result<(), Box<Diagnostic>> {
        self.target = match &self.scope.options.target {
            None => self.stages.len().saturating_sub(1),
            Some(name) => self.by_name(name).ok_or_else(|| {
                let names: Vec<&str> = self.display_names().collect();
                let found = Diagnostic::new(codes::TARGET, format!("there is no stage `{name}` to build"));
                Box::new(found.suggest(name, &names).note(format!("the stages are: {}", names.join(", "))))
            })?,
        };
        Ok(())
    }

    /// Resolves the sources of all steps.
    fn link(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Result<(), Box<Diagnostic>> {
        for id in 0..self.stages.len() {
            let Some(written) = self.stages[id].written else { continue };
            for step in &written.steps {
                if let StepKind::Onbuild(onbuild) = &step.kind {
                    self.stages[id].triggers.push(&onbuild.trigger);
                }
                match self.step(id, step, step.head.span, false) {
                    Ok(step) => self.stages[id].steps.push(step),
                    Err(error) => diagnostics.push(*error),
                }
            }
        }
        if !diagnostics.is_empty() {
            return Ok(());
        }
        self.refuse_cycles()?;
        if let [only] = &mut self.stages[..] {
            only.display_name.clear();
        }
        Ok(())
    }

    /// Puts triggers of the base before a stage's steps. Gives whether they take files from somewhere, so that there may be
    /// new images to look at.
    ///
    /// # Errors
    /// A source of a trigger cannot be.
    pub fn add_triggers(&mut self, id: StageId, triggers: Vec<&'a Step>) -> Result<bool, Box<Diagnostic>> {
        let span = self.stages[id].span;
        let mut steps = Vec::with_capacity(triggers.len());
        for step in triggers {
            steps.push(self.step(id, step, span.unwrap_or(step.head.span), true)?);
        }
        let new = steps.iter().any(|s| !s.sources.is_empty());
        let stage = &mut self.stages[id];
        stage.step_total += steps.len();
        steps.append(&mut stage.steps);
        stage.steps = steps;
        Ok(new)
    }

    fn step(
        &mut self,
        id: StageId,
        step: &'a Step,
        span: Span,
        on_build: bool,
    ) -> Result<StepRef<'a>, Box<Diagnostic>> {
        let mut sources = Vec::new();
        match &step.kind {
            StepKind::Copy(copy) => {
                if let Some(from) = copy.from.as_ref().filter(|f| !f.text.is_empty()) {
                    sources.push(self.copy_source(from, span)?);
                }
            }
            StepKind::Run(run) => {
                for mount in &run.mounts {
                    // Each mount has a source, even if its kind has no use for one: the kind may be a variable.
                    let name = mount.from().map_or(SCRATCH, |w| &*w.text);
                    sources.push(match self.by_name(name) {
                        Some(stage) => stage,
                        None if name == SCRATCH => self.empty_image(),
                        None => self.add_image(name, None),
                    });
                }
            }
            _ => {}
        }
        for source in &sources {
            let deps = &mut self.stages[id].deps;
            match self.dep_places.entry((id, *source)) {
                Entry::Occupied(place) => deps[*place.get()].1 = span,
                Entry::Vacant(place) => {
                    place.insert(deps.len());
                    deps.push((*source, span));
                }
            }
        }
        Ok(StepRef { step, span, on_build, sources })
    }

    fn copy_source(&mut self, from: &Word, span: Span) -> Result<StageId, Box<Diagnostic>> {
        let expanded =
            self.scope.expand(&from.text, &Vars::new()).map_err(|e| Box::new(word_error(&from.text, &e, span)))?;
        if expanded.text != *from.text {
            return Err(Box::new(
                Diagnostic::new(codes::FROM_VARIABLE, "`--from` cannot hold variables, quotes or escapes")
                    .labelled(from.span, "this is looked up before variables are known")
                    .also(span, "in this step")
                    .note("name a stage for it: `FROM image:$TAG AS name` with an ARG before the first FROM, then `--from=name`"),
            ));
        }
        if let Ok(index) = from.text.parse::<i64>() {
            return usize::try_from(index).ok().and_then(|i| self.numbers.get(i).copied()).ok_or_else(|| {
                let written = self.stages.iter().filter(|s| !s.is_image()).count();
                Box::new(
                    Diagnostic::new(codes::STAGE_INDEX, format!("there is no stage number {index}"))
                        .labelled(span, format!("stages are numbered from 0 to {}", written.saturating_sub(1)))
                        .note("name stages (`FROM image AS name`) and use the names: numbers change when a stage is added"),
                )
            });
        }
        Ok(self.by_name(&from.text).unwrap_or_else(|| self.add_image(&from.text, Some(span))))
    }

    /// The image of mounts without a source, as a further number.
    fn empty_image(&mut self) -> StageId {
        match self.empty_image {
            Some(image) => {
                self.numbers.push(image);
                image
            }
            None => {
                let image = self.add_image(SCRATCH, None);
                self.empty_image = Some(image);
                image
            }
        }
    }

    fn add_image(&mut self, name: &str, span: Option<Span>) -> StageId {
        self.add(Stage {
            written: None,
            span,
            base_name: name.to_owned(),
            base: None,
            platform: None,
            display_name: String::new(),
            context: None,
            deps: Vec::new(),
            steps: Vec::new(),
            triggers: Vec::new(),
            used_args: BTreeSet::new(),
            step_total: 0,
            no_cache: false,
        })
    }

    /// Refuses stages that take files from one another in a circle.
    fn refuse_cycles(&self) -> Result<(), Box<Diagnostic>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Visit {
            No,
            Open,
            Done,
        }
        let mut visits = vec![Visit::No; self.stages.len()];
        for start in 0..self.stages.len() {
            if visits[start] != Visit::No {
                continue;
            }
            visits[start] = Visit::Open;
            let mut path: Vec<(StageId, usize)> = vec![(start, 0)];
            while let Some((stage, next)) = path.last_mut() {
                let (stage, dep) = (*stage, *next);
                *next += 1;
                let Some((dep, _)) = self.stages[stage].deps.get(dep) else {
                    visits[stage] = Visit::Done;
                    path.pop();
                    continue;
                };
                match visits[*dep] {
                    Visit::Done => {}
                    Visit::No => {
                        visits[*dep] = Visit::Open;
                        path.push((*dep, 0));
                    }
                    Visit::Open => return Err(self.cycle(start, &path)),
                }
            }
        }
        Ok(())
    }

    fn cycle(&self, start: StageId, path: &[(StageId, usize)]) -> Box<Diagnostic> {
        let mut steps = path.iter().filter_map(|(stage, next)| self.stages[*stage].deps.get(next - 1));
        let message = format!("stage `{}` needs itself", self.stages[start].display_name);
        let mut found = Diagnostic::new(codes::CYCLE, message);
        if let Some((stage, span)) = steps.next() {
            found = found.labelled(*span, format!("takes files from `{}`", self.stages[*stage].display_name));
        }
        for (stage, span) in steps {
            found = found.also(*span, format!("which takes files from `{}`", self.stages[*stage].display_name));
        }
        Box::new(found)
    }

    /// The stages that a stage needs, itself included: bases, and sources of steps.
    pub fn reachable(&self, from: StageId) -> Vec<bool> {
        let mut found = vec![false; self.stages.len()];
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut found[id], true) {
                continue;
            }
            open.extend(self.stages[id].base);
            open.extend(self.stages[id].deps.iter().map(|(dep, _)| *dep));
        }
        found
    }
}

/// A text in double quotes as Go's `%q` writes it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if !is_printable(c) => {
                let n = c as u32;
                out.push_str(&match n {
                    0..=0x7f => format!("\\x{n:02x}"),
                    0x80..=0xffff => format!("\\u{n:04x}"),
                    _ => format!("\\U{n:08x}"),
                });
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What Go's `strconv.IsPrint` says, without tables: spaces other than U+0020, controls and unassigned, private and format
/// characters are not printed. Rust's own escape rule is of the same making.
fn is_printable(c: char) -> bool {
    matches!(c, ' ' | '\'') || !(c.is_control() || c.is_whitespace() || c.escape_debug().len() > 1)
}
