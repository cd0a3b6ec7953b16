//! The ops of LLB, with the names of its protocol (moby/buildkit `solver/pb/ops.proto`).

use std::collections::BTreeMap;

use crate::Ref;

/// The path of an exec op's root mount.
pub const ROOT_MOUNT: &str = "/";

/// A platform as the OCI image specification has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    /// The operating system (`linux`).
    pub os: String,
    /// The processor (`arm64`).
    pub architecture: String,
    /// The variant of the processor (`v7`); may be empty.
    pub variant: String,
    /// The version of the operating system; may be empty.
    pub os_version: String,
    /// Features that the operating system must have.
    pub os_features: Vec<String>,
}

/// What a vertex does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Brings something in from outside.
    Source(Source),
    /// Runs a command in a container.
    Exec(Box<Exec>),
    /// Copies, makes and removes files.
    File(File),
    /// Lays file systems over one another.
    Merge(Merge),
    /// What one file system adds to another.
    Diff(Diff),
    /// Runs a build described by a file system.
    Build(Box<Build>),
    /// Hands inputs on, as a vertex of its own.
    Passthrough(Passthrough),
}

/// Brings something in from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// What, as a URL whose scheme is the kind of source: `docker-image://`, `local://`, `git://`, `https://`,
    /// `oci-layout://`.
    pub identifier: String,
    /// Options of the kind (`local.followpaths`, `image.resolvemode`, ...).
    pub attrs: BTreeMap<String, String>,
}

/// Runs a command in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Exec {
    /// The command and its surroundings.
    pub meta: ExecMeta,
    /// What is mounted, sorted by `dest`; secrets and then ssh agents stand behind the others.
    pub mounts: Vec<Mount>,
    /// The network it sees.
    pub network: NetMode,
    /// What it may do.
    pub security: SecurityMode,
    /// Environment variables filled from secrets.
    pub secret_env: Vec<SecretEnv>,
    /// Devices by their CDI names.
    pub cdi_devices: Vec<CdiDevice>,
}

/// A command and its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExecMeta {
    /// The command, word by word.
    pub args: Vec<String>,
    /// The environment as `NAME=value`.
    pub env: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// Who runs it: a name or an id, with a group behind a colon; empty is root.
    pub user: String,
    /// Proxy variables, which take no part in the cache key.
    pub proxy_env: Option<Box<ProxyEnv>>,
    /// Lines for `/etc/hosts`.
    pub extra_hosts: Vec<HostIp>,
    /// The host name; may be empty.
    pub hostname: String,
    /// Resource limits.
    pub ulimits: Vec<Ulimit>,
    /// The parent cgroup; may be empty.
    pub cgroup_parent: String,
    /// Whether directories made as mount points are removed with their then empty parents.
    pub remove_mount_stubs_recursive: bool,
    /// Exit codes that count as success; empty is just 0.
    pub valid_exit_codes: Vec<i32>,
}

/// Proxy variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProxyEnv {
    /// `HTTP_PROXY`
    pub http_proxy: String,
    /// `HTTPS_PROXY`
    pub https_proxy: String,
    /// `FTP_PROXY`
    pub ftp_proxy: String,
    /// `NO_PROXY`
    pub no_proxy: String,
    /// `ALL_PROXY`
    pub all_proxy: String,
}

/// A line for `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostIp {
    /// The name.
    pub host: String,
    /// The address.
    pub ip: String,
}

/// A resource limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ulimit {
    /// Its name (`nofile`).
    pub name: String,
    /// The soft limit; -1 is none.
    pub soft: i64,
    /// The hard limit; -1 is none.
    pub hard: i64,
}

/// The network that a command sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NetMode {
    /// One of its own.
    #[default]
    Unset,
    /// The machine's.
    Host,
    /// None.
    None,
}

/// What a command may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SecurityMode {
    /// What a container may.
    #[default]
    Sandbox,
    /// Nearly everything.
    Insecure,
}

