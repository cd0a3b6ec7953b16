//! From definitions, whoever made them, to graphs.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use prost::Message;
use rbc_ir as ir;
use rbc_ir::{Graph, Meta, Node, NodeId, Op, Ref, Root};
use rbc_source::{Diagnostic, ir as codes};

use crate::emit::{Emitter, Order};
use crate::{Digest, pb};

/// The most bytes that [`load`] takes, 256 MiB: sixteen times what a backend accepts.
pub const MAX_BYTES: usize = 256 << 20;

/// A graph read from a definition.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The graph. Its nodes stand as the vertices of the definition do (unless those were not in order of their inputs),
    /// with those of the definitions of its source texts behind them. It has one root.
    pub graph: Graph,
    /// The name that each node had in the definition.
    pub digests: Vec<Digest>,
}

impl Loaded {
    /// The nodes that emission would name otherwise than the definition did, because their bytes were not canonical or
    /// held what this version of the protocol does not have.
    pub fn renamed(&self) -> Vec<NodeId> {
        let mut emitter = Emitter::new(&self.graph, Order::Listed);
        let ids = self.graph.iter().map(|(id, _)| id).zip(&self.digests);
        ids.filter(|(id, digest)| emitter.digest(*id) != **digest).map(|(id, _)| id).collect()
    }
}

/// Reads a marshalled definition. No bytes at all are the definition of scratch.
///
/// # Errors
/// E0401 if the bytes are no definition or are more than [`MAX_BYTES`], E0402 if its vertices do not make a graph.
pub fn load(bytes: &[u8]) -> Result<Loaded, Box<Diagnostic>> {
    if bytes.len() > MAX_BYTES {
        return Err(Box::new(
            Diagnostic::new(codes::DEFINITION, "the definition is too large")
                .note(format!("it has {} bytes; at most {MAX_BYTES} are read", bytes.len())),
        ));
    }
    let definition = pb::Definition::decode(bytes).map_err(|e| {
        Box::new(Diagnostic::new(codes::DEFINITION, "this is not an LLB definition").note(format!("protobuf: {e}")))
    })?;
    load_message(definition)
}

/// Reads a definition that is a message already.
///
/// # Errors
/// As [`load`].
pub fn load_message(definition: pb::Definition) -> Result<Loaded, Box<Diagnostic>> {
    let mut loader = Loader { graph: Graph::new(), digests: Vec::new() };
    let result = loader.definition(definition)?;
    loader.graph.roots.push(Root { name: String::new(), platform: None, result });
    Ok(Loaded { graph: loader.graph, digests: loader.digests })
}

/// What is wrong with a definition, to be made a diagnostic once the vertex is known.
type Fault = Cow<'static, str>;

struct Loader {
    graph: Graph,
    digests: Vec<Digest>,
}

impl Loader {
    fn definition(&mut self, mut definition: pb::Definition) -> Result<Option<Ref>, Box<Diagnostic>> {
        let Some(last) = definition.def.pop() else { return Ok(None) };
        let mut ops = Vec::with_capacity(definition.def.len());
        let mut digests = Vec::with_capacity(definition.def.len());
        let mut place = HashMap::with_capacity(definition.def.len());
        for bytes in std::mem::take(&mut definition.def) {
            let digest = Digest::of(&bytes);
            if let Entry::Vacant(e) = place.entry(digest) {
                e.insert(ops.len());
                ops.push(Some(decode_op(&bytes)?));
                digests.push(digest);
            }
        }

        let mut about = About::new(self, definition)?;
        let order = order(&ops, &digests, &place)?;
        let mut nodes: Vec<Option<NodeId>> = vec![None; ops.len()];
        for at in order {
            let Some(op) = ops[at].take() else { continue };
            let digest = digests[at];
            let mut inputs = Vec::with_capacity(op.inputs.len());
            for input in &op.inputs {
                let known = Digest::parse(&input.digest).and_then(|d| nodes[*place.get(&d)?]);
                let r = known.and_then(|node| Some(node.output(u32::try_from(input.index).ok()?)));
                inputs.push(r.ok_or_else(|| broken(digest, format!("has no input `{}`", show(input))))?);
            }
            let meta = about.take(digest);
            let node = node(op, &inputs, meta).map_err(|fault| broken(digest, fault))?;
            nodes[at] = Some(self.graph.push(node));
            self.digests.push(digest);
        }

        let last = decode_op(&last)?;
        let Some(result) = last.inputs.first() else {
            return Err(structure("the definition does not say which vertex is its result".to_owned())
                .note("its last vertex has no input")
                .into());
        };
        let known = Digest::parse(&result.digest).and_then(|d| nodes[*place.get(&d)?]);
        let r = known.and_then(|node| Some(node.output(u32::try_from(result.index).ok()?)));
        match r {
            Some(r) => Ok(Some(r)),
            None => Err(structure(format!("the result `{}` is no vertex of the definition", show(result))).into()),
        }
    }
}

