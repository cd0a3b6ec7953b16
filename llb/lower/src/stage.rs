//! Stages: bases looked up, triggers put in, steps turned into vertices and config.
//!
//! The order of things follows BuildKit's `dockerfile2llb/convert.go`, since it shows in the result.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::rc::Rc;

use rbc_ast::recipe::{ArgDecl, CommandLine, Healthcheck, Pair, StepKind, Word};
use rbc_context::path;
use rbc_ir::{Action, FileAction, Frame, Meta, Mkdir, NetMode, Ref};
use rbc_oci::{self as oci, History, ImageConfig, Platform, Reference, Time};
use rbc_sema::Model;
use rbc_sema::model::{ArgInfo, NON_ENV_ARGS, SCRATCH, StageId, StepRef, quote, word_error};
use rbc_sema::options::NetworkMode;
use rbc_source::{Code, Diagnostic, Span, lint, lower as codes};
use rbc_word::{Mode, Template, Unset};

use crate::builder::{Builder, Local, named, normalize_path, with_command};
use crate::context::{Loaded, MainContext, Stop, ask};
use crate::env::StageEnv;
use crate::outline::Capture;
use crate::questions::{Answers, ImageQuestion, Question};
use crate::state::State;
use crate::{Ignored, Lowered, Outcome, Outline, Product, Request, StageSummary, expose, format, violation};

/// The comment in an image's history by which the reference marks its entries.
const HISTORY_COMMENT: &str = "buildkit.dockerfile.v0";

/// What a port takes, in bytes: it is written out in the list of ports and in the history.
const PORT: usize = 64;

/// Room for what stands in front of the text of a step: platforms and numbers.
const PREFIX: usize = 32;

/// What a stage has come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Built {
    pub state: State,
    /// The config of its image but for the environment.
    pub image: ImageConfig,
    pub env: StageEnv,
    /// The config of the image that it starts from, itself or by way of other stages.
    base_image: Option<Rc<ImageConfig>>,
    pub platform: Option<Rc<Platform>>,
    /// How a vertex of it names it.
    frame: Option<Frame>,
    /// Its steps have run, or it has none.
    pub dispatched: bool,
    /// The target is it, or starts from it: only then is its history ever seen.
    in_result: bool,
    /// Its base was looked up.
    resolved: bool,
    /// Triggers of the stage that it starts from were put in.
    triggers_added: bool,
    /// An error was found in it or in what it needs, so nothing more is said about it.
    pub failed: bool,
    /// Its base's name: expanded, then normalised, then with a digest.
    base_name: String,
    /// The image whose answer has the triggers.
    trigger_source: Option<ImageQuestion>,
    /// Declared arguments with their last values, in order of their first declaration, those of the base first.
    pub args: Vec<(Rc<str>, Option<Rc<str>>)>,
    /// Where each stands.
    arg_places: HashMap<Rc<str>, usize>,
    /// Those of them that have no value.
    unset_args: Rc<HashSet<Rc<str>>>,
    /// The values of [`NON_ENV_ARGS`].
    scans: [Option<Rc<str>>; 2],
    /// Paths that it uses of the build context.
    pub context_paths: BTreeSet<String>,
    /// The stage whose `used_paths` note what is used of this stage's file system.
    paths_of: StageId,
    /// Paths that others use of it.
    used_paths: BTreeSet<String>,
    workdir_set: bool,
    cmd_at: Option<Span>,
    entrypoint_at: Option<Span>,
    healthcheck_at: Option<Span>,
    /// How many steps the progress display has counted.
    shown: usize,
    /// The step at hand, from 1.
    pub step: u32,
    pub capture: Capture,
    scan_stage: bool,
    scan_context: bool,
    /// The vertex of a client's directory, and how to narrow it in the end.
    narrow: Option<(Ref, Local)>,
}

impl Built {
    fn new(id: StageId, base_name: String) -> Built {
        Built { base_name, paths_of: id, ..Built::default() }
    }
}

/// Lowering of one recipe for one platform.
pub(crate) struct Lowering<'a> {
    pub builder: Builder<'a>,
    pub model: Model<'a>,
    target_platform: Rc<Platform>,
    pub built: Vec<Built>,
    request: &'a Request<'a>,
    answers: &'a Answers,
    main: MainContext,
    pub ignored: Ignored,
    /// The vertex of the build context if that is a directory of the client: made at first use, narrowed in the end.
    context_vertex: Option<Ref>,
    /// Of each stage, the last one that starts from it: it takes over what the others copy.
    heirs: Vec<Option<StageId>>,
    errors: Vec<Diagnostic>,
    needed: Vec<Question>,
    /// The same, to look them up.
    asked: HashSet<Question>,
    /// Vertices that run nothing; an error if the result needs one.
    pub empty_runs: Vec<(Ref, Span)>,
}

/// What must be known of the images that needed stages start from, as far as the model alone tells; images that triggers
/// bring in, and named contexts, are asked for when lowering comes upon them.
pub(crate) fn images_of_bases(request: &Request<'_>, model: &Model<'_>, answers: &Answers) -> Vec<Question> {
    let mut questions = Vec::new();
    if request.options.has_contexts() {
        return questions;
    }
    let mut asked = HashSet::new();
    let reachable = model.reachable(model.target);
    for (stage, needed) in model.stages.iter().zip(reachable) {
        if stage.base.is_some() || stage.base_name == SCRATCH || !(needed || request.all_stages) {
            continue;
        }
        // A name that cannot be one is an error of lowering.
        let Ok(reference) = Reference::parse_normalized(&stage.base_name) else { continue };
        let question = ImageQuestion {
            reference: reference.with_default_tag().to_string(),
            platform: Some(stage.platform.as_ref().unwrap_or(&model.scope.target_platform).clone()),
            mode: request.options.resolve_mode,
            layout: None,
        };
        if !answers.images.contains_key(&question) && asked.insert(question.clone()) {
            questions.push(Question::Image(question));
        }
    }
    questions
}

impl<'a> Lowering<'a> {
    pub fn new(
        request: &'a Request<'a>,
        answers: &'a Answers,
        builder: Builder<'a>,
        model: Model<'a>,
        main: MainContext,
    ) -> Self {
        let mut built: Vec<Built> =
            model.stages.iter().enumerate().map(|(id, s)| Built::new(id, s.base_name.clone())).collect();
        let mut next = Some(model.target);
        while let Some(id) = next {
            built[id].in_result = true;
            next = model.stages[id].base;
        }
        let target_platform = Rc::new(model.scope.target_platform.clone());
        Lowering {
            builder,
            model,
            target_platform,
            built,
            request,
            answers,
            main,
            ignored: Ignored::default(),
            context_vertex: None,
            heirs: Vec::new(),
            errors: Vec::new(),
            needed: Vec::new(),
            asked: HashSet::new(),
            empty_runs: Vec::new(),
        }
    }