/// An environment variable filled from a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SecretEnv {
    /// The secret.
    pub id: String,
    /// The variable.
    pub name: String,
    /// Whether the command runs without it.
    pub optional: bool,
}

/// A device by its CDI name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CdiDevice {
    /// The fully qualified name (`vendor.com/gpu=gpudevice1`).
    pub name: String,
    /// Whether the command runs without it.
    pub optional: bool,
}

/// Something mounted for a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mount {
    /// What; `None` is scratch, or nothing for a kind that takes no input.
    pub input: Option<Ref>,
    /// The directory of the input that is mounted; empty is all of it.
    pub selector: String,
    /// Where.
    pub dest: String,
    /// The output of the exec that holds what the command made of it; `None` if nothing keeps it. Secrets and ssh
    /// agents have `Some(0)`, which means nothing but is part of the bytes.
    pub output: Option<u32>,
    /// Whether it cannot be written.
    pub readonly: bool,
    /// The kind, with its options.
    pub kind: MountKind,
    /// A name for the result.
    pub result_id: String,
    /// Whether the cache key of the exec may rest on the content of the input.
    pub content_cache: ContentCache,
}

impl Mount {
    /// A bind mount of `input` at `dest` that keeps nothing and can be written.
    pub fn bind(dest: impl Into<String>, input: Option<Ref>) -> Self {
        Mount {
            input,
            selector: String::new(),
            dest: dest.into(),
            output: None,
            readonly: false,
            kind: MountKind::Bind,
            result_id: String::new(),
            content_cache: ContentCache::Default,
        }
    }

    /// A mount of `kind` at `dest` that takes no input.
    pub fn without_input(dest: impl Into<String>, kind: MountKind) -> Self {
        let output = match kind {
            MountKind::Secret(_) | MountKind::Ssh(_) => Some(0),
            MountKind::Bind | MountKind::Cache(_) | MountKind::Tmpfs(_) => None,
        };
        Mount { output, kind, ..Mount::bind(dest, None) }
    }
}

/// The kind of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// The input, as it is.
    Bind,
    /// A file with a secret.
    Secret(SecretMount),
    /// The socket of an ssh agent.
    Ssh(SshMount),
    /// A directory that outlives the build.
    Cache(CacheMount),
    /// Memory.
    Tmpfs(TmpfsMount),
}

/// Options of a secret mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SecretMount {
    /// The secret.
    pub id: String,
    /// Owner of the file.
    pub uid: u32,
    /// Group of the file.
    pub gid: u32,
    /// Permission bits of the file.
    pub mode: u32,
    /// Whether the command runs without it.
    pub optional: bool,
}

/// Options of an ssh mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SshMount {
    /// The agent.
    pub id: String,
    /// Owner of the socket.
    pub uid: u32,
    /// Group of the socket.
    pub gid: u32,
    /// Permission bits of the socket.
    pub mode: u32,
    /// Whether the command runs without it.
    pub optional: bool,
}

/// Options of a cache mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CacheMount {
    /// Which cache.
    pub id: String,
    /// Who may use it at once.
    pub sharing: CacheSharing,
}

/// Who may use a cache mount at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CacheSharing {
    /// Anyone.
    #[default]
    Shared,
    /// One command; a second one gets a new directory.
    Private,
    /// One command; a second one waits.
    Locked,
}

/// Options of a tmpfs mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TmpfsMount {
    /// The most that it may hold, in bytes; 0 is no limit.
    pub size: i64,
}

/// Whether the cache key of an exec may rest on the content of a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentCache {
    /// As the backend sees fit.
    #[default]
    Default,
    /// Yes.
    On,
    /// No.
    Off,
}

/// Copies, makes and removes files: actions, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct File {
    /// The actions.
    pub actions: Vec<FileAction>,
}

/// What a file action works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The empty file system, or nothing.
    Scratch,
    /// An output of another node.
    Ref(Ref),
    /// What an earlier action of the same op made, by its index.
    Action(u32),
}

