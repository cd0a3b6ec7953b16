//! Where files come from that are no result of a stage: the build context, and contexts with a name.

use rbc_context::NamedContext as Place;
use rbc_context::git::Mtime;
use rbc_ir::{Action, Copy, FileAction, Input, Ref};
use rbc_oci::{ImageConfig, Reference};
use rbc_sema::model::{EpochSource, NamedContext, SCRATCH};
use rbc_source::{Diagnostic, lower as codes};

use crate::builder::{self, Builder, GitOptions, Local, git_context, git_source, http_source, named};
use crate::questions::{Answers, ImageQuestion, Question, SourceQuestion};
use crate::state::State;

/// Why lowering cannot go on: a fact is missing, or something is wrong.
#[derive(Debug)]
pub(crate) enum Stop {
    Ask(Box<Question>),
    Error(Box<Diagnostic>),
}

impl From<Box<Diagnostic>> for Stop {
    fn from(error: Box<Diagnostic>) -> Self {
        Stop::Error(error)
    }
}

/// The context of a build.
#[derive(Clone, Debug)]
pub(crate) struct MainContext {
    /// Its file system, unless it is a directory of the client, of which only what is used is sent.
    pub state: Option<State>,
    /// The source that a remote one comes from.
    pub source: Option<SourceQuestion>,
    /// Name of the recipe's file.
    pub filename: String,
    /// File system that the recipe comes from.
    pub recipe: Option<State>,
}

/// The default name of a recipe.
const FILENAME: &str = "Dockerfile";