    pub fn run(mut self) -> Lowered {
        let reachable = self.resolve_stages();
        if let Some(reachable) = &reachable {
            self.dispatch_stages(reachable);
        }
        let warnings = self.model.scope.checks.found().to_vec();
        let outcome = match reachable {
            Some(reachable) => self.finish(&reachable),
            // The reference looks all bases up before it fails for one of them: checks tell of the others, and the error may
            // be another's.
            None if self.errors.is_empty() || !self.needed.is_empty() => Outcome::Need(self.needed),
            None => Outcome::Failed(self.errors),
        };
        Lowered { outcome, warnings }
    }

    /// Reports what a check found.
    pub fn check(&mut self, code: &'static Code, span: Span, message: String) {
        self.model.scope.checks.report_in_step(code, span, message);
    }

    /// Experimental features are allowed.
    pub fn labs(&self) -> bool {
        self.request.labs
    }

    pub fn target_platform(&self) -> &Platform {
        &self.target_platform
    }

    // Bases.

    /// Looks up bases until no trigger asks for more. None if a fact is missing or something is wrong.
    fn resolve_stages(&mut self) -> Option<Vec<bool>> {
        for _ in 0..MOST_TRIGGER_ROUNDS {
            let reachable = self.model.reachable(self.model.target);
            let mut last_failed = false;
            for (id, needed) in reachable.iter().enumerate() {
                let stage = &self.model.stages[id];
                let built = &self.built[id];
                if stage.base.is_some() || built.dispatched || built.resolved {
                    continue;
                }
                let wanted = *needed || self.request.all_stages;
                self.built[id].resolved = wanted;
                let before = self.errors.len();
                if let Err(stop) = self.resolve_base(id, wanted) {
                    self.stop(id, stop);
                }
                let is_empty = self.built[id].base_name == SCRATCH && self.model.stages[id].context.is_none();
                last_failed = before < self.errors.len() || (last_failed && is_empty);
            }
            if last_failed {
                // The reference looks bases up at once and reports what fails first: where nothing has to be waited for,
                // that is the one that it began with last, and after it they come in order.
                self.errors.rotate_right(1);
            }
            if !self.errors.is_empty() || !self.needed.is_empty() {
                return None;
            }
            let mut new = false;
            for id in (0..self.model.stages.len()).filter(|id| reachable[*id]) {
                match self.add_triggers(id) {
                    Ok(more) => new |= more,
                    Err(error) => {
                        let enough = error.code == codes::TOO_LARGE;
                        self.errors.push(*error);
                        if enough {
                            break;
                        }
                    }
                }
            }
            while self.built.len() < self.model.stages.len() {
                let id = self.built.len();
                self.built.push(Built::new(id, self.model.stages[id].base_name.clone()));
            }
            if !self.errors.is_empty() {
                return None;
            }
            if !new {
                return Some(self.model.reachable(self.model.target));
            }
        }
        // The reference never ends here.
        let found = Diagnostic::new(codes::CYCLE, "triggers of images bring in ever more images");
        self.errors.push(
            found.note("an image has an ONBUILD trigger that takes files from an image with such a trigger, and so on"),
        );
        None
    }

    fn stop(&mut self, id: StageId, stop: Stop) {
        match stop {
            Stop::Ask(question) => {
                if !self.asked.contains(&*question) {
                    self.needed.push((*question).clone());
                    self.asked.insert(*question);
                }
            }
            Stop::Error(mut error) => {
                if let (None, Some(span)) = (&error.primary, self.model.stages[id].span) {
                    *error = error.at(span);
                }
                self.errors.push(*error);
            }
        }
    }

    fn resolve_base(&mut self, id: StageId, wanted: bool) -> Result<(), Stop> {
        let stage = &self.model.stages[id];
        if self.built[id].base_name == SCRATCH && stage.context.is_none() {
            if stage.is_image() {
                // Nothing is known of it but that it is empty.
                self.built[id].dispatched = true;
            } else {
                let platform = self.target_platform.clone();
                self.start_from(id, &empty_image(&platform));
                self.built[id].platform = Some(platform);
            }
            return Ok(());
        }
        self.built[id].dispatched |= stage.is_image();
        let original = self.built[id].base_name.clone();
        let reference = Reference::parse_normalized(&original).map_err(|e| {
            let mut found = e.diagnostic(&original);
            if stage.written.is_none() {
                found.notes.push(format!("`{original}` is no stage of this file, so it is taken for an image"));
            }
            Box::new(found)
        })?;
        let declared = stage.platform.clone().map(Rc::new);
        let platform = declared.clone().unwrap_or_else(|| self.target_platform.clone());
        let reference = reference.with_default_tag();
        self.built[id].base_name = reference.to_string();
        if !wanted {
            // The step is counted even so, and once more if a trigger makes the stage needed after all.
            self.prefix(id, "", None, false);
            self.built[id].platform = Some(platform);
            return Ok(());
        }
        if let Some(context) = stage.context.clone() {
            let loaded = self.builder.named_context(&context, self.answers)?;
            let built = &mut self.built[id];
            built.dispatched = true;
            built.platform = declared;
            if let Some(image) = &loaded.image {
                if !image.platform.architecture.is_empty() && !image.platform.os.is_empty() {
                    built.platform = Some(image.platform.clone().into());
                }
                self.start_from(id, image);
            }
            self.built[id].take(loaded);
            return Ok(());
        }
        let name = self.built[id].base_name.clone();
        if self.builder.options.has_contexts()
            && let Some(context) = self.model.context_for(&name, Some(&platform))?
        {
            let loaded = self.builder.named_context(&context, self.answers)?;
            let image = loaded.image.clone().unwrap_or_else(|| empty_image(&platform));
            self.start_from(id, &image);
            let built = &mut self.built[id];
            built.base_image = Some(Rc::new(image));
            built.trigger_source.clone_from(&loaded.question);
            built.take(loaded);
            built.state.platform = Some(platform.normalize().into());
            built.platform = Some(platform);
            return Ok(());
        }
        let mode = self.builder.options.resolve_mode;
        let question = ImageQuestion { reference: name, platform: Some((*platform).clone()), mode, layout: None };
        let found = match ask(self.answers, question.clone()) {
            Ok(found) => found,
            Err(Stop::Error(error)) => {
                // Where hardly any image is there, it is not the names that are wrong.
                if self.errors.len() >= MOST_SUGGESTIONS {
                    return Err(Stop::Error(error));
                }
                let names: Vec<&str> = self.model.display_names().chain(COMMON_IMAGES).collect();
                return Err(Stop::Error(Box::new(error.suggest(&original, names))));
            }
            Err(stop) => return Err(stop),
        };
        let mut reference = if found.reference == reference.to_string() {
            reference
        } else {
            Reference::parse_normalized(&found.reference).map_err(|e| Box::new(e.diagnostic(&found.reference)))?
        };
        let mut platform = platform;
        if self.model.stages[id].platform.is_none() && self.model.scope.requested.is_none() {
            let build = &self.builder.options.surroundings.build_platform;
            let own = &found.config.platform;
            if (build.os == own.os && build.architecture == own.architecture)
                && !(platform.os == own.os && platform.architecture == own.architecture)
            {
                platform = build.clone().into();
            }
        }
        if let Some(digest) = &found.digest {
            reference = reference.with_digest(digest.clone());
        }
        let name = reference.to_string();
        let scratch = found.config.diff_ids.as_ref().is_none_or(Vec::is_empty)
            && found.config.history.iter().all(|h| h.empty_layer);
        self.start_from(id, &found.config);
        let built = &mut self.built[id];
        built.base_name.clone_from(&name);
        built.base_image = built.in_result.then(|| Rc::new(found.config.clone()));
        built.trigger_source = Some(question);
        if !scratch {
            let span = self.model.stages[id].span;
            let code = self.model.stages[id].written.map_or("", |w| &*w.head.code);
            let shown = self.prefix(id, &format!("FROM {name}"), Some(&platform), false);
            let frame = self.frame(id);
            let meta = self.builder.located(with_command(named(shown), code), span, frame, 0);
            let out = self.builder.image(&name, mode, Some(&platform), meta);
            let built = &mut self.built[id];
            built.state = State::of(Some(out));
            built.state.platform = Some(platform.normalize().into());
            let own = built.image.platform.clone();
            if (platform.os != own.os || platform.architecture != own.architecture)
                && let Some(span) = span
            {
                let message = format!(
                    "Base image {original} was pulled with platform {}, expected {} for current build",
                    quote(&own.normalize().format_all()),
                    quote(&platform.normalize().format_all())
                );
                // This check has the configuration of the file only, not that of comments.
                self.model.scope.checks.report(lint::INVALID_BASE_IMAGE_PLATFORM, &[], span, message);
            }
        }
        self.built[id].platform = Some(platform);
        Ok(())
    }