fn show(input: &pb::Input) -> String {
    format!("{}:{}", input.digest, input.index)
}

fn structure(message: String) -> Diagnostic {
    Diagnostic::new(codes::DEFINITION_GRAPH, message)
}

fn broken(vertex: Digest, fault: impl AsRef<str>) -> Box<Diagnostic> {
    Box::new(structure(format!("a vertex {}", fault.as_ref())).note(format!("it is {vertex}")))
}

fn decode_op(bytes: &[u8]) -> Result<pb::Op, Box<Diagnostic>> {
    pb::Op::decode(bytes).map_err(|e| {
        Box::new(
            Diagnostic::new(codes::DEFINITION, "a vertex of the definition cannot be read")
                .note(format!("it is {}", Digest::of(bytes)))
                .note(format!("protobuf: {e}")),
        )
    })
}

/// The vertices, each behind its inputs; as they are listed wherever that is so already.
fn order(
    ops: &[Option<pb::Op>],
    digests: &[Digest],
    place: &HashMap<Digest, usize>,
) -> Result<Vec<usize>, Box<Diagnostic>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; ops.len()];
    let mut order = Vec::with_capacity(ops.len());
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..ops.len() {
        if state[root] == State::New {
            stack.push((root, 0));
        }
        while let Some((at, next)) = stack.last_mut() {
            state[*at] = State::Open;
            let inputs = ops[*at].as_ref().map_or(&[][..], |op| &op.inputs);
            let Some(input) = inputs.get(*next) else {
                state[*at] = State::Done;
                order.push(*at);
                stack.pop();
                continue;
            };
            *next += 1;
            // An unknown input is reported where it is resolved.
            let Some(input) = Digest::parse(&input.digest).and_then(|d| place.get(&d)) else { continue };
            match state[*input] {
                State::New => stack.push((*input, 0)),
                State::Open => return Err(broken(digests[*at], "needs itself")),
                State::Done => {}
            }
        }
    }
    Ok(order)
}

/// What a definition says about its vertices.
struct About {
    metadata: HashMap<Digest, Meta>,
    locations: HashMap<Digest, Vec<ir::Location>>,
}

impl About {
    fn new(loader: &mut Loader, definition: pb::Definition) -> Result<Self, Box<Diagnostic>> {
        let of = |e: pb::MetadataEntry| Some((Digest::parse(&e.key)?, metadata(e.value)));
        let metadata = definition.metadata.into_iter().filter_map(of).collect();
        let mut locations = HashMap::new();
        if let Some(source) = definition.source {
            let first = loader.graph.sources.len();
            let count = source.infos.len();
            let mut states = Vec::with_capacity(count);
            // The definitions of the texts may bring texts of their own, so their places come first.
            for pb::SourceInfo { filename, data, definition, language } in source.infos {
                loader.graph.add_source(ir::SourceInfo { filename, language, data: (*data).into(), state: None });
                states.push(definition);
            }
            for (at, state) in states.into_iter().enumerate() {
                if let Some(state) = state {
                    loader.graph.sources[first + at].state = loader.definition(state)?;
                }
            }
            locations.reserve(source.locations.len());
            for entry in source.locations {
                let Some(digest) = Digest::parse(&entry.key) else { continue };
                let mut places = Vec::with_capacity(entry.value.locations.len());
                for place in entry.value.locations {
                    let text = usize::try_from(place.source_index).ok().filter(|at| *at < count);
                    let Some(text) = text else {
                        return Err(broken(digest, "is said to be written in a text that is not there"));
                    };
                    places.push(ir::Location { source: (first + text) as u32, ranges: ranges(&place.ranges) });
                }
                locations.insert(digest, places);
            }
        }
        Ok(About { metadata, locations })
    }

    /// What is said about a vertex; asked once for each.
    fn take(&mut self, vertex: Digest) -> Meta {
        let mut meta = self.metadata.remove(&vertex).unwrap_or_default();
        meta.locations = self.locations.remove(&vertex).unwrap_or_default();
        meta
    }
}

