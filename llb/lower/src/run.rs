//! RUN.

use std::collections::HashSet;

use rbc_ast::recipe::{Network, Run, Security};
use rbc_context::path;
use rbc_ir::{
    self as ir, CacheMount, CacheSharing, CdiDevice, Exec, ExecMeta, HostIp, LinuxResources, MountKind, NetMode, Op,
    ProxyEnv, SecretEnv, SecretMount, SecurityMode, SshMount, TmpfsMount, caps,
};
use rbc_sema::model::{StageId, StepRef};
use rbc_source::{Diagnostic, lower as codes};
use rbc_word::{Env, Mode, Template, Unset};

use crate::builder::{named, normalize_path, with_command};
use crate::env::StageEnv;
use crate::mount::{Kind, Mount, Sharing};
use crate::stage::{Built, Lowering, upper_instruction};
use crate::weight;

/// Where a script given as heredoc is put.
const SCRIPTS: &str = "/dev/pipes/";

/// Mounts of a command in the making.
#[derive(Default)]
struct Mounts {
    /// File systems, in order of writing.
    files: Vec<ir::Mount>,
    secrets: Vec<ir::Mount>,
    secret_env: Vec<SecretEnv>,
    ssh: Vec<ir::Mount>,
}

impl<'a> Lowering<'a> {
    pub(crate) fn run_step(&mut self, id: StageId, step: &StepRef<'a>, run: &'a Run) -> Result<(), Box<Diagnostic>> {
        let mut expanded = Vec::with_capacity(run.mounts.len());
        for written in &run.mounts {
            expanded.push(Mount::read(written, |word| self.expand(id, step, word))?);
        }
        // A command can read any file.
        self.use_path(id, "/");
        let mut mounts = Mounts::default();
        let mut shown = step.step.head.code.to_string();
        let args = self.command(id, run, &mut mounts, &mut shown);
        for (i, mount) in expanded.iter().enumerate() {
            self.mount(id, step, mount, step.sources[i], &mut mounts)?;
        }
        if !run.devices.is_empty() && !self.labs() && self.builder.caps.supports(caps::EXEC_META_CDI) {
            return Err(Box::new(
                Diagnostic::new(codes::LABS, "`--device` is an experimental feature")
                    .at(step.span)
                    .note("ask for those with `# syntax=docker/dockerfile:1-labs` in the first line, or with `--labs`"),
            ));
        }
        let secrets = expanded.iter().filter(|m| m.kind == Kind::Secret).filter_map(|m| m.env.as_deref());
        let env = Shown { env: &self.built[id].env, secrets: secrets.collect() };
        let shown = expand_shown(&shown, self.model.scope.recipe.escape, &env);
        let platform = self.built[id].state.platform.clone();
        let name = self.prefix_step(id, step, &upper_instruction(&shown), platform.as_deref());
        let shm = self.builder.options.shm_size;
        if shm > 0 && self.builder.caps.supports(caps::EXEC_MOUNT_TMPFS_SIZE) {
            let kind = MountKind::Tmpfs(TmpfsMount { size: shm });
            mounts.files.push(ir::Mount::without_input("/dev/shm", kind));
        }
        let mut meta = with_command(named(name), &step.step.head.code);
        meta.ignore_cache = self.model.stages[id].no_cache;
        meta.linux_resources = self.linux_resources();
        let meta = self.located(id, step, meta);
        self.builder.grow(weight::PART * self.built[id].args.len())?;
        self.commit(id, true, |built| history(built, &args));
        let empty = args.is_empty();
        let exec = self.exec(id, run, args, mounts);
        let root = exec.mounts.iter().find(|m| m.dest == ir::ROOT_MOUNT).and_then(|m| m.output).unwrap_or_default();
        let out = self.builder.add(Op::Exec(Box::new(exec)), platform.as_deref(), meta).output(root);
        if empty {
            self.empty_runs.push((out, step.span));
        }
        self.built[id].state.out = Some(out);
        Ok(())
    }