    /// Puts the triggers of a stage's base before its steps. Gives whether they name new sources.
    fn add_triggers(&mut self, id: StageId) -> Result<bool, Box<Diagnostic>> {
        let span = self.model.stages[id].span;
        let mut steps = Vec::new();
        let built = &mut self.built[id];
        built.image.config.on_build.clear();
        let mut triggers = Vec::new();
        if let Some(source) = built.trigger_source.take()
            && let Some(Ok(image)) = self.answers.images.get(&source)
        {
            triggers.extend(&image.triggers);
        }
        if let Some(base) = self.model.stages[id].base
            && !std::mem::replace(&mut built.triggers_added, true)
        {
            triggers.extend(&self.model.stages[base].triggers);
        }
        for trigger in triggers {
            match &trigger.0 {
                Ok(step) => steps.push(&**step),
                Err(error) => {
                    let mut error = error.clone();
                    error.notes.push("it is a trigger (ONBUILD) of the base".to_owned());
                    return Err(match span {
                        Some(span) => Box::new(error.labelled(span, "this base has a trigger that cannot be read")),
                        None => error,
                    });
                }
            }
        }
        if steps.is_empty() {
            return Ok(false);
        }
        self.builder.grow(steps.len() * size_of::<StepRef<'_>>())?;
        self.model.add_triggers(id, steps)
    }

    /// Takes over what a stage inherits from the stage that it starts from. The last to do so need not copy what grows, and
    /// what only the result shows is never copied.
    fn inherit(&mut self, id: StageId) -> Result<(), Box<Diagnostic>> {
        fn take<T: Clone + Default>(value: &mut T, last: bool) -> T {
            if last { std::mem::take(value) } else { value.clone() }
        }
        let Some(base) = self.model.stages[id].base else { return Ok(()) };
        let last = self.heirs[base] == Some(id);
        let in_result = self.built[id].in_result;
        let from = &mut self.built[base];
        if !last {
            let shell: usize = from.image.config.shell.iter().map(String::len).sum();
            self.builder.grow(shell + size_of::<(Rc<str>, Rc<str>)>() * (from.env.len() + from.unset_args.len()))?;
        }
        let image = &mut from.image;
        let image = if in_result {
            let light = for_steps(image);
            // Triggers do not carry over.
            let mut whole = std::mem::replace(image, light);
            whole.config.on_build.clear();
            whole
        } else {
            for_steps(image)
        };
        let inherited = Built {
            state: from.state.clone(),
            image,
            env: take(&mut from.env, last),
            base_image: from.base_image.clone(),
            platform: from.platform.clone(),
            args: if in_result { std::mem::take(&mut from.args) } else { Vec::new() },
            arg_places: if in_result { std::mem::take(&mut from.arg_places) } else { HashMap::new() },
            unset_args: take(&mut from.unset_args, last),
            scans: from.scans.clone(),
            paths_of: from.paths_of,
            workdir_set: from.workdir_set,
            ..std::mem::take(&mut self.built[id])
        };
        self.built[id] = inherited;
        Ok(())
    }

    /// What a stage that starts from an image inherits of its config.
    fn start_from(&mut self, id: StageId, config: &ImageConfig) {
        let built = &mut self.built[id];
        built.env = StageEnv::of(&config.config.env);
        built.image = ImageConfig {
            created: None,
            author: config.author.clone(),
            platform: config.platform.clone(),
            config: config.config.clone(),
            rootfs_type: config.rootfs_type.clone(),
            diff_ids: config.diff_ids.clone(),
            history: if built.in_result { config.history.clone() } else { Vec::new() },
        };
    }

    // Steps.

    fn dispatch_stages(&mut self, reachable: &[bool]) {
        if let (None, Some((name, text))) = (&self.main.state, self.request.ignore) {
            match Ignored::read(text, name) {
                Ok(ignored) => self.ignored = ignored,
                Err(error) => return self.errors.push(*error),
            }
        }
        self.heirs = vec![None; reachable.len()];
        for (id, stage) in self.model.stages.iter().enumerate() {
            if let Some(base) = stage.base
                && base != self.model.target
                && (reachable[id] || self.request.all_stages)
            {
                self.heirs[base] = Some(id);
            }
        }
        for (id, needed) in reachable.iter().enumerate() {
            if !self.request.all_stages && (!needed || self.built[id].dispatched) {
                continue;
            }
            let stage = &self.model.stages[id];
            let broken = |s: &StageId| self.built[*s].failed;
            if stage.base.iter().chain(stage.deps.iter().map(|(dep, _)| dep)).any(broken) {
                self.built[id].failed = true;
                continue;
            }
            if let Err(error) = self.dispatch_stage(id) {
                let enough = error.code == codes::TOO_LARGE;
                self.built[id].failed = true;
                self.errors.push(*error);
                self.model.scope.checks.close();
                if enough {
                    break;
                }
            }
        }
    }

    fn dispatch_stage(&mut self, id: StageId) -> Result<(), Box<Diagnostic>> {
        let span = self.model.stages[id].span;
        self.inherit(id).map_err(|e| match span {
            Some(span) => Box::new(e.at(span)),
            None => e,
        })?;
        let built = &mut self.built[id];
        built.dispatched = true;
        // A context without an image leaves the platform open; the reference then takes an empty one.
        let os = built.platform.get_or_insert_default().os.clone();
        let path = path::default_path_env(&os);
        built.env.begin(Some(path).filter(|_| os != "windows"));
        let options = self.builder.options;
        if !options.hostname.is_empty() {
            built.state.hostname.clone_from(&options.hostname);
        }
        let (dir, user) = (built.image.config.working_dir.clone(), built.image.config.user.clone());
        if !dir.is_empty() {
            built.set_workdir(&dir).map_err(|e| match span {
                Some(span) => Box::new(e.at(span)),
                None => Box::new(e),
            })?;
        }
        if !user.is_empty() {
            built.state.user = user;
        }
        built.state.network = match options.network {
            NetworkMode::Sandbox => NetMode::Unset,
            NetworkMode::Host => NetMode::Host,
            NetworkMode::None => NetMode::None,
        };
        let steps = std::mem::take(&mut self.model.stages[id].steps);
        for (i, step) in steps.iter().enumerate() {
            self.built[id].step = i as u32 + 1;
            self.model.scope.checks.enter(&step.step.head.comments);
            self.dispatch(id, step).and_then(|()| self.builder.grow(0)).map_err(|error| self.place(error, step))?;
        }
        self.note_scans(id);
        let built = &mut self.built[id];
        built.env.seal();
        if self.heirs[id].is_none() && !built.in_result {
            // Nobody asks any more.
            built.env = StageEnv::default();
            built.image = ImageConfig::default();
        }
        Ok(())
    }

    /// Places an error. One of a part points at the part, and its trace at the step; others, and those of triggers, which
    /// are written elsewhere, at the step.
    fn place(&self, mut error: Box<Diagnostic>, step: &StepRef<'_>) -> Box<Diagnostic> {
        let file = self.request.file;
        match error.primary.as_ref().filter(|_| !step.on_build) {
            None => Box::new(error.at(step.span)),
            Some(label) if file.lines_of(label.span) == file.lines_of(step.span) => error,
            Some(_) => {
                error
                    .trace
                    .push(rbc_source::Frame { span: step.span, message: "while compiling this step".to_owned() });
                error
            }
        }
    }

    fn note_scans(&mut self, id: StageId) {
        let name = &self.model.stages[id].display_name;
        let Built { scans, scan_context, scan_stage, .. } = &mut self.built[id];
        for ((key, own), flag) in NON_ENV_ARGS.iter().zip(scans).zip([scan_context, scan_stage]) {
            let value = own.as_deref().or_else(|| self.model.scope.args.value(key));
            *flag = value.is_some_and(|v| match rbc_source::go_bool(v) {
                Some(on) => on,
                None => v.split(',').any(|s| s == name),
            });
        }
    }

    fn dispatch(&mut self, id: StageId, step: &StepRef<'a>) -> Result<(), Box<Diagnostic>> {
        match &step.step.kind {
            StepKind::Arg(decls) => self.arg(id, step, decls),
            StepKind::Env(pairs) => self.env(id, step, pairs),
            StepKind::Label(pairs) => self.label(id, step, pairs),
            StepKind::Maintainer(who) => {
                self.built[id].image.author = who.text.to_string();
                self.commit(id, false, |_| format!("MAINTAINER {}", who.text));
                Ok(())
            }
            StepKind::Run(run) => self.run_step(id, step, run),
            StepKind::Copy(copy) => self.copy_step(id, step, copy),
            StepKind::Add(add) => self.add_step(id, step, add),
            StepKind::Workdir(dir) => self.workdir(id, step, dir),
            StepKind::User(user) => {
                let user = self.expand(id, step, user)?;
                self.commit(id, false, |_| format!("USER {user}"));
                self.built[id].state.user.clone_from(&user);
                self.built[id].image.config.user = user;
                Ok(())
            }
            StepKind::Volume(words) => self.volume(id, step, words),
            StepKind::Expose(words) => self.expose(id, step, words),
            StepKind::StopSignal(word) => self.stop_signal(id, step, word),
            StepKind::Cmd(command) => {
                let last = self.built[id].cmd_at.replace(step.span);
                self.check_once(step, last);
                let args = self.default_command(id, step, command);
                self.commit(id, false, |_| format!("CMD {}", format::quoted_list(&args)));
                let config = &mut self.built[id].image.config;
                config.cmd = args;
                config.args_escaped = true;
                Ok(())
            }
            StepKind::Entrypoint(command) => {
                let last = self.built[id].entrypoint_at.replace(step.span);
                self.check_once(step, last);
                let args = self.default_command(id, step, command);
                self.commit(id, false, |_| format!("ENTRYPOINT {}", format::quoted_list(&args)));
                let built = &mut self.built[id];
                built.image.config.entrypoint = args;
                if built.cmd_at.is_none() {
                    built.image.config.cmd.clear();
                }
                Ok(())
            }
            StepKind::Shell(shell) => {
                self.commit(id, false, |_| format!("SHELL {}", format::list(shell)));
                self.built[id].image.config.shell = shell.iter().map(|s| s.to_string()).collect();
                Ok(())
            }
            StepKind::Healthcheck(check) => {
                let last = self.built[id].healthcheck_at.replace(step.span);
                self.check_once(step, last);
                let check = healthcheck(check);
                self.commit(id, false, |_| format!("HEALTHCHECK {}", format::healthcheck(&check)));
                self.built[id].image.config.healthcheck = Some(check);
                Ok(())
            }
            StepKind::Onbuild(onbuild) => {
                self.built[id].image.config.on_build.push(onbuild.expression.to_string());
                Ok(())
            }
            // Lowering does not begin while the recipe has errors.
            StepKind::Error => Ok(()),
        }
    }

    /// Expands a word with the variables of the stage and reports unknown ones.
    pub fn expand(&mut self, id: StageId, step: &StepRef<'_>, word: &Word) -> Result<String, Box<Diagnostic>> {
        self.expand_in(id, step, word, self.model.scope.recipe.escape, Mode::default())
    }

    /// Expands the content of a file, in which quotes mean nothing.
    pub fn expand_content(&mut self, id: StageId, step: &StepRef<'_>, text: &str) -> Result<String, Box<Diagnostic>> {
        let mode = Mode { skip_quotes: true, ..Mode::default() };
        self.expand_in(id, step, &Word::new(text, step.span), '\\', mode)
    }

    fn expand_in(
        &mut self,
        id: StageId,
        step: &StepRef<'_>,
        word: &Word,
        escape: char,
        mode: Mode,
    ) -> Result<String, Box<Diagnostic>> {
        if rbc_word::is_literal(&word.text, escape) {
            return Ok(word.text.to_string());
        }
        let env = &self.built[id].env;
        match Template::parse(&word.text, escape, mode).and_then(|t| t.expand(env, Unset::Empty)) {
            Ok(expansion) => {
                self.report_unknown(id, step, &expansion.unmatched);
                self.builder.grow(expansion.text.len().saturating_sub(word.text.len()))?;
                Ok(expansion.text.into_owned())
            }
            Err(error) => {
                let unset = rbc_word::unset_before_fault(&word.text, escape, mode, env);
                self.report_unknown(id, step, &unset);
                Err(Box::new(word_error(&word.text, &error, word.span)))
            }
        }
    }

    fn report_unknown(&mut self, id: StageId, step: &StepRef<'_>, unmatched: &[&str]) {
        for name in unmatched {
            let built = &self.built[id];
            if NON_ENV_ARGS.contains(name) || built.unset_args.contains(*name) {
                continue;
            }
            let near = self.model.scope.near.find(name, built.env.iter().map(|(k, _)| k));
            let near = near.map(|n| format!(" (did you mean ${n}?)")).unwrap_or_default();
            self.check(lint::UNDEFINED_VAR, step.span, format!("Usage of undefined variable '${name}'{near}"));
        }
    }

    fn check_once(&mut self, step: &StepRef<'_>, last: Option<Span>) {
        if let Some(last) = last {
            let message = format!(
                "Multiple {} instructions should not be used in the same stage because only the last one will be used",
                step.step.head.keyword
            );
            // It is the earlier one that goes unused.
            self.check(lint::MULTIPLE_INSTRUCTIONS_DISALLOWED, last, message);
        }
    }

    fn check_legacy(&mut self, step: &StepRef<'_>) {
        let keyword = &step.step.head.keyword;
        let message =
            format!("\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format");
        self.check(lint::LEGACY_KEY_VALUE_FORMAT, step.span, message);
    }

    fn check_secret(&mut self, step: &StepRef<'_>, instruction: &str, name: &str) {
        if is_secret_name(name) {
            let message =
                format!("Do not use ARG or ENV instructions for sensitive data ({instruction} {})", quote(name));
            self.check(lint::SECRETS_USED_IN_ARG_OR_ENV, step.span, message);
        }
    }

    /// Expands all pairs before any takes effect.
    fn pairs(
        &mut self,
        id: StageId,
        step: &StepRef<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<(String, String)>, Box<Diagnostic>> {
        pairs.iter().map(|p| Ok((self.expand(id, step, &p.key)?, self.expand(id, step, &p.value)?))).collect()
    }

    fn env(&mut self, id: StageId, step: &StepRef<'_>, pairs: &[Pair]) -> Result<(), Box<Diagnostic>> {
        let values = self.pairs(id, step, pairs)?;
        let mut message = String::from("ENV");
        for (pair, (name, value)) in pairs.iter().zip(values) {
            if pair.legacy {
                self.check_legacy(step);
            }
            self.check_secret(step, "ENV", &name);
            message += &format!(" {name}={value}");
            self.built[id].env.set(name, value);
        }
        self.commit(id, false, |_| message);
        Ok(())
    }

    fn label(&mut self, id: StageId, step: &StepRef<'_>, pairs: &[Pair]) -> Result<(), Box<Diagnostic>> {
        let values = self.pairs(id, step, pairs)?;
        let mut message = String::from("LABEL");
        for (pair, (name, value)) in pairs.iter().zip(values) {
            if pair.legacy {
                self.check_legacy(step);
            }
            message += &format!(" {name}={value}");
            self.built[id].image.config.labels.insert(name, value);
        }
        self.commit(id, false, |_| message);
        Ok(())
    }

    fn arg(&mut self, id: StageId, step: &StepRef<'_>, decls: &[ArgDecl]) -> Result<(), Box<Diagnostic>> {
        let mut entry = String::from("ARG");
        for decl in decls {
            let name: Rc<str> = (&*decl.name.text).into();
            self.check_secret(step, "ARG", &name);
            let given = self.model.scope.build_args.get(&*name).map(|value| value.as_str().into());
            let mut inherited = false;
            let value: Option<Rc<str>> = match (given, &decl.default) {
                (Some(value), _) => Some(value),
                (None, Some(default)) => Some(self.expand(id, step, default)?.into()),
                (None, None) => {
                    let global = self.model.scope.args.value(&name).map(Rc::from);
                    inherited = global.is_some();
                    global
                }
            };
            let built = &mut self.built[id];
            match (&value, NON_ENV_ARGS.iter().position(|n| **n == *name)) {
                (Some(value), Some(scan)) => built.scans[scan] = Some(value.clone()),
                (Some(value), None) => built.env.set_arg(name.clone(), value.clone()),
                (None, _) => _ = Rc::make_mut(&mut built.unset_args).insert(name.clone()),
            }
            if !inherited {
                let info = ArgInfo {
                    value: value.as_deref().unwrap_or_default().to_owned(),
                    doc: decl.doc.clone(),
                    deps: BTreeSet::new(),
                    span: step.span,
                };
                built.capture.args.insert(name.to_string(), info);
            }
            built.capture.used.insert(name.to_string());
            entry.extend([" ", &name]);
            if let Some(value) = &value {
                entry.extend(["=", value]);
            }
            if built.in_result {
                built.declare(name, value);
            }
        }
        self.commit(id, false, |_| entry);
        Ok(())
    }

    fn workdir(&mut self, id: StageId, step: &StepRef<'_>, dir: &Word) -> Result<(), Box<Diagnostic>> {
        let dir = self.expand(id, step, dir)?;
        let built = &mut self.built[id];
        let platform = built.platform.clone().unwrap_or_default();
        if !std::mem::replace(&mut built.workdir_set, true) && !path::is_abs(&dir, &platform.os) {
            let message =
                format!("Relative workdir {} can have unexpected results if the base image changes", quote(&dir));
            self.check(lint::WORKDIR_RELATIVE_PATH, step.span, message);
        }
        let dir = self.built[id].set_workdir(&dir)?;
        // The vertex, the history, the state and each command behind it hold the path.
        self.builder.grow(dir.len() * 8)?;
        if dir != "/" {
            let built = &self.built[id];
            let user = &built.image.config.user;
            let mkdir = Mkdir {
                path: normalize_path(&built.state.dir, &dir, false),
                mode: 0o755,
                make_parents: true,
                owner: (!user.is_empty()).then(|| crate::builder::owner(user, built.state.out.into())),
                timestamp: self.model.scope.epoch.map_or(-1, |e| e.wrapping_mul(1_000_000_000)),
            };
            let action = FileAction::on(built.state.out, Action::Mkdir(mkdir));
            let meta = named(self.step_name(id, step, Some(&platform)));
            let meta = self.located(id, step, meta);
            let out = self.builder.file(vec![action], meta);
            self.built[id].state.out = Some(out);
        }
        self.commit(id, dir != "/", |_| format!("WORKDIR {dir}"));
        Ok(())
    }

    fn volume(&mut self, id: StageId, step: &StepRef<'_>, words: &[Word]) -> Result<(), Box<Diagnostic>> {
        let mut volumes = Vec::with_capacity(words.len());
        for word in words {
            volumes.push(self.expand(id, step, word)?);
        }
        if let Some(i) = volumes.iter().position(String::is_empty) {
            let message = format!("the volume `{}` is blank once expanded", words[i].text);
            return Err(Box::new(Diagnostic::new(codes::VOLUME, message).at(words[i].span)));
        }
        self.commit(id, false, |_| format!("VOLUME {}", format::list(&volumes)));
        self.built[id].image.config.volumes.extend(volumes);
        Ok(())
    }

    fn expose(&mut self, id: StageId, step: &StepRef<'_>, words: &[Word]) -> Result<(), Box<Diagnostic>> {
        let mut ports = Vec::new();
        let mut declared = Vec::new();
        for word in words {
            let split = Template::parse(&word.text, self.model.scope.recipe.escape, Mode::default())
                .and_then(|t| t.expand_words(&self.built[id].env, Unset::Empty))
                .map_err(|e| Box::new(word_error(&word.text, &e, word.span)))?;
            declared.extend(split.into_iter().map(|text| (text, word.span)));
        }
        for (text, span) in declared {
            let known = ports.len();
            let found = expose::ports(&text);
            if found.odd_case {
                let message = format!("Defined protocol '{text}' in EXPOSE instruction should be lowercase");
                self.check(lint::EXPOSE_PROTO_CASING, step.span, message);
            }
            if found.mapped {
                let message =
                    format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{text}'");
                self.check(lint::EXPOSE_INVALID_FORMAT, step.span, message);
            }
            ports.extend(found.ports.map_err(|why| {
                Box::new(
                    Diagnostic::new(codes::PORT, format!("`{text}` declares no port: {why}"))
                        .at(span)
                        .note("write `port`, `port/udp` or `first-last`"),
                )
            })?);
            self.builder.grow(PORT * (ports.len() - known))?;
        }
        self.commit(id, false, |_| format!("EXPOSE {}", format::list(&ports)));
        self.built[id].image.config.exposed_ports.extend(ports);
        Ok(())
    }

    fn stop_signal(&mut self, id: StageId, step: &StepRef<'_>, word: &Word) -> Result<(), Box<Diagnostic>> {
        let signal = self.expand(id, step, word)?;
        let name = signal.to_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let known = match signal.parse::<i64>() {
            Ok(number) => number != 0,
            Err(_) => SIGNALS.contains(&name) || is_realtime_signal(name),
        };
        if !known {
            let found = Diagnostic::new(codes::SIGNAL, format!("there is no signal `{signal}`")).at(word.span);
            return Err(Box::new(found.suggest(name, SIGNALS).note("write a name such as `SIGTERM`, or a number")));
        }
        self.commit(id, false, |_| format!("STOPSIGNAL {signal}"));
        self.built[id].image.config.stop_signal = signal;
        Ok(())
    }

    /// The arguments of CMD and ENTRYPOINT.
    fn default_command(&mut self, id: StageId, step: &StepRef<'_>, command: &CommandLine) -> Vec<String> {
        let args: Vec<String> = command.args.iter().map(|a| a.text.to_string()).collect();
        if !command.shell {
            return args;
        }
        if self.built[id].image.config.shell.is_empty() {
            let message = format!(
                "JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
                step.step.head.keyword
            );
            self.check(lint::JSON_ARGS_RECOMMENDED, step.span, message);
        }
        self.built[id].with_shell(&args)
    }

    // What every step needs.

    /// Adds an entry to the history of the stage's image, if that is seen.
    pub fn commit(&mut self, id: StageId, layer: bool, created_by: impl FnOnce(&Built) -> String) {
        let built = &mut self.built[id];
        if !built.in_result {
            return;
        }
        let created_by = created_by(built);
        // Who adds asks for the verdict when it can be told where.
        _ = self.builder.grow(created_by.len());
        built.image.history.push(History {
            created: self.model.scope.epoch.and_then(Time::from_unix),
            created_by,
            author: String::new(),
            comment: HISTORY_COMMENT.to_owned(),
            empty_layer: !layer,
        });
    }

    /// The name of a stage to show: without one of its own that of its base.
    fn shown_name(&self, id: StageId) -> &str {
        let name = &self.model.stages[id].display_name;
        if name.is_empty() { &self.built[id].base_name } else { name }
    }

    /// The stage, as the way back from a vertex names it.
    fn frame(&mut self, id: StageId) -> Frame {
        if let Some(frame) = &self.built[id].frame {
            return frame.clone();
        }
        let frame = Frame { name: self.shown_name(id).into(), span: self.model.stages[id].span };
        self.built[id].frame = Some(frame.clone());
        frame
    }

    pub fn located(&mut self, id: StageId, step: &StepRef<'_>, meta: Meta) -> Meta {
        let frame = self.frame(id);
        self.builder.located(meta, Some(step.span), frame, self.built[id].step)
    }

    /// What the progress display shows for a step: its text with variables expanded.
    pub fn step_name(&mut self, id: StageId, step: &StepRef<'_>, platform: Option<&Platform>) -> String {
        let name = self.step_text(id, step);
        self.prefix_step(id, step, &name, platform)
    }

    /// The text of a step with variables expanded, its instruction in upper case.
    pub fn step_text(&self, id: StageId, step: &StepRef<'_>) -> String {
        let code = &*step.step.head.code;
        let env = &self.built[id].env;
        match rbc_word::expand(code, self.model.scope.recipe.escape, env) {
            Ok(expansion) => upper_instruction(&expansion.text),
            Err(_) => upper_instruction(code),
        }
    }

    pub fn prefix_step(&mut self, id: StageId, step: &StepRef<'_>, text: &str, platform: Option<&Platform>) -> String {
        if step.on_build && self.model.stages[id].step_total > 0 {
            return self.prefix(id, &format!("ONBUILD {text}"), platform, true);
        }
        self.prefix(id, text, platform, true)
    }

    /// Puts `[linux/arm64->amd64 stage 3/10] ` in front of what is shown for the next step of a stage.
    fn prefix(&mut self, id: StageId, text: &str, platform: Option<&Platform>, in_stage: bool) -> String {
        let stage = &self.model.stages[id];
        let platform = platform.filter(|_| self.builder.options.multi_platform);
        if stage.step_total == 0 {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len() + stage.display_name.len() + PREFIX);
        out.push('[');
        if let Some(platform) = platform {
            out += &platform.format_all();
            if let Some(target) = platform_of_env(&self.built[id].env).filter(|_| in_stage) {
                out += &cross(platform, &target);
            }
            out.push(' ');
        }
        if !stage.display_name.is_empty() {
            out += &stage.display_name;
            out.push(' ');
        }
        let built = &mut self.built[id];
        built.shown += 1;
        let width = stage.step_total.ilog10() as usize + 1;
        _ = write!(out, "{:width$}/{}] ", built.shown, stage.step_total);
        out + text
    }

    /// Steps back the count of shown steps: the next vertex shows the same step.
    pub fn same_step(&mut self, id: StageId) {
        let built = &mut self.built[id];
        built.shown = built.shown.saturating_sub(1);
    }

    /// The file system of the build context.
    pub fn context(&mut self) -> Option<Ref> {
        if let Some(state) = &self.main.state {
            return state.out;
        }
        if self.context_vertex.is_none() {
            let directory = self.builder.context_directory(Vec::new(), &[]);
            self.context_vertex = Some(self.builder.local(&directory, named("[internal] load build context")));
        }
        self.context_vertex
    }

    /// Notes that a path of a stage's file system is used, if that comes from a directory of the client.
    pub fn use_path(&mut self, of: StageId, path: &str) {
        let owner = self.built[of].paths_of;
        if self.built[owner].narrow.is_some() {
            self.built[owner].used_paths.insert(path::join(&["/", path]));
        }
    }

    // The end.

    fn finish(mut self, reachable: &[bool]) -> Outcome {
        if !self.errors.is_empty() {
            return Outcome::Failed(self.errors);
        }
        let target = self.model.target;
        self.use_path(target, "/");
        if let Some(error) = violation(&self.model.scope.checks) {
            return Outcome::Failed(vec![error]);
        }
        self.narrow_sources();
        let result = self.built[target].state.out;
        let unbuildable = self.empty_run(result).or_else(|| self.undatable(target)).map(Box::new);
        let outline = Outline::collect(&self.model, target, |id| &self.built[id].capture);
        let mut ignore_cache = self.model.stages[target].no_cache;
        let mut scan = Vec::new();
        if self.built[target].scan_context {
            scan.push(("context".to_owned(), self.context()));
        }
        for id in (0..self.model.stages.len()).filter(|id| reachable[*id] && *id != target) {
            if self.built[id].scan_stage {
                scan.push((self.model.stages[id].display_name.clone(), self.built[id].state.out));
                ignore_cache |= self.model.stages[id].no_cache;
            }
        }
        // A mount without `from` has the empty image as its source, which says nothing.
        let named = |id: &StageId| !self.model.stages[*id].is_image() || self.built[*id].base_name != SCRATCH;
        let stages = (0..self.model.stages.len()).filter(named).map(|id| self.summary(id, reachable[id])).collect();
        let built = &mut self.built[target];
        let mut image = std::mem::take(&mut built.image);
        image.config.env = built.env.of_image();
        let options = self.builder.options;
        image.config.labels.extend(options.labels.iter().map(|(k, v)| (k.clone(), v.clone())));
        if let Some(wanted) = &self.model.scope.requested {
            let own = &mut image.platform;
            let same = wanted.os == own.os && wanted.architecture == own.architecture;
            own.os.clone_from(&wanted.os);
            own.architecture.clone_from(&wanted.architecture);
            if !wanted.variant.is_empty() || !same {
                own.variant.clone_from(&wanted.variant);
            }
            if !wanted.os_version.is_empty() || !same {
                own.os_version.clone_from(&wanted.os_version);
            }
            if !wanted.os_features.is_empty() {
                own.os_features.clone_from(&wanted.os_features);
            }
        }
        image.platform = image.platform.normalize();
        Outcome::Done(Box::new(Product {
            base_image: built.base_image.take().map(Rc::unwrap_or_clone),
            graph: self.builder.graph,
            result,
            image,
            epoch: self.model.scope.epoch,
            ignore_cache,
            scan,
            outline,
            unbuildable,
            stages,
        }))
    }

    /// Tells directories of the client which of their paths are used, so that no others are sent.
    fn narrow_sources(&mut self) {
        let mut paths = BTreeSet::new();
        for built in &mut self.built {
            paths.append(&mut built.context_paths);
        }
        if let Some(vertex) = self.context_vertex {
            let directory = self.builder.context_directory(follow_paths(&paths), &self.ignored.patterns);
            self.narrow(vertex, &directory);
        }
        for id in 0..self.built.len() {
            if let Some((vertex, mut directory)) = self.built[id].narrow.take() {
                directory.follow_paths = follow_paths(&self.built[self.built[id].paths_of].used_paths);
                self.narrow(vertex, &directory);
            }
        }
    }

    fn narrow(&mut self, vertex: Ref, directory: &Local) {
        let attrs = directory.attrs(self.builder.options);
        let caps = self.builder.caps;
        let node = self.builder.graph.node_mut(vertex.node);
        if let rbc_ir::Op::Source(source) = &mut node.op {
            source.attrs = attrs;
        }
        let (op, meta) = (node.op.clone(), &mut node.meta);
        rbc_ir::caps::require(&op, meta, caps);
    }

    fn summary(&self, id: StageId, needed: bool) -> StageSummary {
        let name = |id: StageId| self.shown_name(id).to_owned();
        let stage = &self.model.stages[id];
        StageSummary {
            name: name(id),
            platform: self.built[id].platform.as_deref().cloned(),
            base: stage.base.map_or_else(|| self.built[id].base_name.clone(), name),
            sources: stage.deps.iter().map(|(dep, _)| name(*dep)).filter(|n| n != SCRATCH).collect(),
            needed,
        }
    }

    /// The error of a time that an image's config cannot hold, if it should.
    fn undatable(&self, target: StageId) -> Option<Diagnostic> {
        let epoch = self.model.scope.epoch.filter(|epoch| Time::from_unix(*epoch).is_none())?;
        let history = &self.built[target].image.history;
        history.iter().find(|h| h.created.is_none() && h.comment == HISTORY_COMMENT)?;
        Some(
            Diagnostic::new(
                codes::EPOCH,
                format!("SOURCE_DATE_EPOCH is {epoch}, which is no time of the years 0 to 9999"),
            )
            .note("it is a number of seconds since 1970"),
        )
    }

    /// The error of a RUN without a command, if the result needs it.
    fn empty_run(&self, result: Option<Ref>) -> Option<Diagnostic> {
        if self.empty_runs.is_empty() {
            return None;
        }
        let mut needed = vec![false; self.builder.graph.len()];
        let mut open: Vec<_> = result.into_iter().map(|r| r.node).collect();
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut needed[id.index()], true) {
                self.builder.graph.node(id).op.each_ref(&mut |r| open.push(r.node));
            }
        }
        let (_, span) = self.empty_runs.iter().find(|(r, _)| needed[r.node.index()])?;
        Some(
            Diagnostic::new(codes::EMPTY_RUN, "this step runs nothing")
                .at(*span)
                .note("write a command behind RUN, or drop the step"),
        )
    }
}

