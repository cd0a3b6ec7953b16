//! Adding vertices to the graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use rbc_context::git::{GitParse, GitRef, GitUrl, GitUrlError, Mtime};
use rbc_ir::{
    Action, CapSet, ChownOpt, Copy, File, FileAction, Frame, Graph, Input, Location, Meta, Mkfile, NodeId, Op, Origin,
    Range, Ref, Source, UserOpt, caps,
};
use rbc_oci::{Platform, json_strings};
use rbc_sema::Growth;
use rbc_sema::options::{Options, ResolveMode};
use rbc_source::{Diagnostic, SourceFile, Span, lower as codes};

use crate::questions::SourceQuestion;
use crate::weight;

/// The graph under construction, with what every vertex needs.
#[derive(Debug)]
pub(crate) struct Builder<'a> {
    pub graph: Graph,
    pub caps: &'a CapSet,
    pub options: &'a Options,
    /// The platform of vertices that have none of their own.
    platform: Arc<rbc_ir::Platform>,
    file: &'a SourceFile,
    /// Index of the file among the sources of the graph.
    source: u32,
    progress_groups: u32,
    /// What the graph may grow to.
    growth: Growth,
}

/// The description that progress displays show.
pub(crate) fn named(name: impl Into<String>) -> Meta {
    let mut meta = Meta::default();
    meta.description.insert("llb.customname".into(), name.into());
    meta
}

/// The instruction that a vertex stands for.
pub(crate) fn with_command(mut meta: Meta, command: &str) -> Meta {
    meta.description.insert("com.docker.dockerfile.v1.command".into(), command.to_owned());
    meta
}

/// A platform in the graph's own form.
pub(crate) fn ir_platform(p: &Platform) -> rbc_ir::Platform {
    rbc_ir::Platform {
        os: p.os.clone(),
        architecture: p.architecture.clone(),
        variant: p.variant.clone(),
        os_version: p.os_version.clone(),
        os_features: p.os_features.clone(),
    }
}

impl<'a> Builder<'a> {
    pub fn new(file: &'a SourceFile, caps: &'a CapSet, options: &'a Options, platform: &Platform) -> Self {
        let platform = ir_platform(platform).into();
        let growth = Growth::of_text(file.bytes().len());
        Builder { graph: Graph::new(), caps, options, platform, file, source: 0, progress_groups: 0, growth }
    }

    /// Notes that the build has grown by as many bytes, beside what vertices weigh.
    ///
    /// # Errors
    /// It has grown too large.
    pub fn grow(&self, bytes: usize) -> Result<(), Box<Diagnostic>> {
        if self.growth.add(bytes) {
            return Ok(());
        }
        let found = Diagnostic::new(codes::TOO_LARGE, "the build grows too large for any backend");
        Err(Box::new(found.note(
            "each command holds all variables and its whole text: a long list of those in front of a long list of commands multiplies",
        )))
    }

    /// Says where the recipe's text came from. Must be called before any location is made.
    pub fn set_source(&mut self, filename: &str, state: Option<Ref>) {
        self.source = self.graph.add_source(rbc_ir::SourceInfo {
            filename: filename.to_owned(),
            language: "Dockerfile".to_owned(),
            data: Arc::from(self.file.bytes()),
            state,
        });
    }

    /// Adds a vertex. One of a kind that has a platform gets that of the build unless it has its own.
    pub fn add(&mut self, op: Op, platform: Option<&Platform>, mut meta: Meta) -> NodeId {
        caps::require(&op, &mut meta, self.caps);
        // Who adds asks for the verdict when it can be told where.
        _ = self.growth.add(weight::of(&op, &meta));
        let specific = match &op {
            Op::Exec(_) => true,
            Op::Source(s) => s.identifier.starts_with("docker-image://") || s.identifier.starts_with("oci-layout://"),
            _ => false,
        };
        let platform = specific.then(|| self.platform_of(platform));
        self.graph.add(op, platform, meta)
    }

    /// A platform, or that of the build. Most are that.
    fn platform_of(&self, platform: Option<&Platform>) -> Arc<rbc_ir::Platform> {
        match platform.map(ir_platform) {
            Some(platform) if platform != *self.platform => platform.into(),
            _ => self.platform.clone(),
        }
    }