    /// The arguments to run. A heredoc that is a script of its own becomes a file; `shown` gets a hint of it.
    fn command(&mut self, id: StageId, run: &Run, mounts: &mut Mounts, shown: &mut String) -> Vec<String> {
        let command = &run.command;
        let mut args: Vec<String> = command.args.iter().map(|a| a.text.to_string()).collect();
        if let ([first, ..], [line]) = (&command.heredocs[..], &args[..]) {
            if matches!(rbc_word::heredoc::parse(line), Ok(Some(_))) {
                let script = first.content();
                if self.built[id].image.platform.os != "windows" && script.starts_with("#!") {
                    let file = self.builder.inline_file(&first.name, 0o755, &script);
                    let mut mount = ir::Mount::bind(SCRIPTS, Some(file));
                    mount.selector = "/".to_owned();
                    mount.readonly = true;
                    mounts.files.push(mount);
                    args = vec![path::join(&[SCRIPTS, &first.name])];
                } else {
                    args = vec![script.into_owned()];
                }
                *shown += &format!(" ({})", first_line(&first.body));
            } else {
                // The shell reads the heredocs itself.
                let mut text = line.clone();
                for heredoc in &command.heredocs {
                    text.push('\n');
                    text += &heredoc.body;
                    text += &heredoc.name;
                }
                args = vec![text];
            }
        }
        if command.shell { self.built[id].with_shell(&args) } else { args }
    }

    fn mount(
        &mut self,
        id: StageId,
        step: &StepRef<'a>,
        mount: &Mount,
        source: StageId,
        mounts: &mut Mounts,
    ) -> Result<(), Box<Diagnostic>> {
        let span = mount.span.unwrap_or(step.span);
        let from_context = mount.from.is_empty() && mount.kind != Kind::Cache;
        if !from_context && !self.built[source].dispatched {
            let from = &self.model.stages[source].base_name;
            let name = if mount.from.is_empty() { from } else { &mount.from };
            return Err(Box::new(
                Diagnostic::new(codes::STAGE_ORDER, format!("`{name}` cannot be mounted: it comes later in the file"))
                    .at(span)
                    .note("move the stage before this one"),
            ));
        }
        match mount.kind {
            Kind::Secret => {
                self.secret(id, step, mount, mounts);
                return Ok(());
            }
            Kind::Ssh => {
                if !mount.source.is_empty() {
                    let message = "an ssh mount has no `source`: write `id`";
                    return Err(Box::new(Diagnostic::new(codes::MOUNT, message).at(span)));
                }
                self.ssh(id, step, mount, mounts);
                return Ok(());
            }
            Kind::Bind | Kind::Cache | Kind::Tmpfs => {}
        }
        let mut input = match mount.kind {
            Kind::Tmpfs => None,
            _ if from_context => self.context(),
            _ => self.built[source].state.out,
        };
        let target = if path::clean(&mount.target).starts_with('/') {
            mount.target.clone()
        } else {
            path::join(&["/", &self.built[id].state.dir, &mount.target])
        };
        if target == "/" {
            return Err(Box::new(
                Diagnostic::new(codes::MOUNT, "a mount cannot take the place of the root directory")
                    .at(span)
                    .note("give it a `target`"),
            ));
        }
        let mut selector = path::join(&["/", &mount.source]);
        if selector == "/" {
            selector.clear();
            if mount.uid.is_some() || mount.gid.is_some() || mount.mode.is_some() {
                input = Some(self.cache_directory(mount, input));
                selector.push_str("/cache");
            }
        }
        let no_output =
            mount.kind == Kind::Bind && self.builder.caps.supports(caps::EXEC_MOUNT_BIND_READ_WRITE_NO_OUTPUT);
        let keeps = mount.kind == Kind::Bind && !mount.readonly && !no_output;
        mounts.files.push(ir::Mount {
            selector,
            readonly: mount.readonly,
            // Numbered when all mounts are known.
            output: keeps.then_some(0),
            kind: match mount.kind {
                Kind::Cache => {
                    let name = if mount.id.is_empty() { path::clean(&mount.target) } else { mount.id.clone() };
                    let sharing = match mount.sharing {
                        None | Some(Sharing::Shared) => CacheSharing::Shared,
                        Some(Sharing::Private) => CacheSharing::Private,
                        Some(Sharing::Locked) => CacheSharing::Locked,
                    };
                    let id = format!("{}/{name}", self.builder.options.cache_namespace);
                    MountKind::Cache(CacheMount { id, sharing })
                }
                Kind::Tmpfs => MountKind::Tmpfs(TmpfsMount { size: mount.size }),
                _ => MountKind::Bind,
            },
            ..ir::Mount::bind(target, input)
        });
        if from_context {
            self.built[id].context_paths.insert(path::join(&["/", &mount.source]));
        } else {
            self.use_path(source, &mount.source);
        }
        Ok(())
    }