impl Built {
    fn take(&mut self, loaded: Loaded) {
        self.state = loaded.state;
        self.narrow = loaded.narrow;
    }

    /// Takes in an argument for the history of commands.
    fn declare(&mut self, name: Rc<str>, value: Option<Rc<str>>) {
        match self.arg_places.entry(name.clone()) {
            Entry::Occupied(place) => self.args[*place.get()].1 = value,
            Entry::Vacant(place) => {
                place.insert(self.args.len());
                self.args.push((name, value));
            }
        }
    }

    /// Changes the working directory. Gives it with forward slashes.
    fn set_workdir(&mut self, dir: &str) -> Result<String, Diagnostic> {
        let os = self.platform.as_ref().map_or("", |p| &p.os).to_owned();
        let dir = path::normalize_workdir(&self.image.config.working_dir, dir, &os)
            .map_err(|e| Diagnostic::new(codes::PATH, format!("`{dir}` cannot be a working directory: {e}")))?;
        let unix = path::to_slash(&dir, &os).to_string();
        self.image.config.working_dir = dir;
        self.state.set_dir(&unix);
        Ok(unix)
    }

    /// A command for the shell of the stage.
    pub fn with_shell(&self, args: &[String]) -> Vec<String> {
        let mut command = match &self.image.config.shell[..] {
            [] if self.image.platform.os == "windows" => vec!["cmd".into(), "/S".into(), "/C".into()],
            [] => vec!["/bin/sh".into(), "-c".into()],
            shell => shell.to_vec(),
        };
        command.push(args.join(" "));
        command
    }
}