fn metadata(m: pb::OpMetadata) -> Meta {
    Meta {
        ignore_cache: m.ignore_cache,
        description: m.description.into_iter().map(|e| (e.key.into(), e.value)).collect(),
        export_cache: m.export_cache.map(|e| e.value),
        caps: m.caps.into_iter().map(|c| Cow::Owned(c.key)).collect(),
        progress_group: m.progress_group.map(|g| Box::new(ir::ProgressGroup { id: g.id, name: g.name, weak: g.weak })),
        linux_resources: m.linux_resources.map(|l| {
            Box::new(ir::LinuxResources {
                memory: l.memory,
                memory_swap: l.memory_swap,
                cpu_shares: l.cpu_shares,
                cpu_period: l.cpu_period,
                cpu_quota: l.cpu_quota,
                cpuset_cpus: l.cpuset_cpus,
                cpuset_mems: l.cpuset_mems,
            })
        }),
        locations: Vec::new(),
        origins: Vec::new(),
    }
}

fn ranges(ranges: &[pb::Range]) -> Vec<ir::Range> {
    let position = |p: &Option<pb::Position>| {
        let p = p.unwrap_or_default();
        ir::Position { line: p.line, character: p.character }
    };
    ranges.iter().map(|r| ir::Range { start: position(&r.start), end: position(&r.end) }).collect()
}

fn string_map(entries: Vec<pb::StringEntry>) -> BTreeMap<String, String> {
    entries.into_iter().map(|e| (e.key, e.value)).collect()
}

fn node(message: pb::Op, inputs: &[Ref], meta: Meta) -> Result<Node, Fault> {
    let op = match message.op.ok_or("does nothing")? {
        pb::OpKind::Source(s) => Op::Source(ir::Source { identifier: s.identifier, attrs: string_map(s.attrs) }),
        pb::OpKind::Exec(e) => Op::Exec(Box::new(exec(*e, inputs)?)),
        pb::OpKind::File(f) => {
            let actions = f.actions.into_iter().map(|a| action(a, inputs));
            Op::File(ir::File { actions: actions.collect::<Result<_, _>>()? })
        }
        pb::OpKind::Build(b) => {
            let of = |e: pb::BuildInputEntry| Ok::<_, Fault>((e.key, input(e.value.input, inputs)?));
            Op::Build(Box::new(ir::Build {
                builder: input(b.builder, inputs)?,
                inputs: b.inputs.into_iter().map(of).collect::<Result<_, _>>()?,
                def: b.def.map(|d| d.to_vec()),
                attrs: string_map(b.attrs),
            }))
        }
        pb::OpKind::Merge(m) => {
            let of = |i: pb::MergeInput| input(i.input, inputs)?.ok_or(Fault::from("merges with scratch"));
            Op::Merge(ir::Merge { inputs: m.inputs.into_iter().map(of).collect::<Result<_, _>>()? })
        }
        pb::OpKind::Diff(d) => Op::Diff(ir::Diff {
            lower: input(d.lower.map_or(crate::encode::NONE, |l| l.input), inputs)?,
            upper: input(d.upper.map_or(crate::encode::NONE, |u| u.input), inputs)?,
        }),
        pb::OpKind::Passthrough(p) => {
            let of = |o: i64| u32::try_from(o).map_err(|_| Fault::from(format!("hands on input {o}")));
            Op::Passthrough(ir::Passthrough {
                id: p.id,
                inputs: inputs.to_vec(),
                outputs: p.outputs.into_iter().map(of).collect::<Result<_, _>>()?,
            })
        }
    };
    let platform = message.platform.map(|p| {
        Arc::new(ir::Platform {
            os: p.os,
            architecture: p.architecture,
            variant: p.variant,
            os_version: p.os_version,
            os_features: p.os_features,
        })
    });
    let constraints = message.constraints.map(|c| c.filter);
    let pinned = if in_usual_order(&op, inputs) { Vec::new() } else { inputs.to_vec() };
    Ok(Node { op, platform, constraints, pinned, meta })
}

/// Whether the inputs stand on the wire, and are walked, as those of a node without pinned ones would be.
fn in_usual_order(op: &Op, inputs: &[Ref]) -> bool {
    let once = |walk: &dyn Fn(&mut dyn FnMut(Ref))| {
        let mut list: Vec<Ref> = Vec::with_capacity(inputs.len());
        let mut seen = HashSet::with_capacity(inputs.len());
        walk(&mut |r| {
            if seen.insert(r) {
                list.push(r);
            }
        });
        list
    };
    match op {
        // Nothing can be in another order.
        Op::Exec(_) | Op::File(_) if let [only] = inputs => {
            let mut used = false;
            op.each_ref(&mut |r| used |= r == *only);
            used
        }
        Op::Exec(_) | Op::Build(_) => once(&|f| op.each_ref(f)) == inputs,
        Op::File(_) => once(&|f| op.each_ref(f)) == inputs && once(&|f| op.each_visit(f)) == inputs,
        Op::Source(_) | Op::Merge(_) | Op::Diff(_) | Op::Passthrough(_) => {
            let mut rest = inputs.iter();
            let mut same = true;
            op.each_ref(&mut |r| same &= rest.next() == Some(&r));
            same && rest.next().is_none()
        }
    }
}

