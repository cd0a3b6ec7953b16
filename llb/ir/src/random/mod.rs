//! Random graphs, for tests of what must hold for every graph.

mod build;

use std::borrow::Cow;
use std::collections::BTreeMap;

use rbc_source::{FileId, Span};

use crate::caps::ALL;
use crate::{
    Action, Build, CacheMount, CacheSharing, CdiDevice, ChownOpt, ContentCache, Copy, Diff, Exec, ExecMeta, File,
    FileAction, Frame, Graph, HostIp, Input, LinuxResources, Location, Merge, Meta, Mkdir, Mkfile, Mount, MountKind,
    NetMode, Node, NodeId, Op, Origin, Passthrough, Platform, Position, ProgressGroup, ProxyEnv, ROOT_MOUNT, Range,
    Ref, Rm, Root, SecretEnv, SecretMount, SecurityMode, Source, SourceInfo, SshMount, Symlink, TmpfsMount, Ulimit,
    UserOpt,
};

pub use build::{IMAGES, NAMES, build};

/// A small generator of random numbers (xorshift64*).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator; equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n`; 0 if that is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.number() >> 33) as usize).checked_rem(n).unwrap_or(0)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Mostly nothing, at times a few.
    fn few<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let n = if self.one_in(3) { self.below(4) } else { 0 };
        (0..n).map(|_| make(self)).collect()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.one_in(3) { Some(make(self)) } else { None }
    }

    fn text(&mut self) -> String {
        const PARTS: &[&str] = &[
            "a", "/", "app", "b=c", " ", "\"", "\\", "\n", "\t", "ü", "\u{1}", "\u{85}", "%a", "#", "{", "none", "日本",
        ];
        let n = self.below(5);
        (0..n).map(|_| self.pick(PARTS)).collect()
    }

    fn word(&mut self) -> String {
        self.pick(&["", "app", "build", "x-1", "A_b", "/src", "1000"]).to_owned()
    }

    fn map(&mut self) -> BTreeMap<String, String> {
        self.few(|r| (r.text(), r.text())).into_iter().collect()
    }

    fn flag(&mut self) -> bool {
        self.one_in(3)
    }

    fn int(&mut self) -> i64 {
        let any = self.number() as i64;
        self.pick(&[0, -1, 1, 0o755, 1_700_000_000_000_000_000, i64::MAX, i64::MIN, any])
    }
}

/// A random graph of up to `size` nodes that keeps every invariant of [`crate::verify`]. Some of its nodes are equal, some
/// are needed by no result.
pub fn graph(rng: &mut Rng, size: usize) -> Graph {
    let mut make = Make { graph: Graph::new(), outputs: Vec::new() };
    for _ in 0..rng.below(3) {
        let data: Vec<u8> = if rng.one_in(4) { vec![0xff, b'\n', 0, b'a'] } else { rng.text().into_bytes() };
        make.graph.add_source(SourceInfo {
            filename: rng.text(),
            language: rng.word(),
            data: data.into(),
            state: None,
        });
    }
    for _ in 0..rng.below(size + 1) {
        make.node(rng);
    }
    // The state of a text is written in later texts only.
    let mut lowest: Vec<usize> = Vec::new();
    for (_, node) in make.graph.iter() {
        let mut low = node.meta.locations.iter().map(|l| l.source as usize).min().unwrap_or(usize::MAX);
        node.op.each_ref(&mut |r| low = low.min(lowest[r.node.index()]));
        lowest.push(low);
    }
    for at in 0..make.graph.sources.len() {
        make.graph.sources[at].state = make.any(rng).filter(|r| lowest[r.node.index()] > at);
    }
    for _ in 0..=rng.below(3) {
        let (name, platform, result) = (rng.text(), rng.maybe(platform), make.any(rng));
        make.graph.roots.push(Root { name, platform, result });
    }
    make.graph
}

struct Make {
    graph: Graph,
    /// Every output of every node.
    outputs: Vec<Ref>,
}

impl Make {
    fn some(&self, rng: &mut Rng) -> Ref {
        self.outputs[rng.below(self.outputs.len())]
    }

    fn any(&self, rng: &mut Rng) -> Option<Ref> {
        if self.outputs.is_empty() || rng.one_in(6) { None } else { Some(self.some(rng)) }
    }