/// What steps look at of an image's config. The rest shows in the result only.
fn for_steps(image: &ImageConfig) -> ImageConfig {
    ImageConfig {
        platform: image.platform.clone(),
        config: oci::RunConfig {
            shell: image.config.shell.clone(),
            user: image.config.user.clone(),
            working_dir: image.config.working_dir.clone(),
            ..oci::RunConfig::default()
        },
        ..ImageConfig::default()
    }
}

/// The config of an image with nothing in it.
fn empty_image(platform: &Platform) -> ImageConfig {
    let mut image = ImageConfig {
        platform: platform.clone(),
        rootfs_type: "layers".to_owned(),
        config: oci::RunConfig { working_dir: "/".to_owned(), ..oci::RunConfig::default() },
        ..ImageConfig::default()
    };
    if platform.os != "windows" {
        image.config.env.push(format!("PATH={}", path::default_path_env(&platform.os)));
    }
    image
}

/// Paths that a transfer can be narrowed to, sorted; none if all is used.
fn follow_paths(paths: &BTreeSet<String>) -> Vec<String> {
    if paths.contains("/") {
        return Vec::new();
    }
    let mut paths: Vec<String> = paths.iter().map(|p| path::join(&[".", p])).collect();
    paths.sort_unstable();
    paths
}