fn input(index: i64, inputs: &[Ref]) -> Result<Option<Ref>, Fault> {
    if index == crate::encode::NONE {
        return Ok(None);
    }
    let r = usize::try_from(index).ok().and_then(|i| inputs.get(i));
    r.map(|r| Some(*r)).ok_or_else(|| format!("uses input {index} of {}", inputs.len()).into())
}

fn output(index: i64) -> Result<Option<u32>, Fault> {
    if index == crate::encode::NONE {
        return Ok(None);
    }
    u32::try_from(index).map(Some).map_err(|_| format!("has an output {index}").into())
}

fn exec(e: pb::ExecOp, inputs: &[Ref]) -> Result<ir::Exec, Fault> {
    let m = e.meta.unwrap_or_default();
    let network = match pb::NetMode::try_from(e.network) {
        Ok(pb::NetMode::Unset) => ir::NetMode::Unset,
        Ok(pb::NetMode::Host) => ir::NetMode::Host,
        Ok(pb::NetMode::None) => ir::NetMode::None,
        Err(_) => return Err(unknown("network mode", e.network)),
    };
    let security = match pb::SecurityMode::try_from(e.security) {
        Ok(pb::SecurityMode::Sandbox) => ir::SecurityMode::Sandbox,
        Ok(pb::SecurityMode::Insecure) => ir::SecurityMode::Insecure,
        Err(_) => return Err(unknown("security mode", e.security)),
    };
    let secret = |s: pb::SecretEnv| ir::SecretEnv { id: s.id, name: s.name, optional: s.optional };
    let device = |d: pb::CdiDevice| ir::CdiDevice { name: d.name, optional: d.optional };
    Ok(ir::Exec {
        meta: ir::ExecMeta {
            args: m.args,
            env: m.env,
            cwd: m.cwd,
            user: m.user,
            proxy_env: m.proxy_env.map(|p| {
                Box::new(ir::ProxyEnv {
                    http_proxy: p.http_proxy,
                    https_proxy: p.https_proxy,
                    ftp_proxy: p.ftp_proxy,
                    no_proxy: p.no_proxy,
                    all_proxy: p.all_proxy,
                })
            }),
            extra_hosts: m.extra_hosts.into_iter().map(|h| ir::HostIp { host: h.host, ip: h.ip }).collect(),
            hostname: m.hostname,
            ulimits: m.ulimit.into_iter().map(|u| ir::Ulimit { name: u.name, soft: u.soft, hard: u.hard }).collect(),
            cgroup_parent: m.cgroup_parent,
            remove_mount_stubs_recursive: m.remove_mount_stubs_recursive,
            valid_exit_codes: m.valid_exit_codes,
        },
        mounts: e.mounts.into_iter().map(|m| mount(m, inputs)).collect::<Result<_, _>>()?,
        network,
        security,
        secret_env: e.secretenv.into_iter().map(secret).collect(),
        cdi_devices: e.cdi_devices.into_iter().map(device).collect(),
    })
}

fn unknown(what: &str, value: i32) -> Fault {
    format!("has the {what} {value}, which the protocol as rbc knows it does not have").into()
}