impl From<Option<Ref>> for Input {
    fn from(r: Option<Ref>) -> Self {
        r.map_or(Input::Scratch, Input::Ref)
    }
}

/// One action of a file op.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileAction {
    /// What it changes.
    pub input: Input,
    /// What a copy reads. Other actions have no use for it and leave it at scratch.
    pub secondary: Input,
    /// The output of the op that holds the result; `None` if only later actions use it.
    pub output: Option<u32>,
    /// What it does.
    pub action: Action,
}

impl FileAction {
    /// A copy from `from` onto `input`, without an output.
    pub fn copy(input: impl Into<Input>, from: impl Into<Input>, copy: Copy) -> Self {
        FileAction { input: input.into(), secondary: from.into(), output: None, action: Action::Copy(Box::new(copy)) }
    }

    /// Another action on `input`, without an output.
    pub fn on(input: impl Into<Input>, action: Action) -> Self {
        FileAction { input: input.into(), secondary: Input::Scratch, output: None, action }
    }
}

/// What a file action does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Copies files.
    Copy(Box<Copy>),
    /// Makes a file.
    Mkfile(Mkfile),
    /// Makes a directory.
    Mkdir(Mkdir),
    /// Removes a file or directory.
    Rm(Rm),
    /// Makes a symbolic link.
    Symlink(Symlink),
}

/// Copies files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Copy {
    /// What, in the source.
    pub src: String,
    /// Where to.
    pub dest: String,
    /// The new owner; `None` keeps it.
    pub owner: Option<ChownOpt>,
    /// The new permission bits; -1 keeps them.
    pub mode: i32,
    /// Whether links in `src` are followed.
    pub follow_symlink: bool,
    /// Whether of a directory only the content is copied.
    pub dir_copy_contents: bool,
    /// Whether an archive is unpacked.
    pub attempt_unpack: bool,
    /// Whether missing directories of `dest` are made.
    pub create_dest_path: bool,
    /// Whether `src` is a pattern.
    pub allow_wildcard: bool,
    /// Whether a pattern may match nothing.
    pub allow_empty_wildcard: bool,
    /// The new time stamp, in nanoseconds since 1970; -1 keeps it.
    pub timestamp: i64,
    /// Only what one of these matches is copied; empty is everything.
    pub include_patterns: Vec<String>,
    /// Nothing that one of these matches is copied.
    pub exclude_patterns: Vec<String>,
    /// Whether something of another kind in the way is replaced.
    pub always_replace_existing_dest_paths: bool,
    /// The new permission bits in symbols (`u+x`); may be empty.
    pub mode_str: String,
    /// Paths that must be among what is copied.
    pub required_paths: Vec<String>,
}

impl Copy {
    /// A copy of `src` to `dest` that keeps mode and time stamp and has every option off.
    pub fn new(src: impl Into<String>, dest: impl Into<String>) -> Self {
        Copy {
            src: src.into(),
            dest: dest.into(),
            owner: None,
            mode: -1,
            follow_symlink: false,
            dir_copy_contents: false,
            attempt_unpack: false,
            create_dest_path: false,
            allow_wildcard: false,
            allow_empty_wildcard: false,
            timestamp: -1,
            include_patterns: Vec::new(),
            exclude_patterns: Vec::new(),
            always_replace_existing_dest_paths: false,
            mode_str: String::new(),
            required_paths: Vec::new(),
        }
    }
}

/// Makes a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mkfile {
    /// Where.
    pub path: String,
    /// Its permission bits.
    pub mode: i32,
    /// Its content.
    pub data: Vec<u8>,
    /// Its owner; `None` is root.
    pub owner: Option<ChownOpt>,
    /// Its time stamp, in nanoseconds since 1970; -1 is now.
    pub timestamp: i64,
}

