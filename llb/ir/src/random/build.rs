//! Random builds: graphs such as Dockerfiles give, with few paths, so that steps get in each other's way.

use std::collections::BTreeMap;

use rbc_oci::json_strings;

use super::Rng;
use crate::{
    Action, CacheMount, ChownOpt, Copy, Diff, Exec, ExecMeta, File, FileAction, Frame, Graph, Input, Merge, Meta,
    Mkdir, Mkfile, Mount, MountKind, Op, Origin, Passthrough, Platform, ROOT_MOUNT, Ref, Rm, Root, Source, Symlink,
    UserOpt,
};

/// The names that paths are made of.
pub const NAMES: &[&str] = &["a", "b", "c", "d.md"];

/// The images that builds start from, by identifier. The first two are one image.
pub const IMAGES: &[&str] = &[
    "docker-image://docker.io/library/base:1@sha256:00000000000000000000000000000000000000000000000000000000000000aa",
    "docker-image://docker.io/library/base:latest@sha256:00000000000000000000000000000000000000000000000000000000000000aa",
    "docker-image://docker.io/library/tool:2",
];

/// A random build of up to `size` steps. It keeps every invariant of [`crate::verify`].
pub fn build(rng: &mut Rng, size: usize) -> Graph {
    let mut make = Make {
        graph: Graph::new(),
        stages: Vec::new(),
        files: Vec::new(),
        local: Vec::new(),
        made: Vec::new(),
        slow: Vec::new(),
    };
    for _ in 0..1 + rng.below(3) {
        make.local(rng);
    }
    for at in 0..2 + rng.below(3) {
        make.stage(rng, at, size);
    }
    for at in 0..1 + rng.below(3) {
        let result = if rng.one_in(12) { None } else { make.any(rng) };
        make.graph.roots.push(Root { name: format!("t{at}"), platform: None, result });
    }
    // The last stage is what is mostly built.
    make.graph.roots[0].result = make.stages.last().copied().flatten();
    make.graph
}

struct Make {
    graph: Graph,
    /// What each stage came to.
    stages: Vec<Option<Ref>>,
    /// What other steps may copy from.
    files: Vec<Ref>,
    local: Vec<Ref>,
    /// Where copies put what they copied.
    made: Vec<(Ref, String)>,
    /// What commands made.
    slow: Vec<Ref>,
}

impl Make {
    fn add(&mut self, op: Op, platform: Option<Platform>, meta: Meta) -> Ref {
        let r = self.graph.add(op, platform.map(Into::into), meta).out();
        self.files.push(r);
        r
    }