    fn node(&mut self, rng: &mut Rng) {
        if rng.one_in(6) && !self.graph.is_empty() {
            let twin = NodeId(rng.below(self.graph.len()) as u32);
            let mut node = self.graph.node(twin).clone();
            node.meta = self.meta(rng);
            let outputs: Vec<u32> = self.outputs.iter().filter(|r| r.node == twin).map(|r| r.output).collect();
            return self.push(node, outputs);
        }
        let (op, outputs) = match rng.below(if self.outputs.is_empty() { 4 } else { 7 }) {
            0 | 1 => self.exec(rng),
            2 => self.file(rng),
            3 => {
                let scheme =
                    rng.pick(&["docker-image://docker.io/library/", "local://", "git://", "https://", "oci-layout://"]);
                let source = Source { identifier: scheme.to_owned() + &rng.word(), attrs: rng.map() };
                (Op::Source(source), vec![0])
            }
            4 => {
                let inputs = (0..2 + rng.below(3)).map(|_| self.some(rng)).collect();
                (Op::Merge(Merge { inputs }), vec![0])
            }
            5 => (Op::Diff(Diff { lower: self.any(rng), upper: self.any(rng) }), vec![0]),
            _ if rng.flag() => {
                let inputs: Vec<Ref> = (0..=rng.below(3)).map(|_| self.some(rng)).collect();
                let outputs: Vec<u32> = (0..=rng.below(3)).map(|_| rng.below(inputs.len()) as u32).collect();
                let all = (0..outputs.len() as u32).collect();
                (Op::Passthrough(Passthrough { id: "p".to_owned() + &rng.word(), inputs, outputs }), all)
            }
            _ => {
                let build = Build {
                    builder: self.any(rng),
                    inputs: rng.few(|r| (r.text(), self.any(r))).into_iter().collect(),
                    def: rng.maybe(|r| r.text().into_bytes()),
                    attrs: rng.map(),
                };
                (Op::Build(Box::new(build)), vec![0])
            }
        };
        let node = Node {
            op,
            platform: rng.maybe(platform).map(Into::into),
            constraints: if rng.one_in(9) { None } else { Some(rng.few(Rng::text)) },
            pinned: Vec::new(),
            meta: self.meta(rng),
        };
        self.push(node, outputs);
    }

    fn push(&mut self, node: Node, outputs: Vec<u32>) {
        let id = self.graph.push(node);
        self.outputs.extend(outputs.into_iter().map(|o| id.output(o)));
    }

    fn meta(&self, rng: &mut Rng) -> Meta {
        let texts = self.graph.sources.len();
        let frame = |r: &mut Rng| Frame { name: r.text().into(), span: r.maybe(span) };
        Meta {
            ignore_cache: rng.flag(),
            description: rng.map().into_iter().map(|(k, v)| (k.into(), v)).collect(),
            export_cache: rng.maybe(Rng::flag),
            caps: rng.few(|r| Cow::Borrowed(r.pick(ALL))).into_iter().collect(),
            progress_group: rng.maybe(|r| Box::new(ProgressGroup { id: r.text(), name: r.text(), weak: r.flag() })),
            linux_resources: rng.maybe(|r| {
                Box::new(LinuxResources {
                    memory: r.int(),
                    memory_swap: r.int(),
                    cpu_shares: r.number(),
                    cpu_period: r.number(),
                    cpu_quota: r.int(),
                    cpuset_cpus: r.text(),
                    cpuset_mems: r.text(),
                })
            }),
            locations: if texts == 0 {
                Vec::new()
            } else {
                rng.few(|r| Location { source: r.below(texts) as u32, ranges: r.few(range) })
            },
            origins: rng.few(|r| Origin {
                target: r.maybe(frame),
                stage: r.maybe(frame),
                step: r.below(9) as u32,
                span: r.maybe(span),
            }),
        }
    }

    fn exec(&self, rng: &mut Rng) -> (Op, Vec<u32>) {
        let mut mounts = vec![Mount { output: Some(0), ..Mount::bind(ROOT_MOUNT, self.any(rng)) }];
        let mut outputs = vec![0];
        for at in 0..rng.below(4) {
            let mut mount = match rng.below(5) {
                0 => {
                    let secret = SecretMount {
                        id: rng.text(),
                        uid: rng.below(9) as u32,
                        gid: rng.below(9) as u32,
                        mode: 0o400,
                        optional: rng.flag(),
                    };
                    Mount::without_input(rng.text(), MountKind::Secret(secret))
                }
                1 => {
                    let ssh = SshMount { id: rng.text(), uid: u32::MAX, optional: rng.flag(), ..SshMount::default() };
                    Mount::without_input(rng.text(), MountKind::Ssh(ssh))
                }
                2 => Mount::without_input(rng.text(), MountKind::Tmpfs(TmpfsMount { size: rng.int() })),
                3 => {
                    let sharing = rng.pick(&[CacheSharing::Shared, CacheSharing::Private, CacheSharing::Locked]);
                    let kind = MountKind::Cache(CacheMount { id: rng.text(), sharing });
                    Mount { input: self.any(rng), ..Mount::without_input(rng.text(), kind) }
                }
                _ => {
                    let output = rng.maybe(|_| at as u32 + 1);
                    outputs.extend(output);
                    Mount { output, ..Mount::bind(format!("/{at}"), self.any(rng)) }
                }
            };
            mount.selector = rng.text();
            mount.readonly = rng.flag();
            mount.result_id = rng.word();
            mount.content_cache = rng.pick(&[ContentCache::Default, ContentCache::On, ContentCache::Off]);
            mounts.push(mount);
        }
        let meta = ExecMeta {
            args: (0..=rng.below(3)).map(|_| rng.text()).collect(),
            env: rng.few(Rng::text),
            cwd: "/".to_owned() + &rng.word(),
            user: rng.word(),
            proxy_env: rng
                .maybe(|r| Box::new(ProxyEnv { http_proxy: r.text(), no_proxy: r.text(), ..ProxyEnv::default() })),
            extra_hosts: rng.few(|r| HostIp { host: r.text(), ip: r.text() }),
            hostname: rng.word(),
            ulimits: rng.few(|r| Ulimit { name: r.text(), soft: r.int(), hard: r.int() }),
            cgroup_parent: rng.word(),
            remove_mount_stubs_recursive: rng.flag(),
            valid_exit_codes: rng.few(|r| r.int() as i32),
        };
        let exec = Exec {
            meta,
            mounts,
            network: rng.pick(&[NetMode::Unset, NetMode::Host, NetMode::None]),
            security: rng.pick(&[SecurityMode::Sandbox, SecurityMode::Insecure]),
            secret_env: rng.few(|r| SecretEnv { id: r.text(), name: r.text(), optional: r.flag() }),
            cdi_devices: rng.few(|r| CdiDevice { name: r.text(), optional: r.flag() }),
        };
        (Op::Exec(Box::new(exec)), outputs)
    }

