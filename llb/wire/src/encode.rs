//! From ops and metadata of the graph to messages.

use std::collections::BTreeMap;

use prost::bytes::Bytes;
use rbc_ir as ir;

use crate::pb;

/// The index that stands for "no input" and "no output".
pub(crate) const NONE: i64 = -1;

/// The inputs of a vertex as they stand on the wire.
pub(crate) struct Inputs<'a> {
    /// How many there are.
    pub count: usize,
    /// The place of a reference among them; asked in the order of [`ir::Op::each_ref`].
    pub index: &'a mut dyn FnMut(ir::Ref) -> i64,
}

impl Inputs<'_> {
    fn of_ref(&mut self, r: Option<ir::Ref>) -> i64 {
        r.map_or(NONE, |r| (self.index)(r))
    }

    /// File actions count their predecessors behind the inputs.
    fn of_action(&mut self, input: ir::Input) -> i64 {
        match input {
            ir::Input::Scratch => NONE,
            ir::Input::Ref(r) => (self.index)(r),
            ir::Input::Action(i) => self.count as i64 + i64::from(i),
        }
    }
}

fn output(output: Option<u32>) -> i64 {
    output.map_or(NONE, i64::from)
}

fn string_map(map: &BTreeMap<String, String>) -> Vec<pb::StringEntry> {
    map.iter().map(|(k, v)| pb::StringEntry { key: k.clone(), value: v.clone() }).collect()
}

pub(crate) fn op(op: &ir::Op, inputs: &mut Inputs) -> pb::OpKind {
    match op {
        ir::Op::Source(s) => {
            pb::OpKind::Source(pb::SourceOp { identifier: s.identifier.clone(), attrs: string_map(&s.attrs) })
        }
        ir::Op::Exec(e) => pb::OpKind::Exec(Box::new(exec(e, inputs))),
        ir::Op::File(f) => {
            pb::OpKind::File(pb::FileOp { actions: f.actions.iter().map(|a| action(a, inputs)).collect() })
        }
        ir::Op::Merge(m) => {
            let of = |r: &ir::Ref| pb::MergeInput { input: inputs.of_ref(Some(*r)) };
            pb::OpKind::Merge(pb::MergeOp { inputs: m.inputs.iter().map(of).collect() })
        }
        ir::Op::Diff(d) => pb::OpKind::Diff(pb::DiffOp {
            lower: Some(pb::LowerDiffInput { input: inputs.of_ref(d.lower) }),
            upper: Some(pb::UpperDiffInput { input: inputs.of_ref(d.upper) }),
        }),
        ir::Op::Build(b) => {
            let builder = inputs.of_ref(b.builder);
            let of = |(key, r): (&String, &Option<ir::Ref>)| pb::BuildInputEntry {
                key: key.clone(),
                value: pb::BuildInput { input: inputs.of_ref(*r) },
            };
            pb::OpKind::Build(pb::BuildOp {
                builder,
                inputs: b.inputs.iter().map(of).collect(),
                def: b.def.as_ref().map(|d| Bytes::copy_from_slice(d)),
                attrs: string_map(&b.attrs),
            })
        }
        ir::Op::Passthrough(p) => pb::OpKind::Passthrough(pb::PassthroughOp {
            id: p.id.clone(),
            outputs: p.outputs.iter().map(|o| i64::from(*o)).collect(),
        }),
    }
}

