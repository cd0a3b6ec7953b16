//! COPY and ADD.

use rbc_ast::recipe::{Add, Copy, Transfer};
use rbc_context::git::GitRef;
use rbc_context::path;
use rbc_ir::{self as ir, ChownOpt, FileAction, Input, Merge, Op, ProgressGroup, Ref, caps};
use rbc_oci::Digest;
use rbc_sema::model::{StageId, StepRef, quote};
use rbc_source::{Diagnostic, Span, lint, lower as codes};

use crate::builder::{GitOptions, git_context, git_source, named, normalize_path, owner, with_command};
use crate::chmod::{self, Mode};
use crate::context::UNNAMED;
use crate::stage::Lowering;

/// A COPY or ADD, expanded.
struct Request {
    /// ADD: URLs and repositories are sources too.
    add: bool,
    /// The file system that paths are in.
    source: Option<Ref>,
    /// That is the context of the build, whose ignored files are checked.
    of_context: bool,
    paths: Vec<(String, Span)>,
    /// Name and content of inline files.
    files: Vec<(String, String)>,
    dest: String,
    dest_span: Span,
    chown: String,
    chmod: String,
    chmod_span: Span,
    link: bool,
    excludes: Vec<String>,
    parents: bool,
    checksum: String,
    checksum_span: Span,
    keep_git_dir: Option<bool>,
    unpack: Option<bool>,
}

/// What all parts of a copy have in common.
struct Common {
    owner: Option<ChownOpt>,
    mode: Option<Mode>,
    excludes: Vec<String>,
    dest: String,
    os: String,
    /// What progress displays show.
    name: String,
}

impl Common {
    fn copy(&self, src: impl Into<String>) -> ir::Copy {
        let mut copy = ir::Copy::new(src, &*self.dest);
        copy.owner.clone_from(&self.owner);
        copy.exclude_patterns.clone_from(&self.excludes);
        copy.create_dest_path = true;
        match &self.mode {
            None => {}
            Some(Mode::Octal(bits)) => copy.mode = *bits,
            Some(Mode::Symbolic(text)) => {
                copy.mode = 0;
                copy.mode_str.clone_from(text);
            }
        }
        copy
    }
}

impl<'a> Lowering<'a> {
    pub(crate) fn copy_step(&mut self, id: StageId, step: &StepRef<'a>, copy: &'a Copy) -> Result<(), Box<Diagnostic>> {
        let mut request = self.request(id, step, &copy.transfer, None)?;
        request.parents = copy.parents;
        match step.sources.first() {
            None => {
                request.source = self.context();
                request.of_context = true;
            }
            Some(source) => {
                if !self.built[*source].dispatched {
                    let from = copy.from.as_ref().map_or("", |f| &*f.text);
                    let span = copy.from.as_ref().map_or(step.span, |f| f.span);
                    return Err(Box::new(
                        Diagnostic::new(
                            codes::STAGE_ORDER,
                            format!("files cannot be copied from `{from}`: it comes later"),
                        )
                        .at(span)
                        .note("move the stage before this one"),
                    ));
                }
                request.source = self.built[*source].state.out;
            }
        }
        let paths = request.paths.clone();
        self.transfer(id, step, request)?;
        for (path, _) in paths {
            match step.sources.first() {
                None => _ = self.built[id].context_paths.insert(path::join(&["/", &path])),
                Some(source) => self.use_path(*source, &path),
            }
        }
        Ok(())
    }

    pub(crate) fn add_step(&mut self, id: StageId, step: &StepRef<'a>, add: &'a Add) -> Result<(), Box<Diagnostic>> {
        let mut request = self.request(id, step, &add.transfer, Some(add))?;
        request.source = self.context();
        request.of_context = true;
        let paths = request.paths.clone();
        self.transfer(id, step, request)?;
        for (path, _) in paths {
            if !path.starts_with("http://") && !path.starts_with("https://") {
                self.built[id].context_paths.insert(path::join(&["/", &path]));
            }
        }
        Ok(())
    }