    fn file(&self, rng: &mut Rng) -> (Op, Vec<u32>) {
        let n = 1 + rng.below(4);
        let mut outputs = Vec::new();
        let mut actions = Vec::with_capacity(n);
        for at in 0..n {
            let input = |rng: &mut Rng| {
                if at > 0 && rng.one_in(2) { Input::Action(rng.below(at) as u32) } else { self.any(rng).into() }
            };
            let user = |r: &mut Rng| {
                if r.flag() {
                    UserOpt::Id(r.below(2000) as u32)
                } else {
                    UserOpt::Name { name: r.word(), input: input(r) }
                }
            };
            let owner = rng.maybe(|r| ChownOpt { user: r.maybe(user), group: r.maybe(user) });
            let (mode, timestamp) = (rng.int() as i32, rng.int());
            let action = match rng.below(6) {
                0 => Action::Mkfile(Mkfile { path: rng.text(), mode, data: rng.text().into(), owner, timestamp }),
                1 => Action::Mkdir(Mkdir { path: rng.text(), mode, make_parents: rng.flag(), owner, timestamp }),
                2 => {
                    let (allow_not_found, allow_wildcard) = (rng.flag(), rng.flag());
                    Action::Rm(Rm { path: rng.text(), allow_not_found, allow_wildcard })
                }
                3 => Action::Symlink(Symlink { oldpath: rng.text(), newpath: rng.text(), owner, timestamp }),
                _ => Action::Copy(Box::new(Copy {
                    owner,
                    mode,
                    follow_symlink: rng.flag(),
                    dir_copy_contents: rng.flag(),
                    attempt_unpack: rng.flag(),
                    create_dest_path: rng.flag(),
                    allow_wildcard: rng.flag(),
                    allow_empty_wildcard: rng.flag(),
                    timestamp,
                    include_patterns: rng.few(Rng::text),
                    exclude_patterns: rng.few(Rng::text),
                    always_replace_existing_dest_paths: rng.flag(),
                    mode_str: rng.word(),
                    required_paths: rng.few(Rng::text),
                    ..Copy::new(rng.text(), rng.text())
                })),
            };
            let secondary = if matches!(action, Action::Copy(_)) { input(rng) } else { Input::Scratch };
            let output = if at + 1 == n || rng.one_in(5) { Some(at as u32) } else { None };
            outputs.extend(output);
            actions.push(FileAction { input: input(rng), secondary, output, action });
        }
        (Op::File(File { actions }), outputs)
    }
}

fn platform(rng: &mut Rng) -> Platform {
    Platform {
        os: rng.pick(&["linux", "windows", ""]).to_owned(),
        architecture: rng.pick(&["amd64", "arm", "a/b", ""]).to_owned(),
        variant: rng.pick(&["", "v7"]).to_owned(),
        os_version: rng.pick(&["", "10.0.1"]).to_owned(),
        os_features: rng.few(Rng::text),
    }
}

fn range(rng: &mut Rng) -> Range {
    let position = |r: &mut Rng| Position { line: r.below(9) as i32, character: r.int() as i32 };
    if rng.flag() { Range::line(rng.int() as i32) } else { Range { start: position(rng), end: position(rng) } }
}

fn span(rng: &mut Rng) -> Span {
    Span::new(FileId(rng.below(3) as u32), rng.below(100), rng.below(200))
}