fn exec(e: &ir::Exec, inputs: &mut Inputs) -> pb::ExecOp {
    let m = &e.meta;
    let meta = pb::Meta {
        args: m.args.clone(),
        env: m.env.clone(),
        cwd: m.cwd.clone(),
        user: m.user.clone(),
        proxy_env: m.proxy_env.as_ref().map(|p| pb::ProxyEnv {
            http_proxy: p.http_proxy.clone(),
            https_proxy: p.https_proxy.clone(),
            ftp_proxy: p.ftp_proxy.clone(),
            no_proxy: p.no_proxy.clone(),
            all_proxy: p.all_proxy.clone(),
        }),
        extra_hosts: m.extra_hosts.iter().map(|h| pb::HostIp { host: h.host.clone(), ip: h.ip.clone() }).collect(),
        hostname: m.hostname.clone(),
        ulimit: m.ulimits.iter().map(|u| pb::Ulimit { name: u.name.clone(), soft: u.soft, hard: u.hard }).collect(),
        cgroup_parent: m.cgroup_parent.clone(),
        remove_mount_stubs_recursive: m.remove_mount_stubs_recursive,
        valid_exit_codes: m.valid_exit_codes.clone(),
    };
    let secret = |s: &ir::SecretEnv| pb::SecretEnv { id: s.id.clone(), name: s.name.clone(), optional: s.optional };
    let network = match e.network {
        ir::NetMode::Unset => pb::NetMode::Unset,
        ir::NetMode::Host => pb::NetMode::Host,
        ir::NetMode::None => pb::NetMode::None,
    };
    let security = match e.security {
        ir::SecurityMode::Sandbox => pb::SecurityMode::Sandbox,
        ir::SecurityMode::Insecure => pb::SecurityMode::Insecure,
    };
    pb::ExecOp {
        meta: Some(meta),
        mounts: e.mounts.iter().map(|m| mount(m, inputs)).collect(),
        network: network.into(),
        security: security.into(),
        secretenv: e.secret_env.iter().map(secret).collect(),
        cdi_devices: e
            .cdi_devices
            .iter()
            .map(|d| pb::CdiDevice { name: d.name.clone(), optional: d.optional })
            .collect(),
    }
}

fn mount(m: &ir::Mount, inputs: &mut Inputs) -> pb::Mount {
    let mut mount = pb::Mount {
        input: inputs.of_ref(m.input),
        selector: m.selector.clone(),
        dest: m.dest.clone(),
        output: output(m.output),
        readonly: m.readonly,
        result_id: m.result_id.clone(),
        content_cache: match m.content_cache {
            ir::ContentCache::Default => pb::MountContentCache::Default,
            ir::ContentCache::On => pb::MountContentCache::On,
            ir::ContentCache::Off => pb::MountContentCache::Off,
        }
        .into(),
        ..pb::Mount::default()
    };
    let kind = match &m.kind {
        ir::MountKind::Bind => pb::MountType::Bind,
        ir::MountKind::Secret(s) => {
            let ir::SecretMount { ref id, uid, gid, mode, optional } = *s;
            mount.secret_opt = Some(pb::SecretOpt { id: id.clone(), uid, gid, mode, optional });
            pb::MountType::Secret
        }
        ir::MountKind::Ssh(s) => {
            let ir::SshMount { ref id, uid, gid, mode, optional } = *s;
            mount.ssh_opt = Some(pb::SshOpt { id: id.clone(), uid, gid, mode, optional });
            pb::MountType::Ssh
        }
        ir::MountKind::Cache(c) => {
            let sharing = match c.sharing {
                ir::CacheSharing::Shared => pb::CacheSharingOpt::Shared,
                ir::CacheSharing::Private => pb::CacheSharingOpt::Private,
                ir::CacheSharing::Locked => pb::CacheSharingOpt::Locked,
            };
            mount.cache_opt = Some(pb::CacheOpt { id: c.id.clone(), sharing: sharing.into() });
            pb::MountType::Cache
        }
        ir::MountKind::Tmpfs(t) => {
            mount.tmpfs_opt = Some(pb::TmpfsOpt { size: t.size });
            pb::MountType::Tmpfs
        }
    };
    mount.mount_type = kind.into();
    mount
}