    fn source(&mut self, identifier: &str, attrs: BTreeMap<String, String>) -> Ref {
        let image = identifier.starts_with("docker-image://");
        let platform =
            image.then(|| Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..Platform::default() });
        let op = Op::Source(Source { identifier: identifier.to_owned(), attrs });
        self.add(op, platform, Meta::default())
    }

    fn local(&mut self, rng: &mut Rng) {
        let mut attrs = BTreeMap::from([("local.session".to_owned(), "s".to_owned())]);
        if rng.one_in(2) {
            let paths: Vec<String> = (0..1 + rng.below(3)).map(|_| path(rng)[1..].to_owned()).collect();
            attrs.insert("local.followpaths".to_owned(), json_strings(&paths));
        }
        if rng.one_in(3) {
            let pattern = rng.pick(&["**/*.md", "a/b", "c", "!a/b/c"]);
            attrs.insert("local.excludepatterns".to_owned(), json_strings(&[pattern]));
        }
        let r = self.source(if rng.one_in(4) { "local://other" } else { "local://context" }, attrs);
        self.local.push(r);
    }

    fn any(&self, rng: &mut Rng) -> Option<Ref> {
        if self.files.is_empty() { None } else { Some(self.files[rng.below(self.files.len())]) }
    }

    fn stage(&mut self, rng: &mut Rng, number: usize, size: usize) {
        let mut at = match rng.below(5) {
            0 => {
                let attrs = match rng.one_in(3) {
                    true => BTreeMap::from([("image.resolvemode".to_owned(), "pull".to_owned())]),
                    false => BTreeMap::new(),
                };
                Some(self.source(rng.pick(IMAGES), attrs))
            }
            1 if !self.stages.is_empty() => self.stages[rng.below(self.stages.len())],
            2 => self.any(rng),
            _ => None,
        };
        if rng.one_in(3) {
            at = self.assemble(rng, at);
        }
        for step in 1..=1 + rng.below(size / 2 + 1) {
            let mut meta = Meta { ignore_cache: rng.one_in(9), ..Meta::default() };
            let stage = Some(Frame { name: format!("s{number}").into(), span: None });
            meta.origins.push(Origin { stage, step: step as u32, ..Origin::default() });
            at = Some(self.step(rng, at, meta));
        }
        self.stages.push(at);
    }

    /// Puts together what commands made, as the last stage of many a Dockerfile does.
    fn assemble(&mut self, rng: &mut Rng, mut at: Option<Ref>) -> Option<Ref> {
        for _ in 0..1 + rng.below(4) {
            if self.slow.is_empty() || rng.one_in(3) {
                let from = self.any(rng);
                self.run(rng, from, Meta::default());
            }
            let from = Some(self.slow[rng.below(self.slow.len())]);
            let copy = plain(path(rng), place(rng));
            let mut actions = vec![FileAction::copy(at, from, copy)];
            if rng.one_in(4) {
                actions.push(FileAction::copy(Input::Action(0), from, plain(path(rng), place(rng))));
            }
            at = Some(self.kept(actions, Meta::default()));
        }
        at
    }

    /// A file op that keeps what its last action made.
    fn kept(&mut self, mut actions: Vec<FileAction>, meta: Meta) -> Ref {
        let mut made = None;
        if let Some(last) = actions.last_mut() {
            last.output = Some(0);
            made = if let Action::Copy(copy) = &last.action { Some(copy.dest.clone()) } else { None };
        }
        let r = self.add(Op::File(File { actions }), None, meta);
        self.made.extend(made.map(|path| (r, path)));
        r
    }

    fn step(&mut self, rng: &mut Rng, at: Option<Ref>, meta: Meta) -> Ref {
        match rng.below(12) {
            0 | 1 => self.run(rng, at, meta),
            2 => {
                // COPY --link
                let action = self.copy(rng, Input::Scratch);
                let copied = self.kept(vec![action], meta.clone());
                match at {
                    None => copied,
                    Some(at) => self.add(Op::Merge(Merge { inputs: vec![at, copied] }), None, meta),
                }
            }
            3 if rng.one_in(3) => {
                let upper = self.any(rng);
                let diff = self.add(Op::Diff(Diff { lower: at, upper }), None, meta.clone());
                let mut inputs = vec![diff, diff];
                inputs[0] = at.unwrap_or(diff);
                self.add(Op::Merge(Merge { inputs }), None, meta)
            }
            4 if rng.one_in(6) && at.is_some() => {
                let inputs = at.into_iter().collect();
                self.add(Op::Passthrough(Passthrough { id: "p".to_owned(), inputs, outputs: vec![0] }), None, meta)
            }
            _ => {
                let mut actions: Vec<FileAction> = Vec::new();
                for n in 0..1 + rng.below(5) / 3 {
                    let input = if n == 0 { at.into() } else { Input::Action(n as u32 - 1) };
                    actions.push(self.action(rng, input, at));
                }
                self.kept(actions, meta)
            }
        }
    }

    fn action(&mut self, rng: &mut Rng, input: Input, at: Option<Ref>) -> FileAction {
        let owner = rng.maybe(|r| owner(r, at));
        let timestamp = if rng.one_in(5) { 1_000_000_000 } else { -1 };
        let action = match rng.below(12) {
            0..=2 => Action::Mkdir(Mkdir {
                path: path(rng),
                mode: 0o755,
                make_parents: !rng.one_in(8),
                owner: owner.filter(|_| rng.one_in(3)),
                timestamp,
            }),
            3 => Action::Mkfile(Mkfile {
                path: path(rng),
                mode: 0o644,
                data: rng.pick(&["1", "2"]).into(),
                owner,
                timestamp,
            }),
            4 => Action::Rm(Rm { path: path(rng), allow_not_found: !rng.one_in(8), allow_wildcard: rng.one_in(4) }),
            5 => {
                let oldpath = if rng.flag() { path(rng) } else { rng.pick(NAMES).to_owned() };
                Action::Symlink(Symlink { oldpath, newpath: path(rng), owner, timestamp })
            }
            _ => return self.copy(rng, input),
        };
        FileAction::on(input, action)
    }

    fn copy(&mut self, rng: &mut Rng, input: Input) -> FileAction {
        if rng.one_in(3) && !self.made.is_empty() {
            let (from, path) = self.made[rng.below(self.made.len())].clone();
            return FileAction::copy(input, Some(from), plain(path, place(rng)));
        }
        let from = match rng.below(8) {
            0 | 1 => Some(self.local[rng.below(self.local.len())]),
            2 => {
                let name = rng.pick(NAMES);
                let attrs = BTreeMap::from([("http.filename".to_owned(), name.to_owned())]);
                let r = self.source(&format!("https://example.com/{name}"), attrs);
                if rng.flag() {
                    let copy = Copy { create_dest_path: true, ..Copy::new(format!("/{name}"), place(rng)) };
                    return FileAction::copy(input, Some(r), copy);
                }
                Some(r)
            }
            _ => self.any(rng),
        };
        let timestamp = if rng.one_in(9) { 1_000_000_000 } else { -1 };
        let mut copy = Copy {
            owner: rng.maybe(|r| owner(r, from)).filter(|_| rng.flag()),
            mode: if rng.one_in(5) { 0o700 } else { -1 },
            follow_symlink: !rng.one_in(6),
            dir_copy_contents: !rng.one_in(6),
            create_dest_path: !rng.one_in(15),
            allow_wildcard: !rng.one_in(4),
            allow_empty_wildcard: true,
            timestamp,
            exclude_patterns: if rng.one_in(5) { vec!["**/*.md".to_owned()] } else { Vec::new() },
            include_patterns: if rng.one_in(9) { vec![rng.pick(&["a", "*/b", "**/c"]).to_owned()] } else { Vec::new() },
            always_replace_existing_dest_paths: rng.one_in(12),
            ..Copy::new(place(rng), place(rng))
        };
        // What is copied by a pattern need not be there, so that the build goes on.
        if rng.one_in(3) {
            copy.allow_wildcard = true;
            copy.src = rng.pick(&["/*", "/a/*", "/b/*", "/?/a", "/*.md", "/"]).to_owned();
        }
        if rng.one_in(15) {
            copy.mode_str = "u+x".to_owned();
        }
        FileAction::copy(input, from, copy)
    }

    fn run(&mut self, rng: &mut Rng, at: Option<Ref>, meta: Meta) -> Ref {
        let mut mounts = vec![Mount { output: Some(0), ..Mount::bind(ROOT_MOUNT, at) }];
        if rng.flag() {
            let input = if rng.flag() { Some(self.local[rng.below(self.local.len())]) } else { self.any(rng) };
            let selector = if rng.flag() { String::new() } else { path(rng) };
            mounts.push(Mount { selector, readonly: true, ..Mount::bind("/mnt", input) });
        }
        if rng.one_in(6) {
            let kind = MountKind::Cache(CacheMount { id: "c".to_owned(), ..CacheMount::default() });
            mounts.push(Mount::without_input("/var/cache", kind));
        }
        let args = vec!["run".to_owned(), rng.below(4).to_string()];
        let meta_op = ExecMeta { args, cwd: "/".to_owned(), ..ExecMeta::default() };
        let exec = Exec { meta: meta_op, mounts, ..Exec::default() };
        let platform = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..Platform::default() };
        let made = self.add(Op::Exec(Box::new(exec)), Some(platform), meta);
        self.slow.push(made);
        made
    }
}

/// A copy as COPY makes it.
fn plain(src: String, dest: String) -> Copy {
    Copy {
        follow_symlink: true,
        dir_copy_contents: true,
        create_dest_path: true,
        allow_wildcard: true,
        allow_empty_wildcard: true,
        ..Copy::new(src, dest)
    }
}

fn owner(rng: &mut Rng, at: Option<Ref>) -> ChownOpt {
    let user = match at {
        Some(at) if rng.one_in(3) => UserOpt::Name { name: "user".to_owned(), input: Input::Ref(at) },
        _ => UserOpt::Id(rng.below(2) as u32 * 1000),
    };
    ChownOpt { user: Some(user), group: rng.maybe(|_| UserOpt::Id(7)) }
}

/// An absolute path.
fn path(rng: &mut Rng) -> String {
    (0..1 + rng.below(3)).map(|_| format!("/{}", rng.pick(NAMES))).collect()
}

/// An absolute path that may be the root or have a slash at its end.
fn place(rng: &mut Rng) -> String {
    match rng.below(8) {
        0 => "/".to_owned(),
        1 | 2 => path(rng) + "/",
        _ => path(rng),
    }
}