fn healthcheck(check: &Healthcheck) -> oci::Healthcheck {
    match check {
        Healthcheck::None => oci::Healthcheck { test: vec!["NONE".to_owned()], ..oci::Healthcheck::default() },
        Healthcheck::Check { command, interval, timeout, start_period, start_interval, retries } => {
            let kind = if command.shell { "CMD-SHELL" } else { "CMD" };
            let args = command.args.iter().map(|a| a.text.to_string());
            oci::Healthcheck {
                test: std::iter::once(kind.to_owned()).chain(args).collect(),
                interval: *interval,
                timeout: *timeout,
                start_period: *start_period,
                start_interval: *start_interval,
                retries: *retries,
            }
        }
    }
}

/// The first word in upper case.
pub(crate) fn upper_instruction(text: &str) -> String {
    let end = text.find(' ').unwrap_or(text.len());
    match text[..end].bytes().all(|b| b.is_ascii_uppercase()) {
        true => text.to_owned(),
        false => text[..end].to_uppercase() + &text[end..],
    }
}

/// The platform that the variables of a stage say it builds for.
fn platform_of_env(env: &StageEnv) -> Option<Platform> {
    let whole = env.value("TARGETPLATFORM").map(|text| Platform::parse(text, &Platform::new("linux", "amd64")));
    if let Some(Ok(platform)) = whole {
        return Some(platform);
    }
    let parts = ["TARGETOS", "TARGETARCH", "TARGETVARIANT"].map(|name| env.value(name));
    if parts == [None; 3] {
        return None;
    }
    let [os, architecture, variant] = parts.map(|part| part.unwrap_or_default().to_owned());
    Some(Platform { os, architecture, variant, ..Platform::default() })
}