impl Builder<'_> {
    fn attr(&self, key: &str) -> Option<&str> {
        self.options.attrs.get(key).map(String::as_str)
    }

    /// Finds the context of the build (BuildKit's `dockerui/context.go`).
    pub fn main_context(&mut self, answers: &Answers) -> Result<MainContext, Stop> {
        let mut context = MainContext {
            state: None,
            source: None,
            filename: self.attr("filename").unwrap_or(FILENAME).to_owned(),
            recipe: None,
        };
        let recipe_local = self.attr("dockerfilekey").map(str::to_owned);
        let place = self.attr(self.attr("contextkey").unwrap_or("context")).unwrap_or_default().to_owned();
        if let Some(git) = git_context(&place) {
            let git = git.map_err(|why| bad_context(&place, &why))?;
            let keep = self.attr("build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR").and_then(rbc_source::go_bool);
            let dated = self.attr("build-arg:SOURCE_DATE_EPOCH").is_some_and(|v| !v.is_empty());
            let source = git_context_source(&git, keep, dated);
            let meta = named(format!("[internal] load git source {place}"));
            context.state =
                Some(State::of(Some(self.source(source.identifier.clone(), source.attrs.clone(), None, meta))));
            context.source = Some(source);
            context.recipe.clone_from(&context.state);
        } else if place.starts_with("http://") || place.starts_with("https://") {
            let archive = match answers.archives.get(&place) {
                None => return Err(Stop::Ask(Box::new(Question::Archive(place)))),
                Some(answer) => *answer.as_ref().map_err(|e| Box::new(e.clone()))?,
            };
            let source = http_source(&place, "context", None);
            let meta = named("[internal] load remote build context");
            let file = self.source(source.identifier.clone(), source.attrs.clone(), None, meta);
            let out = if archive {
                let copy = Copy { attempt_unpack: true, ..Copy::new("/context", "/") };
                let unpack = FileAction {
                    input: Input::Scratch,
                    secondary: Input::Ref(file),
                    output: None,
                    action: Action::Copy(Box::new(copy)),
                };
                self.file(vec![unpack], rbc_ir::Meta::default())
            } else {
                context.filename = "context".to_owned();
                file
            };
            context.state = Some(State::of(Some(out)));
            context.source = Some(source);
            context.recipe.clone_from(&context.state);
        } else {
            if recipe_local.is_none() {
                context.recipe = self.input("dockerfile", answers);
            }
            context.state = self.input("context", answers);
        }
        if let (Some(state), Some(dir)) = (&context.state, self.attr("contextsubdir").map(str::to_owned)) {
            let out = self.subdirectory(state.out, &dir);
            context.state = Some(State::of(Some(out)));
        }
        if recipe_local.is_some() || context.recipe.is_none() {
            context.recipe =
                Some(self.recipe_directory(recipe_local.as_deref().unwrap_or("dockerfile"), &context.filename));
        }
        Ok(context)
    }

    /// The client's directory with the recipe.
    fn recipe_directory(&mut self, local: &str, filename: &str) -> State {
        let mut paths = vec![filename.to_owned(), format!("{filename}.dockerignore")];
        let (dir, base) = filename.rsplit_once('/').unwrap_or((".", filename));
        if base == FILENAME {
            paths.push(rbc_context::path::join(&[dir, &FILENAME.to_lowercase()]));
        }
        let directory = Local {
            name: local.to_owned(),
            shared_key: local.to_owned(),
            follow_paths: paths,
            no_differ: true,
            ..Local::default()
        };
        let meta = named(format!("[internal] load build definition from {filename}"));
        State::of(Some(self.local(&directory, meta)))
    }

    /// The client's directory of the build, as far as its paths are used.
    pub fn context_directory(&self, follow_paths: Vec<String>, exclude: &[String]) -> Local {
        Local {
            name: "context".to_owned(),
            shared_key: "context".to_owned(),
            follow_paths,
            exclude: exclude.to_vec(),
            ..Local::default()
        }
    }

    fn input(&mut self, name: &str, answers: &Answers) -> Option<State> {
        let input = answers.inputs.get(name)?;
        let out = input.result.map(|result| self.graph.graft(&input.graph, result));
        let mut state = State::of(out);
        let platform = out.and_then(|r| self.graph.get(r.node)).and_then(|n| n.platform.as_deref().cloned());
        state.platform = platform.map(|p| {
            let (os, architecture) = (p.os, p.architecture);
            rbc_oci::Platform {
                variant: p.variant,
                os_version: p.os_version,
                os_features: p.os_features,
                ..rbc_oci::Platform::new(os, architecture)
            }
            .normalize()
            .into()
        });
        Some(state)
    }

    /// Loads a named context: its state, its image's config if it is one, and for a directory of the client the vertex that
    /// is to be narrowed to the paths used (BuildKit's `dockerui/namedcontext.go`).
    pub fn named_context(&mut self, context: &NamedContext, answers: &Answers) -> Result<Loaded, Stop> {
        let NamedContext { input, key, .. } = context;
        let place = Place::parse(input).map_err(|e| {
            let found = Diagnostic::new(codes::CONTEXT, format!("the context `{key}` is not well formed: {e}"));
            Box::new(found.note(CONTEXT_FORMS))
        })?;
        match place {
            Place::Image(image) => self.image_context(context, &image, answers),
            Place::OciLayout(layout) => self.layout_context(context, &layout, answers),
            Place::Git(git) => {
                let source = git_context_source(&git, None, false);
                let meta = named(format!("[internal] load git source {input}"));
                Ok(Loaded::files(self.source(source.identifier, source.attrs, None, meta)))
            }
            Place::Http(url) => {
                Ok(Loaded::files(self.http(&url, "context", None, named(format!("[context {key}] {url}")))))
            }
            Place::Local(local) => {
                let exclude = match answers.ignores.get(&local) {
                    None => return Err(Stop::Ask(Box::new(Question::Ignore(local)))),
                    Some(None) => Vec::new(),
                    Some(Some(text)) => read_ignore(text, &format!("{local}/.dockerignore"))?,
                };
                let directory = Local {
                    name: local,
                    shared_key: format!("context:{key}-{}", context.shared_key),
                    exclude,
                    ..Local::default()
                };
                let out = self.local(&directory, named(format!("[context {key}] load from client")));
                Ok(Loaded { narrow: Some((out, directory)), ..Loaded::files(out) })
            }
            Place::Input(name) => {
                let Some(mut state) = self.input(&name, answers) else {
                    return Err(no_such("input", key, &name).into());
                };
                let image = answers.inputs.get(&name).and_then(|i| i.config.clone());
                if let Some(image) = &image {
                    state.apply(image);
                }
                Ok(Loaded { state, image, question: None, narrow: None })
            }
            // Who plans a build of several targets puts their results in their place.
            Place::Target(name) => Err(no_such("target", key, &name).into()),
        }
    }

    fn image_context(&mut self, context: &NamedContext, image: &str, answers: &Answers) -> Result<Loaded, Stop> {
        if image == SCRATCH {
            return Ok(Loaded { state: State::scratch(), image: None, question: None, narrow: None });
        }
        let reference = Reference::parse_normalized(image).map_err(|e| Box::new(e.diagnostic(image)))?;
        let question = ImageQuestion {
            reference: reference.with_default_tag().to_string(),
            platform: context.platform.clone(),
            mode: self.options.resolve_mode,
            layout: None,
        };
        let found = ask(answers, question.clone())?;
        // The reference is the one that was found, without its digest, and the mode is left to the backend.
        let name =
            Reference::parse_normalized(&found.reference).map_err(|e| Box::new(e.diagnostic(&found.reference)))?;
        let meta = named(format!("[context {}] {image}", context.key));
        let mode = rbc_sema::options::ResolveMode::Default;
        let out = self.image(&name.with_default_tag().to_string(), mode, context.platform.as_ref(), meta);
        // The time is left out here and not for a layout, which shows in the config of the base.
        Ok(Loaded::image(out, context, &ImageConfig { created: None, ..found.config.clone() }, question))
    }

    fn layout_context(&mut self, context: &NamedContext, place: &str, answers: &Answers) -> Result<Loaded, Stop> {
        let reference = Reference::parse(place).map_err(|e| Box::new(e.diagnostic(place)))?;
        let Some(digest) = reference.digest() else {
            return Err(Box::new(
                Diagnostic::new(codes::CONTEXT, format!("the OCI layout `{place}` is given without a digest"))
                    .note("write `oci-layout://store@sha256:...`"),
            )
            .into());
        };
        let store = reference.clone().without_tag_and_digest().to_string();
        let shown = Reference::parse_normalized(&context.name)
            .map_err(|e| Box::new(e.diagnostic(&context.name)))?
            .with_digest(digest.clone())
            .to_string();
        let question = ImageQuestion {
            reference: shown.clone(),
            platform: context.platform.clone(),
            mode: Default::default(),
            layout: Some(store.clone()),
        };
        let found = ask(answers, question.clone())?;
        let mut attrs = std::collections::BTreeMap::from([("oci.store".to_owned(), store)]);
        if let Some(session) = self.options.surroundings.session.as_deref().filter(|s| !s.is_empty()) {
            attrs.insert("oci.session".to_owned(), session.to_owned());
        }
        let meta = named(format!("[context {}] OCI load from client", context.key));
        let out = self.source(format!("oci-layout://{shown}"), attrs, context.platform.as_ref(), meta);
        Ok(Loaded::image(out, context, &found.config, question))
    }

    /// Where the time of SOURCE_DATE_EPOCH comes from; none if that has no time.
    pub fn epoch_question(
        &mut self,
        source: &EpochSource,
        main: &MainContext,
        answers: &Answers,
    ) -> Result<Option<SourceQuestion>, Stop> {
        match source {
            EpochSource::None | EpochSource::Fixed(_) => Ok(None),
            EpochSource::MainContext => Ok(main.source.clone()),
            EpochSource::Context(context) => {
                let loaded = self.named_context(context, answers)?;
                let node = loaded.state.out.and_then(|r| self.graph.get(r.node));
                Ok(node.and_then(|node| match &node.op {
                    rbc_ir::Op::Source(s) if is_dated(&s.identifier) => {
                        Some(SourceQuestion { identifier: s.identifier.clone(), attrs: s.attrs.clone() })
                    }
                    _ => None,
                }))
            }
            EpochSource::Stage { source, checksum, keep_git_dir, span } => match git_context(source) {
                Some(git) => {
                    let git = git.map_err(|why| Box::new(Diagnostic::new(codes::GIT, why).at(*span)))?;
                    if git.indistinguishable_from_local {
                        return Err(not_remote(source, *span).into());
                    }
                    let options = GitOptions {
                        keep_git_dir: *keep_git_dir || git.keep_git_dir == Some(true),
                        checksum: checksum.clone().or_else(|| Some(git.checksum.clone()).filter(|c| !c.is_empty())),
                        ..GitOptions::default()
                    };
                    Ok(Some(git_source(&git, &options)))
                }
                None if is_dated(source) => {
                    let filename = rbc_context::url::http_base(source).unwrap_or_else(|| UNNAMED.to_owned());
                    Ok(Some(http_source(source, &filename, checksum.as_deref())))
                }
                None => Err(not_remote(source, *span).into()),
            },
        }
    }
}