    /// Expands the words of a COPY or ADD, in the reference's order.
    fn request(
        &mut self,
        id: StageId,
        step: &StepRef<'a>,
        transfer: &Transfer,
        add: Option<&Add>,
    ) -> Result<Request, Box<Diagnostic>> {
        let mut optional = |word: &Option<rbc_ast::recipe::Word>| match word {
            Some(word) => Ok::<_, Box<Diagnostic>>((self.expand(id, step, word)?, word.span)),
            None => Ok((String::new(), step.span)),
        };
        let (chown, _) = optional(&transfer.chown)?;
        let (chmod, chmod_span) = optional(&transfer.chmod)?;
        let (checksum, checksum_span) = optional(&add.and_then(|a| a.checksum.clone()))?;
        let mut paths = Vec::with_capacity(transfer.sources.len());
        for word in &transfer.sources {
            paths.push((self.expand(id, step, word)?, word.span));
        }
        let dest = self.expand(id, step, &transfer.dest)?;
        let mut files = Vec::with_capacity(transfer.files.len());
        for file in &transfer.files {
            let content = file.content();
            let content = if file.expand { self.expand_content(id, step, &content)? } else { content.into_owned() };
            files.push((file.name.to_string(), content));
        }
        Ok(Request {
            add: add.is_some(),
            source: None,
            of_context: false,
            paths,
            files,
            dest,
            dest_span: transfer.dest.span,
            chown,
            chmod,
            chmod_span,
            link: transfer.link,
            excludes: transfer.excludes.iter().map(|e| e.text.to_string()).collect(),
            parents: false,
            checksum,
            checksum_span,
            keep_git_dir: add.and_then(|a| a.keep_git_dir),
            unpack: add.and_then(|a| a.unpack),
        })
    }

    fn transfer(&mut self, id: StageId, step: &StepRef<'a>, mut request: Request) -> Result<(), Box<Diagnostic>> {
        let platform = self.built[id].platform.clone().unwrap_or_default();
        let bad_path = |e: rbc_context::path::PathError, span: Span| {
            Box::new(Diagnostic::new(codes::PATH, format!("this path cannot be: {e}")).at(span))
        };
        let dest = self.destination(id, &request.dest, &platform.os).map_err(|e| bad_path(e, request.dest_span))?;
        let mode = match request.chmod.as_str() {
            "" => None,
            text => Some(chmod::read(text).ok_or_else(|| {
                Box::new(
                    Diagnostic::new(codes::CHMOD, format!("`{text}` says no permissions"))
                        .at(request.chmod_span)
                        .note("write an octal number from 0 to 07777, or symbols such as `u=rwX,go=rX`"),
                )
            })?),
        };
        self.refuse_checksum(&request)?;
        let mut history = String::from(if request.add { "ADD" } else { "COPY" });
        if request.parents {
            history += " --parents";
        }
        for (flag, value) in [("chown", &request.chown), ("chmod", &request.chmod)] {
            if !value.is_empty() {
                history += &format!(" --{flag}={value}");
            }
        }
        let text = self.step_text(id, step);
        let name = self.prefix_step(id, step, &text, Some(&platform));
        // Linked files are copied onto nothing and laid over the stage, so that they do not depend on it.
        let linked = request.link && request.chmod.is_empty() && self.builder.caps.supports(caps::MERGE_OP);
        let base = if linked { None } else { self.built[id].state.out };
        let common = Common {
            owner: (!request.chown.is_empty()).then(|| owner(&request.chown, base.into())),
            mode,
            excludes: std::mem::take(&mut request.excludes),
            dest: normalize_path("/", &dest, true),
            os: platform.os.clone(),
            name: name.clone(),
        };
        let mut actions: Vec<FileAction> = Vec::new();
        let push = |actions: &mut Vec<FileAction>, from: Option<Ref>, copy: ir::Copy| {
            let input = match actions.len() {
                0 => base.into(),
                n => Input::Action(n as u32 - 1),
            };
            actions.push(FileAction::copy(input, from, copy));
        };
        let patterns: usize = common.excludes.iter().map(|e| size_of::<String>() + e.len()).sum();
        for (path, span) in std::mem::take(&mut request.paths) {
            // Each source has all patterns, and a vertex of its own if it is remote.
            self.builder.grow(patterns)?;
            history += &format!(" {path}");
            let (from, copy) = match git_context(&path) {
                Some(Err(why)) => return Err(Box::new(Diagnostic::new(codes::GIT, why).at(span))),
                Some(Ok(git)) if !git.indistinguishable_from_local => {
                    (self.repository(&git, &mut request, &common, span)?, common.copy("/"))
                }
                git if git.is_none() && is_url(&path) => self.download(&path, &request, &common, span)?,
                _ => (request.source, self.local_copy(step, &path, &request, &common).map_err(|e| bad_path(e, span))?),
            };
            push(&mut actions, from, copy);
        }
        for (file, content) in std::mem::take(&mut request.files) {
            self.builder.grow(patterns)?;
            history += &format!(" <<{file}");
            let file = path::check_drive(&file, &common.os, false).map_err(|e| bad_path(e, step.span))?.to_string();
            let from = self.builder.inline_file(&file, 0o644, &content);
            let src = path::join(&["/", &path::clean(&path::to_slash(&file, &common.os))]);
            push(&mut actions, Some(from), common.copy(src));
        }
        history += &format!(" {}", request.dest);
        let mut meta = named(name.clone());
        meta.ignore_cache = self.model.stages[id].no_cache;
        let mut meta = self.located(id, step, meta);
        let out = if linked {
            let group = self.builder.progress_group();
            self.same_step(id);
            let shown = self.prefix_step(id, step, &text, Some(&platform));
            let progress = |weak| Some(Box::new(ProgressGroup { id: group.clone(), name: shown.clone(), weak }));
            let mut merged = meta.clone();
            meta.progress_group = progress(true);
            let copied = self.builder.file(actions, meta);
            self.same_step(id);
            let link = self.prefix_step(id, step, &format!("LINK {text}"), Some(&platform));
            match self.built[id].state.out {
                // Laid over nothing, the files are the result.
                None => copied,
                Some(below) => {
                    merged.progress_group = progress(false);
                    merged.description.insert("llb.customname".into(), link);
                    let merge = Merge { inputs: vec![below, copied] };
                    self.builder.add(Op::Merge(merge), None, merged).out()
                }
            }
        } else {
            self.builder.file(actions, meta)
        };
        self.built[id].state.out = Some(out);
        self.commit(id, true, |_| history + " # buildkit");
        Ok(())
    }