    /// A directory with the owner and permissions that a cache is to have when it is new.
    fn cache_directory(&mut self, mount: &Mount, base: Option<ir::Ref>) -> ir::Ref {
        let mkdir = ir::Mkdir {
            path: normalize_path("/", "/cache", false),
            mode: mount.mode.map_or(0o755, |m| (m & 0o777) as i32),
            make_parents: false,
            owner: Some(ir::ChownOpt {
                user: Some(ir::UserOpt::Id(mount.uid.unwrap_or_default())),
                group: Some(ir::UserOpt::Id(mount.gid.unwrap_or_default())),
            }),
            timestamp: -1,
        };
        let action = ir::FileAction::on(base, ir::Action::Mkdir(mkdir));
        self.builder.file(vec![action], named("[internal] setting cache mount permissions"))
    }

    fn secret(&mut self, id: StageId, step: &StepRef<'_>, mount: &Mount, mounts: &mut Mounts) {
        let name = [&mount.source, &mount.id].into_iter().find(|s| !s.is_empty()).cloned();
        let name = name.unwrap_or_else(|| path::base(&mount.target).to_owned());
        let target = match (&mount.env, mount.target.as_str()) {
            (Some(_), "") => None,
            (None, "") => Some(format!("/run/secrets/{}", path::base(&name))),
            (_, target) => Some(target.to_owned()),
        };
        self.built[id].capture.secrets.entry(name.clone()).or_insert((mount.required, step.span));
        let optional = !mount.required;
        if let Some(env) = &mount.env {
            mounts.secret_env.push(SecretEnv { id: name.clone(), name: env.clone(), optional });
        }
        if let Some(target) = target {
            let (uid, gid, mode) = owner_and_mode(mount, 0o400);
            let kind = MountKind::Secret(SecretMount { id: name, uid, gid, mode, optional });
            mounts.secrets.push(ir::Mount::without_input(target, kind));
        }
    }

    fn ssh(&mut self, id: StageId, step: &StepRef<'_>, mount: &Mount, mounts: &mut Mounts) {
        let name = if mount.id.is_empty() { "default" } else { &mount.id };
        self.built[id].capture.ssh.entry(name.to_owned()).or_insert((mount.required, step.span));
        let target = match mount.target.as_str() {
            "" => format!("/run/buildkit/ssh_agent.{}", mounts.ssh.len()),
            target => target.to_owned(),
        };
        let (uid, gid, mode) = owner_and_mode(mount, 0o600);
        let kind = MountKind::Ssh(SshMount { id: mount.id.clone(), uid, gid, mode, optional: !mount.required });
        mounts.ssh.push(ir::Mount::without_input(target, kind));
    }

    fn exec(&mut self, id: StageId, run: &Run, args: Vec<String>, mounts: Mounts) -> Exec {
        let options = self.builder.options;
        let can = |cap: &str| self.builder.caps.supports(cap);
        let Built { state, env, .. } = &self.built[id];
        let no_agent = env.value("SSH_AUTH_SOCK").is_none();
        let mut env = env.to_strings();
        if let Some(agent) = mounts.ssh.first()
            && no_agent
        {
            env.push(format!("SSH_AUTH_SOCK={}", agent.dest));
        }
        // The reference asks for the platform of the build here, not for that of the command.
        caps::default_path(&mut env, &self.target_platform().os, self.builder.caps);
        let mut files = vec![ir::Mount { output: Some(0), ..ir::Mount::bind(ir::ROOT_MOUNT, state.out) }];
        files.extend(mounts.files);
        files.sort_by(|a, b| a.dest.cmp(&b.dest));
        for (number, mount) in files.iter_mut().filter(|m| m.output.is_some()).enumerate() {
            mount.output = Some(number as u32);
        }
        files.extend(mounts.secrets);
        files.extend(mounts.ssh);
        let mut cdi_devices = Vec::new();
        if can(caps::EXEC_META_CDI) {
            let devices = run.devices.iter();
            cdi_devices.extend(devices.map(|d| CdiDevice { name: d.name.to_string(), optional: !d.required }));
        }
        let mut ulimits = Vec::new();
        if can(caps::EXEC_META_ULIMIT) {
            let limits = options.ulimits.iter();
            ulimits.extend(limits.map(|u| ir::Ulimit { name: u.name.clone(), soft: u.soft, hard: u.hard }));
        }
        let hosts = options.extra_hosts.iter();
        Exec {
            meta: ExecMeta {
                args,
                env,
                cwd: state.dir.to_string(),
                user: state.user.clone(),
                proxy_env: self.proxy_env(),
                extra_hosts: hosts
                    .map(|(host, ip)| HostIp { host: host.clone(), ip: ip.to_canonical().to_string() })
                    .collect(),
                hostname: state.hostname.clone(),
                ulimits,
                cgroup_parent: if can(caps::EXEC_META_CGROUP_PARENT) {
                    options.cgroup_parent.clone()
                } else {
                    String::new()
                },
                remove_mount_stubs_recursive: true,
                valid_exit_codes: Vec::new(),
            },
            mounts: files,
            network: match run.network {
                Network::Default => state.network,
                Network::None => NetMode::None,
                Network::Host => NetMode::Host,
            },
            security: match run.security {
                Security::Sandbox => SecurityMode::Sandbox,
                Security::Insecure => SecurityMode::Insecure,
            },
            secret_env: mounts.secret_env,
            cdi_devices,
        }
    }