/// Name of a download whose URL has none.
pub(crate) const UNNAMED: &str = "__unnamed__";

const CONTEXT_FORMS: &str = "a context is a directory, `docker-image://REF`, `oci-layout://STORE@DIGEST`, a git repository, \
                             an URL, or `target:NAME` of another bake target";

fn no_such(kind: &str, key: &str, name: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(codes::CONTEXT, format!("the context `{key}` is the {kind} `{name}`, which there is not")))
}

fn is_dated(identifier: &str) -> bool {
    ["git://", "http://", "https://"].iter().any(|scheme| identifier.starts_with(scheme))
}

fn not_remote(source: &str, span: rbc_source::Span) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(codes::EPOCH, format!("`{source}` gives SOURCE_DATE_EPOCH no time"))
            .at(span)
            .note("it must be the URL of a file or git repository"),
    )
}

fn bad_context(place: &str, why: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(codes::CONTEXT, format!("the build context `{place}` is not well formed: {why}")))
}

/// Reads a `.dockerignore`.
pub(crate) fn read_ignore(text: &str, name: &str) -> Result<Vec<String>, Box<Diagnostic>> {
    rbc_context::ignore::read(text)
        .map_err(|e| Box::new(Diagnostic::new(codes::IGNORE, format!("`{name}` is not well formed: {e}"))))
}