fn mount(m: pb::Mount, inputs: &[Ref]) -> Result<ir::Mount, Fault> {
    let kind = match pb::MountType::try_from(m.mount_type) {
        Ok(pb::MountType::Bind) => ir::MountKind::Bind,
        Ok(pb::MountType::Secret) => {
            let pb::SecretOpt { id, uid, gid, mode, optional } = m.secret_opt.unwrap_or_default();
            ir::MountKind::Secret(ir::SecretMount { id, uid, gid, mode, optional })
        }
        Ok(pb::MountType::Ssh) => {
            let pb::SshOpt { id, uid, gid, mode, optional } = m.ssh_opt.unwrap_or_default();
            ir::MountKind::Ssh(ir::SshMount { id, uid, gid, mode, optional })
        }
        Ok(pb::MountType::Cache) => {
            let c = m.cache_opt.unwrap_or_default();
            let sharing = match pb::CacheSharingOpt::try_from(c.sharing) {
                Ok(pb::CacheSharingOpt::Shared) => ir::CacheSharing::Shared,
                Ok(pb::CacheSharingOpt::Private) => ir::CacheSharing::Private,
                Ok(pb::CacheSharingOpt::Locked) => ir::CacheSharing::Locked,
                Err(_) => return Err(unknown("cache sharing mode", c.sharing)),
            };
            ir::MountKind::Cache(ir::CacheMount { id: c.id, sharing })
        }
        Ok(pb::MountType::Tmpfs) => ir::MountKind::Tmpfs(ir::TmpfsMount { size: m.tmpfs_opt.unwrap_or_default().size }),
        Err(_) => return Err(unknown("mount type", m.mount_type)),
    };
    Ok(ir::Mount {
        input: input(m.input, inputs)?,
        selector: m.selector,
        dest: m.dest,
        output: output(m.output)?,
        readonly: m.readonly,
        kind,
        result_id: m.result_id,
        content_cache: match pb::MountContentCache::try_from(m.content_cache) {
            Ok(pb::MountContentCache::Default) => ir::ContentCache::Default,
            Ok(pb::MountContentCache::On) => ir::ContentCache::On,
            Ok(pb::MountContentCache::Off) => ir::ContentCache::Off,
            Err(_) => return Err(unknown("content cache mode", m.content_cache)),
        },
    })
}

fn action_input(index: i64, inputs: &[Ref]) -> Result<ir::Input, Fault> {
    let behind = index.checked_sub(inputs.len() as i64).filter(|i| *i >= 0);
    match behind.map(u32::try_from) {
        Some(Ok(i)) => Ok(ir::Input::Action(i)),
        Some(Err(_)) => Err(format!("uses input {index} of {}", inputs.len()).into()),
        None => Ok(input(index, inputs)?.into()),
    }
}

fn action(a: pb::FileAction, inputs: &[Ref]) -> Result<ir::FileAction, Fault> {
    let action = match a.action.ok_or("has a file action that does nothing")? {
        pb::FileActionKind::Copy(c) => ir::Action::Copy(Box::new(ir::Copy {
            src: c.src,
            dest: c.dest,
            owner: chown(c.owner, inputs)?,
            mode: c.mode,
            follow_symlink: c.follow_symlink,
            dir_copy_contents: c.dir_copy_contents,
            attempt_unpack: c.attempt_unpack_docker_compatibility,
            create_dest_path: c.create_dest_path,
            allow_wildcard: c.allow_wildcard,
            allow_empty_wildcard: c.allow_empty_wildcard,
            timestamp: c.timestamp,
            include_patterns: c.include_patterns,
            exclude_patterns: c.exclude_patterns,
            always_replace_existing_dest_paths: c.always_replace_existing_dest_paths,
            mode_str: c.mode_str,
            required_paths: c.required_paths,
        })),
        pb::FileActionKind::Mkfile(m) => ir::Action::Mkfile(ir::Mkfile {
            path: m.path,
            mode: m.mode,
            data: m.data.to_vec(),
            owner: chown(m.owner, inputs)?,
            timestamp: m.timestamp,
        }),
        pb::FileActionKind::Mkdir(m) => ir::Action::Mkdir(ir::Mkdir {
            path: m.path,
            mode: m.mode,
            make_parents: m.make_parents,
            owner: chown(m.owner, inputs)?,
            timestamp: m.timestamp,
        }),
        pb::FileActionKind::Rm(r) => ir::Action::Rm(ir::Rm {
            path: r.path,
            allow_not_found: r.allow_not_found,
            allow_wildcard: r.allow_wildcard,
        }),
        pb::FileActionKind::Symlink(s) => ir::Action::Symlink(ir::Symlink {
            oldpath: s.oldpath,
            newpath: s.newpath,
            owner: chown(s.owner, inputs)?,
            timestamp: s.timestamp,
        }),
    };
    Ok(ir::FileAction {
        input: action_input(a.input, inputs)?,
        secondary: action_input(a.secondary_input, inputs)?,
        output: output(a.output)?,
        action,
    })
}

fn chown(owner: Option<pb::ChownOpt>, inputs: &[Ref]) -> Result<Option<ir::ChownOpt>, Fault> {
    let Some(owner) = owner else { return Ok(None) };
    let user = |user: Option<pb::UserOpt>| {
        Ok::<_, Fault>(match user.and_then(|u| u.user) {
            None => None,
            Some(pb::UserKind::ById(id)) => Some(ir::UserOpt::Id(id)),
            Some(pb::UserKind::ByName(n)) => {
                Some(ir::UserOpt::Name { name: n.name, input: action_input(n.input, inputs)? })
            }
        })
    };
    Ok(Some(ir::ChownOpt { user: user(owner.user)?, group: user(owner.group)? }))
}