fn action(a: &ir::FileAction, inputs: &mut Inputs) -> pb::FileAction {
    let input = inputs.of_action(a.input);
    let action = match &a.action {
        ir::Action::Copy(c) => pb::FileActionKind::Copy(pb::FileActionCopy {
            src: c.src.clone(),
            dest: c.dest.clone(),
            owner: chown(&c.owner, inputs),
            mode: c.mode,
            follow_symlink: c.follow_symlink,
            dir_copy_contents: c.dir_copy_contents,
            attempt_unpack_docker_compatibility: c.attempt_unpack,
            create_dest_path: c.create_dest_path,
            allow_wildcard: c.allow_wildcard,
            allow_empty_wildcard: c.allow_empty_wildcard,
            timestamp: c.timestamp,
            include_patterns: c.include_patterns.clone(),
            exclude_patterns: c.exclude_patterns.clone(),
            always_replace_existing_dest_paths: c.always_replace_existing_dest_paths,
            mode_str: c.mode_str.clone(),
            required_paths: c.required_paths.clone(),
        }),
        ir::Action::Mkfile(m) => pb::FileActionKind::Mkfile(pb::FileActionMkFile {
            path: m.path.clone(),
            mode: m.mode,
            data: Bytes::copy_from_slice(&m.data),
            owner: chown(&m.owner, inputs),
            timestamp: m.timestamp,
        }),
        ir::Action::Mkdir(m) => pb::FileActionKind::Mkdir(pb::FileActionMkDir {
            path: m.path.clone(),
            mode: m.mode,
            make_parents: m.make_parents,
            owner: chown(&m.owner, inputs),
            timestamp: m.timestamp,
        }),
        ir::Action::Rm(r) => pb::FileActionKind::Rm(pb::FileActionRm {
            path: r.path.clone(),
            allow_not_found: r.allow_not_found,
            allow_wildcard: r.allow_wildcard,
        }),
        ir::Action::Symlink(s) => pb::FileActionKind::Symlink(pb::FileActionSymlink {
            oldpath: s.oldpath.clone(),
            newpath: s.newpath.clone(),
            owner: chown(&s.owner, inputs),
            timestamp: s.timestamp,
        }),
    };
    pb::FileAction {
        input,
        secondary_input: inputs.of_action(a.secondary),
        output: output(a.output),
        action: Some(action),
    }
}

fn chown(owner: &Option<ir::ChownOpt>, inputs: &mut Inputs) -> Option<pb::ChownOpt> {
    let owner = owner.as_ref()?;
    let mut user = |user: &Option<ir::UserOpt>| {
        user.as_ref().map(|u| pb::UserOpt {
            user: Some(match u {
                ir::UserOpt::Id(id) => pb::UserKind::ById(*id),
                ir::UserOpt::Name { name, input } => {
                    pb::UserKind::ByName(pb::NamedUserOpt { name: name.clone(), input: inputs.of_action(*input) })
                }
            }),
        })
    };
    Some(pb::ChownOpt { user: user(&owner.user), group: user(&owner.group) })
}

pub(crate) fn platform(p: &ir::Platform) -> pb::Platform {
    pb::Platform {
        architecture: p.architecture.clone(),
        os: p.os.clone(),
        variant: p.variant.clone(),
        os_version: p.os_version.clone(),
        os_features: p.os_features.clone(),
    }
}

pub(crate) fn metadata(m: &ir::Meta) -> pb::OpMetadata {
    pb::OpMetadata {
        ignore_cache: m.ignore_cache,
        description: m
            .description
            .iter()
            .map(|(k, v)| pb::StringEntry { key: k.to_string(), value: v.clone() })
            .collect(),
        export_cache: m.export_cache.map(|value| pb::ExportCache { value }),
        caps: m.caps.iter().map(|c| pb::BoolEntry { key: c.to_string(), value: true }).collect(),
        progress_group: m.progress_group.as_ref().map(|g| pb::ProgressGroup {
            id: g.id.clone(),
            name: g.name.clone(),
            weak: g.weak,
        }),
        linux_resources: m.linux_resources.as_ref().map(|l| pb::LinuxResources {
            memory: l.memory,
            memory_swap: l.memory_swap,
            cpu_shares: l.cpu_shares,
            cpu_period: l.cpu_period,
            cpu_quota: l.cpu_quota,
            cpuset_cpus: l.cpuset_cpus.clone(),
            cpuset_mems: l.cpuset_mems.clone(),
        }),
    }
}

pub(crate) fn ranges(ranges: &[ir::Range]) -> Vec<pb::Range> {
    let position = |p: ir::Position| Some(pb::Position { line: p.line, character: p.character });
    ranges.iter().map(|r| pb::Range { start: position(r.start), end: position(r.end) }).collect()
}