/// `->arch`, where a stage builds for another platform than it runs on.
fn cross(base: &Platform, target: &Platform) -> String {
    let mut target = target.clone();
    if target.os.is_empty() {
        target.os.clone_from(&base.os);
    }
    if target.architecture.is_empty() {
        target.architecture.clone_from(&base.architecture);
    }
    let target = target.normalize();
    if target.os != base.os {
        return format!("->{}", target.format_all());
    }
    if target.architecture == base.architecture {
        return String::new();
    }
    match target.variant.as_str() {
        "" => format!("->{}", target.architecture),
        variant => format!("->{}/{variant}", target.architecture),
    }
}

/// Whether a name looks like that of a secret (BuildKit's check SecretsUsedInArgOrEnv): it has one of some words between
/// underscores, and none of some others.
fn is_secret_name(name: &str) -> bool {
    const SECRET: [&str; 10] =
        ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
    const HARMLESS: [&str; 3] = ["public", "file", "version"];
    let has = |words: &[&str]| name.split('_').any(|part| words.iter().any(|w| eq_fold_ascii(part, w)));
    has(&SECRET) && !has(&HARMLESS)
}

/// Equality without regard to case. Two letters beyond ASCII fold to ASCII ones: ſ to s and K (Kelvin) to k.
fn eq_fold_ascii(text: &str, word: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    text.chars().map(fold).eq(word.chars())
}

/// How often images that triggers bring in may bring in others by triggers of their own.
const MOST_TRIGGER_ROUNDS: usize = 32;

/// For how many images that are not there others are suggested.
const MOST_SUGGESTIONS: usize = 4;

/// Names to suggest for an image that is not there.
const COMMON_IMAGES: [&str; 7] = ["alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora"];

const SIGNALS: [&str; 35] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN",
];

/// `RTMIN+1` to `RTMIN+15`, `RTMAX-14` to `RTMAX-1`, `RTMAX`.
fn is_realtime_signal(name: &str) -> bool {
    let within = |digits: &str, last: u32| {
        !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
            && digits.parse().is_ok_and(|n: u32| (1..=last).contains(&n))
    };
    name == "RTMAX"
        || name.strip_prefix("RTMIN+").is_some_and(|n| within(n, 15))
        || name.strip_prefix("RTMAX-").is_some_and(|n| within(n, 14))
}