    /// Where to: absolute; a trailing slash stays.
    fn destination(&self, id: StageId, dest: &str, os: &str) -> Result<String, rbc_context::path::PathError> {
        let dest = path::check_drive(dest, os, true)?;
        if path::is_abs(&dest, os) {
            return path::normalize("/", &dest, os, true);
        }
        let dest = if dest == "." || dest.is_empty() { "./" } else { &*dest };
        path::normalize(&self.built[id].state.dir, dest, os, true)
    }

    fn refuse_checksum(&self, request: &Request) -> Result<(), Box<Diagnostic>> {
        if request.checksum.is_empty() {
            return Ok(());
        }
        let why = match &request.paths[..] {
            [(path, _)] if is_url(path) || git_context(path).is_some_and(|g| g.is_ok()) => return Ok(()),
            [_] => "only an URL or git repository has a checksum",
            _ => "a checksum is for one source, and there are several",
        };
        Err(Box::new(Diagnostic::new(codes::CHECKSUM, why).at(request.checksum_span)))
    }

    fn repository(
        &mut self,
        git: &GitRef,
        request: &mut Request,
        common: &Common,
        span: Span,
    ) -> Result<Option<Ref>, Box<Diagnostic>> {
        if !request.add {
            return Err(Box::new(
                Diagnostic::new(codes::REMOTE_COPY, "COPY cannot take files from a git repository")
                    .at(span)
                    .note("use ADD"),
            ));
        }
        if let (Some(flag), Some(query)) = (request.keep_git_dir, git.keep_git_dir)
            && flag != query
        {
            let message = "`--keep-git-dir` says another thing than `keep-git-dir` in the reference";
            return Err(Box::new(Diagnostic::new(codes::GIT, message).at(span)));
        }
        request.keep_git_dir = git.keep_git_dir.or(request.keep_git_dir);
        if !git.checksum.is_empty() {
            if !request.checksum.is_empty() && request.checksum != git.checksum {
                let message =
                    format!("`--checksum` is `{}`, but the reference says `{}`", request.checksum, git.checksum);
                return Err(Box::new(Diagnostic::new(codes::CHECKSUM, message).at(span)));
            }
            request.checksum.clone_from(&git.checksum);
        }
        let options = GitOptions {
            keep_git_dir: request.keep_git_dir == Some(true),
            checksum: Some(request.checksum.clone()).filter(|c| !c.is_empty()),
            mtime: None,
            fetch_by_commit: git.fetch_by_commit,
        };
        let source = git_source(git, &options);
        Ok(Some(self.builder.source(source.identifier, source.attrs, None, named(&*common.name))))
    }