    /// Proxies given as build arguments reach every command without being variables of the image.
    fn proxy_env(&self) -> Option<Box<ProxyEnv>> {
        let mut proxy = ProxyEnv::default();
        let mut given = false;
        for (name, value) in &self.model.scope.build_args {
            let field = match name.to_ascii_lowercase().as_str() {
                "http_proxy" => &mut proxy.http_proxy,
                "https_proxy" => &mut proxy.https_proxy,
                "ftp_proxy" => &mut proxy.ftp_proxy,
                "no_proxy" => &mut proxy.no_proxy,
                "all_proxy" => &mut proxy.all_proxy,
                _ => continue,
            };
            field.clone_from(value);
            given = true;
        }
        given.then(|| Box::new(proxy))
    }

    fn linux_resources(&self) -> Option<Box<LinuxResources>> {
        let given = self.builder.options.resources.as_ref()?;
        self.builder.caps.supports(caps::EXEC_META_LINUX_RESOURCES).then(|| {
            Box::new(LinuxResources {
                memory: given.memory,
                memory_swap: given.memory_swap,
                cpu_shares: given.cpu_shares,
                cpu_period: given.cpu_period,
                cpu_quota: given.cpu_quota,
                cpuset_cpus: given.cpuset_cpus.clone(),
                cpuset_mems: given.cpuset_mems.clone(),
            })
        })
    }
}

fn owner_and_mode(mount: &Mount, default: u32) -> (u32, u32, u32) {
    (mount.uid.unwrap_or_default(), mount.gid.unwrap_or_default(), mount.mode.unwrap_or(default))
}

/// The variables to show a command with: those that hold a secret are masked.
struct Shown<'a> {
    env: &'a StageEnv,
    secrets: HashSet<&'a str>,
}

impl Env for Shown<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        if self.secrets.contains(name) { Some("****") } else { self.env.value(name) }
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        self.env.keys()
    }
}

/// Expands a command for display: known variables only, quotes stay.
fn expand_shown(text: &str, escape: char, env: &dyn Env) -> String {
    let mode = Mode { raw_quotes: true, ..Mode::default() };
    let expanded =
        Template::parse(text, escape, mode).and_then(|t| t.expand(env, Unset::Keep).map(|e| e.text.into_owned()));
    expanded.unwrap_or_else(|_| text.to_owned())
}

/// The first line of a script, with dots if there are more.
fn first_line(script: &str) -> String {
    let script = script.trim().replace("\r\n", "\n");
    match script.split_once('\n') {
        Some((first, _)) => format!("{first}..."),
        None => script,
    }
}

/// The entry of a command in the image's history: with the build arguments that it could see.
fn history(built: &Built, args: &[String]) -> String {
    let mut entry = String::from("RUN ");
    if !built.args.is_empty() {
        entry += &format!("|{} ", built.args.len());
    }
    for (name, value) in &built.args {
        let value = built.env.value(name).unwrap_or_else(|| value.as_deref().unwrap_or_default());
        entry.extend([name, "=", value, " "]);
    }
    entry += &args.join(" ");
    entry + " # buildkit"
}