    /// The lines of a span as the reference gives them: one range a line.
    pub fn location(&self, span: Option<Span>) -> Location {
        let ranges = span.map_or_else(Vec::new, |span| {
            let (first, last) = self.file.lines_of(span);
            (first..=last).map(|line| Range::line(line as i32 + 1)).collect()
        });
        Location { source: self.source, ranges }
    }

    /// Metadata that says which step a vertex is of.
    pub fn located(&self, mut meta: Meta, span: Option<Span>, stage: Frame, step: u32) -> Meta {
        // Few vertices ever get a second place.
        meta.locations = vec![self.location(span)];
        meta.origins = vec![Origin { target: None, stage: Some(stage), step, span }];
        meta
    }

    /// A fresh id for vertices that are shown as one.
    pub fn progress_group(&mut self) -> String {
        self.progress_groups += 1;
        format!("pg{}", self.progress_groups - 1)
    }

    pub fn source(
        &mut self,
        identifier: String,
        attrs: BTreeMap<String, String>,
        platform: Option<&Platform>,
        meta: Meta,
    ) -> Ref {
        self.add(Op::Source(Source { identifier, attrs }), platform, meta).out()
    }

    /// An image of a registry.
    pub fn image(&mut self, reference: &str, mode: ResolveMode, platform: Option<&Platform>, meta: Meta) -> Ref {
        let mut attrs = BTreeMap::new();
        if mode != ResolveMode::Default {
            attrs.insert("image.resolvemode".to_owned(), mode.as_str().to_owned());
        }
        self.source(format!("docker-image://{reference}"), attrs, platform, meta)
    }

    /// A download.
    pub fn http(&mut self, url: &str, filename: &str, checksum: Option<&str>, meta: Meta) -> Ref {
        let source = http_source(url, filename, checksum);
        self.source(source.identifier, source.attrs, None, meta)
    }

    /// Files of a directory of the client.
    pub fn local(&mut self, local: &Local, meta: Meta) -> Ref {
        let attrs = local.attrs(self.options);
        self.source(format!("local://{}", local.name), attrs, None, meta)
    }

    /// A file op on `base`.
    pub fn file(&mut self, actions: Vec<FileAction>, meta: Meta) -> Ref {
        let mut actions = actions;
        if let Some(last) = actions.last_mut() {
            last.output = Some(0);
        }
        self.add(Op::File(File { actions }), None, meta).out()
    }

    /// A file system with one file.
    pub fn inline_file(&mut self, path: &str, mode: i32, data: &str) -> Ref {
        let file = Mkfile {
            path: normalize_path("/", path, false),
            mode,
            data: data.as_bytes().to_vec(),
            owner: None,
            timestamp: -1,
        };
        let action = FileAction::on(Input::Scratch, Action::Mkfile(file));
        self.file(vec![action], named("[internal] preparing inline document"))
    }

    /// The content of `dir` in `from`, as a file system of its own.
    pub fn subdirectory(&mut self, from: Option<Ref>, dir: &str) -> Ref {
        let src = rbc_context::path::join(&["/", dir]);
        let copy = Copy { dir_copy_contents: true, ..Copy::new(src, "/") };
        self.file(vec![FileAction::copy(Input::Scratch, from, copy)], Meta::default())
    }
}

/// A download as a source.
pub(crate) fn http_source(url: &str, filename: &str, checksum: Option<&str>) -> SourceQuestion {
    let mut attrs = BTreeMap::from([("http.filename".to_owned(), filename.to_owned())]);
    if let Some(checksum) = checksum {
        attrs.insert("http.checksum".to_owned(), checksum.to_owned());
    }
    SourceQuestion { identifier: url.to_owned(), attrs }
}

/// What is taken of a git repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct GitOptions {
    pub keep_git_dir: bool,
    pub checksum: Option<String>,
    pub mtime: Option<Mtime>,
    pub fetch_by_commit: bool,
}