    fn download(
        &mut self,
        url: &str,
        request: &Request,
        common: &Common,
        span: Span,
    ) -> Result<(Option<Ref>, ir::Copy), Box<Diagnostic>> {
        if !request.add {
            return Err(Box::new(
                Diagnostic::new(codes::REMOTE_COPY, "COPY cannot take a file from an URL").at(span).note("use ADD"),
            ));
        }
        let filename = rbc_context::url::http_base(url).unwrap_or_else(|| UNNAMED.to_owned());
        let checksum = match request.checksum.as_str() {
            "" => None,
            text => Some(Digest::parse(text).map_err(|e| {
                Box::new(
                    Diagnostic::new(codes::CHECKSUM, format!("`{text}` is no checksum: {e}"))
                        .at(request.checksum_span)
                        .note("write `sha256:` and 64 hex digits"),
                )
            })?),
        };
        let meta = with_command(named(&*common.name), "");
        let from = self.builder.http(url, &filename, checksum.as_ref().map(Digest::as_str), meta);
        let mut copy = common.copy(path::join(&["/", &path::clean(&filename)]));
        copy.attempt_unpack = request.unpack.unwrap_or(false);
        Ok((Some(from), copy))
    }

    fn local_copy(
        &mut self,
        step: &StepRef<'_>,
        path: &str,
        request: &Request,
        common: &Common,
    ) -> Result<ir::Copy, rbc_context::path::PathError> {
        self.check_ignored(step, path, request);
        let mut src = path;
        let mut include = Vec::new();
        let mut required = Vec::new();
        if request.parents {
            // `/./` marks where the part that is kept begins.
            let (pivot, pattern) = path.split_once("/./").unwrap_or(("/", path));
            let pattern = path::normalize("/", pattern, &common.os, false)?;
            if !has_wildcard(pivot) && !has_wildcard(&pattern) {
                required.push(path::normalize("/", &path::join(&[pivot, &pattern]), &common.os, false)?);
            }
            include.push(pattern.strip_prefix('/').unwrap_or(&pattern).to_owned());
            src = pivot;
        }
        let src = path::normalize("/", src, &common.os, false)?;
        let mut copy = common.copy(path::join(&["/", &path::clean(&src)]));
        copy.follow_symlink = true;
        copy.dir_copy_contents = true;
        copy.include_patterns = include;
        copy.required_paths = required;
        copy.attempt_unpack = request.unpack.unwrap_or(request.add);
        copy.allow_wildcard = true;
        copy.allow_empty_wildcard = true;
        Ok(copy)
    }

    /// BuildKit's check CopyIgnoredFile. Patterns with exceptions say too little about a whole path.
    fn check_ignored(&mut self, step: &StepRef<'_>, path: &str, request: &Request) {
        let Some(matcher) = self.ignored.matcher.as_ref().filter(|m| request.of_context && !m.exclusions()) else {
            return;
        };
        let path = path::clean(path);
        if path == "." || path == "/" {
            let all = |p: &str| matches!(p, "*" | "**" | "**/*");
            if !matcher.patterns().iter().any(|p| !p.exclusion() && all(p.text())) {
                return;
            }
        }
        if matches!(matcher.matches_or_parent_matches(&path), Ok(true)) {
            let verb = if request.add { "Add" } else { "Copy" };
            let message = format!("Attempting to {verb} file {} that is excluded by .dockerignore", quote(&path));
            self.check(lint::COPY_IGNORED_FILE, step.span, message);
        }
    }
}

fn is_url(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

fn has_wildcard(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'*' | b'?' | b'[' => return true,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    false
}