fn git_context_source(git: &rbc_context::git::GitRef, keep: Option<bool>, dated: bool) -> SourceQuestion {
    let options = GitOptions {
        keep_git_dir: git.keep_git_dir == Some(true) || keep == Some(true),
        checksum: Some(git.checksum.clone()).filter(|c| !c.is_empty()),
        mtime: git.mtime.or(dated.then_some(Mtime::Commit)),
        fetch_by_commit: git.fetch_by_commit,
    };
    builder::git_source(git, &options)
}

/// A named context, loaded.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub state: State,
    /// The config of its image.
    pub image: Option<ImageConfig>,
    /// The question whose answer has the triggers of its image.
    pub question: Option<ImageQuestion>,
    /// The vertex of a directory, to be narrowed when it is known what is used of it.
    pub narrow: Option<(Ref, Local)>,
}

impl Loaded {
    fn files(out: Ref) -> Loaded {
        Loaded { state: State::of(Some(out)), image: None, question: None, narrow: None }
    }

    fn image(out: Ref, context: &NamedContext, config: &ImageConfig, question: ImageQuestion) -> Loaded {
        let mut state = State::of(Some(out));
        state.platform = context.platform.as_ref().map(|p| p.normalize().into());
        state.apply(config);
        Loaded { state, image: Some(config.clone()), question: Some(question), narrow: None }
    }
}

/// An image, if it is known.
pub(crate) fn ask(answers: &Answers, question: ImageQuestion) -> Result<&crate::questions::Image, Stop> {
    match answers.images.get(&question) {
        None => Err(Stop::Ask(Box::new(Question::Image(question)))),
        Some(Err(error)) => Err(Stop::Error(Box::new(error.clone()))),
        Some(Ok(image)) => Ok(image),
    }
}