/// A git repository as a source: the identifier names host and path whatever the protocol, so that equal repositories are
/// one (client/llb/source.go, `Git`).
pub(crate) fn git_source(git: &GitRef, options: &GitOptions) -> SourceQuestion {
    let mut url = git.remote.clone();
    let mut parsed = GitUrl::parse(&url);
    if parsed == Err(GitUrlError::UnknownProtocol) {
        url = format!("https://{url}");
        parsed = GitUrl::parse(&url);
    }
    let mut attrs = BTreeMap::new();
    let mut set = |key: &str, value: &str| {
        attrs.insert(key.to_owned(), value.to_owned());
    };
    let mut identifier = url.clone();
    if let Ok(parsed) = &parsed {
        url.clone_from(&parsed.remote);
        identifier = parsed.host.clone() + &rbc_context::path::join(&["/", &parsed.path]);
        if !git.reference.is_empty() || !git.subdir.is_empty() {
            identifier = format!("{identifier}#{}", git.reference);
            if !git.subdir.is_empty() {
                identifier = format!("{identifier}:{}", git.subdir);
            }
        }
        if parsed.scheme == "ssh" {
            set("git.mountsshsock", "default");
        }
    }
    if options.keep_git_dir {
        set("git.keepgitdir", "true");
    }
    if !url.is_empty() {
        set("git.fullurl", &url);
    }
    set("git.authtokensecret", "GIT_AUTH_TOKEN");
    set("git.authheadersecret", "GIT_AUTH_HEADER");
    if let Some(checksum) = &options.checksum {
        set("git.checksum", checksum);
    }
    if git.submodules == Some(false) {
        set("git.skipsubmodules", "true");
    }
    if let Some(mtime) = &options.mtime {
        set("git.mtime", mtime.as_str());
    }
    if options.fetch_by_commit {
        set("git.fetchbycommit", "true");
    }
    SourceQuestion { identifier: format!("git://{identifier}"), attrs }
}

/// Reads a git reference that is a context: only what is surely one counts.
pub(crate) fn git_context(text: &str) -> Option<Result<GitRef, String>> {
    match rbc_context::git::parse(text) {
        GitParse::NotGit => None,
        GitParse::Invalid(why) => Some(Err(why)),
        GitParse::Git(git) => Some(Ok(git)),
    }
}

/// A directory of the client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local {
    pub name: String,
    /// Whose session, if not that of `name`.
    pub session_of: Option<String>,
    pub shared_key: String,
    pub follow_paths: Vec<String>,
    pub exclude: Vec<String>,
    /// Everything is transferred, without a comparison of metadata.
    pub no_differ: bool,
}

impl Local {
    pub fn attrs(&self, options: &Options) -> BTreeMap<String, String> {
        let mut attrs = BTreeMap::new();
        let mut set = |key: &str, value: String| {
            attrs.insert(key.to_owned(), value);
        };
        match options.session_of(self.session_of.as_ref().unwrap_or(&self.name)).filter(|s| !s.is_empty()) {
            Some(session) => set("local.session", session.to_owned()),
            None => set("local.unique", options.surroundings.unique.clone()),
        }
        if !self.follow_paths.is_empty() {
            set("local.followpaths", json_strings(&self.follow_paths));
        }
        if !self.exclude.is_empty() {
            set("local.excludepatterns", json_strings(&self.exclude));
        }
        if !self.shared_key.is_empty() {
            set("local.sharedkeyhint", self.shared_key.clone());
        }
        if self.no_differ {
            set("local.differ", "none".to_owned());
        }
        attrs
    }
}

/// A path of a file action: absolute and clean; a trailing slash means a directory and stays if `keep_slash`
/// (client/llb/fileop.go, `normalizePath`).
pub(crate) fn normalize_path(parent: &str, path: &str, keep_slash: bool) -> String {
    let mut clean = rbc_context::path::clean(path);
    if !clean.starts_with('/') {
        clean = rbc_context::path::join(&["/", parent, &clean]);
    }
    if keep_slash {
        if path.ends_with('/') && !clean.ends_with('/') {
            clean.push('/');
        } else if path.ends_with("/.") {
            if clean != "/" {
                clean.push('/');
            }
            clean.push('.');
        }
    }
    clean
}

/// Reads `user[:group]`; names are looked up in `input`.
pub(crate) fn owner(text: &str, input: Input) -> ChownOpt {
    let one = |name: &str| -> UserOpt {
        let id = if name == "root" { Some(0) } else { name.parse::<i32>().ok() };
        match id {
            Some(id) => UserOpt::Id(id as u32),
            None if name.is_empty() => UserOpt::Id(0),
            None => UserOpt::Name { name: name.to_owned(), input },
        }
    };
    let (user, group) = text.split_once(':').map_or((text, None), |(u, g)| (u, Some(g)));
    ChownOpt { user: Some(one(user)), group: group.map(one) }
}