/// Makes a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mkdir {
    /// Where.
    pub path: String,
    /// Its permission bits.
    pub mode: i32,
    /// Whether missing parents are made.
    pub make_parents: bool,
    /// Its owner; `None` is root.
    pub owner: Option<ChownOpt>,
    /// Its time stamp, in nanoseconds since 1970; -1 is now.
    pub timestamp: i64,
}

/// Removes a file or directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rm {
    /// Which.
    pub path: String,
    /// Whether it may be missing.
    pub allow_not_found: bool,
    /// Whether `path` is a pattern.
    pub allow_wildcard: bool,
}

/// Makes a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symlink {
    /// What it points to.
    pub oldpath: String,
    /// Where it is made.
    pub newpath: String,
    /// Its owner; `None` is root.
    pub owner: Option<ChownOpt>,
    /// Its time stamp, in nanoseconds since 1970; -1 is now.
    pub timestamp: i64,
}

/// An owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChownOpt {
    /// The user, if given.
    pub user: Option<UserOpt>,
    /// The group, if given.
    pub group: Option<UserOpt>,
}

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserOpt {
    /// By name.
    Name {
        /// The name.
        name: String,
        /// The file system whose `/etc/passwd` or `/etc/group` knows it.
        input: Input,
    },
    /// By id.
    Id(u32),
}

/// Lays file systems over one another, the later over the earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Merge {
    /// The layers. Equal ones stay.
    pub inputs: Vec<Ref>,
}

/// What `upper` adds to `lower`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Diff {
    /// What is taken away; `None` is scratch.
    pub lower: Option<Ref>,
    /// What is taken away from; `None` is scratch.
    pub upper: Option<Ref>,
}

/// Runs a build that a file system describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Build {
    /// What builds; `None` takes the definition as LLB.
    pub builder: Option<Ref>,
    /// What it is given, by name; `buildkit.llb.definition` is the definition.
    pub inputs: BTreeMap<String, Option<Ref>>,
    /// A definition given inline: marshalled LLB.
    pub def: Option<Vec<u8>>,
    /// Options.
    pub attrs: BTreeMap<String, String>,
}

/// Hands inputs on, as a vertex of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Passthrough {
    /// What tells it from others.
    pub id: String,
    /// What it waits for.
    pub inputs: Vec<Ref>,
    /// Its outputs, each an index into `inputs`.
    pub outputs: Vec<u32>,
}

impl Op {
    /// Calls `f` with every reference of the op, in the order in which its inputs stand on the wire. Exec and file ops
    /// list an input once, at its first use; the others list it as often as they use it. A file op's order is: for each
    /// action what it changes, whose names its owner is looked up in, what it reads.
    pub fn each_ref(&self, f: &mut dyn FnMut(Ref)) {
        match self {
            Op::Source(_) => {}
            Op::Exec(e) => e.mounts.iter().filter_map(|m| m.input).for_each(f),
            Op::File(file) => file.actions.iter().for_each(|a| {
                a.each_input(&mut |i| {
                    if let Input::Ref(r) = i {
                        f(r);
                    }
                })
            }),
            Op::Merge(m) => m.inputs.iter().copied().for_each(f),
            Op::Diff(d) => d.lower.into_iter().chain(d.upper).for_each(f),
            Op::Build(b) => b.builder.into_iter().chain(b.inputs.values().copied().flatten()).for_each(f),
            Op::Passthrough(p) => p.inputs.iter().copied().for_each(f),
        }
    }

    /// Calls `f` with every reference of the op in the order in which the reference walks them, which decides where their
    /// nodes stand in a definition. It is the order of [`Op::each_ref`] but for file ops: there the last action comes
    /// first, each with what its chain began with, then what it reads, then the action it builds on
    /// (client/llb/fileop.go, `allOutputs`).
    pub fn each_visit(&self, f: &mut dyn FnMut(Ref)) {
        match self {
            Op::File(file) if file.actions.len() > 1 => file.each_visit(f),
            _ => self.each_ref(f),
        }
    }

    /// Calls `f` with every reference of the op, to change it, in the order of [`Op::each_ref`].
    pub fn each_ref_mut(&mut self, f: &mut dyn FnMut(&mut Ref)) {
        match self {
            Op::Source(_) => {}
            Op::Exec(e) => e.mounts.iter_mut().filter_map(|m| m.input.as_mut()).for_each(f),
            Op::File(file) => file.actions.iter_mut().for_each(|a| {
                a.each_input_mut(&mut |i| {
                    if let Input::Ref(r) = i {
                        f(r);
                    }
                })
            }),
            Op::Merge(m) => m.inputs.iter_mut().for_each(f),
            Op::Diff(d) => d.lower.iter_mut().chain(d.upper.iter_mut()).for_each(f),
            Op::Build(b) => b.builder.iter_mut().chain(b.inputs.values_mut().flatten()).for_each(f),
            Op::Passthrough(p) => p.inputs.iter_mut().for_each(f),
        }
    }

    /// The name of its kind, as the protocol and the text form have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Source(_) => "source",
            Op::Exec(_) => "exec",
            Op::File(_) => "file",
            Op::Merge(_) => "merge",
            Op::Diff(_) => "diff",
            Op::Build(_) => "build",
            Op::Passthrough(_) => "passthrough",
        }
    }
}

impl File {
    fn each_visit(&self, f: &mut dyn FnMut(Ref)) {
        let mut begin: Vec<Option<Ref>> = Vec::with_capacity(self.actions.len());
        for action in &self.actions {
            begin.push(match action.input {
                Input::Scratch => None,
                Input::Ref(r) => Some(r),
                Input::Action(i) => begin.get(i as usize).copied().flatten(),
            });
        }
        let mut seen = vec![false; self.actions.len()];
        let mut stack = Vec::new();
        for last in (0..self.actions.len() as u32).rev() {
            stack.push(last);
            while let Some(at) = stack.pop() {
                let Some((action, seen)) = self.actions.get(at as usize).zip(seen.get_mut(at as usize)) else {
                    continue;
                };
                if std::mem::replace(seen, true) {
                    continue;
                }
                begin.get(at as usize).copied().flatten().into_iter().for_each(&mut *f);
                action.each_input(&mut |input| {
                    if let Input::Ref(r) = input {
                        f(r);
                    }
                });
                stack.extend([action.input, action.secondary].into_iter().filter_map(|input| match input {
                    Input::Action(i) => Some(i),
                    Input::Scratch | Input::Ref(_) => None,
                }));
            }
        }
    }
}

impl FileAction {
    /// Calls `f` with what the action changes, with where its owner's names are looked up, and with what it reads.
    pub fn each_input(&self, f: &mut dyn FnMut(Input)) {
        f(self.input);
        let owner = match &self.action {
            Action::Copy(c) => c.owner.as_ref(),
            Action::Mkfile(m) => m.owner.as_ref(),
            Action::Mkdir(m) => m.owner.as_ref(),
            Action::Symlink(s) => s.owner.as_ref(),
            Action::Rm(_) => None,
        };
        for user in owner.into_iter().flat_map(|o| [&o.user, &o.group]).flatten() {
            if let UserOpt::Name { input, .. } = user {
                f(*input);
            }
        }
        f(self.secondary);
    }

    /// Like [`FileAction::each_input`], to change them.
    pub fn each_input_mut(&mut self, f: &mut dyn FnMut(&mut Input)) {
        f(&mut self.input);
        let owner = match &mut self.action {
            Action::Copy(c) => c.owner.as_mut(),
            Action::Mkfile(m) => m.owner.as_mut(),
            Action::Mkdir(m) => m.owner.as_mut(),
            Action::Symlink(s) => s.owner.as_mut(),
            Action::Rm(_) => None,
        };
        for user in owner.into_iter().flat_map(|o| [&mut o.user, &mut o.group]).flatten() {
            if let UserOpt::Name { input, .. } = user {
                f(input);
            }
        }
        f(&mut self.secondary);
    }
}
