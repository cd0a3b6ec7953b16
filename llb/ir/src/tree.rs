//! Nodes as plain trees: what the text form prints and reads, and what other views (JSON) are made from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rbc_source::{FileId, Span};

use crate::{
    Action, Build, CacheMount, CacheSharing, Cap, CdiDevice, ChownOpt, ContentCache, Copy, Diff, Exec, ExecMeta, File,
    FileAction, Frame, HostIp, Input, LinuxResources, Location, Merge, Meta, Mkdir, Mkfile, Mount, MountKind, NetMode,
    Node, NodeId, Op, Origin, Passthrough, Platform, Position, ProgressGroup, ProxyEnv, Range, Ref, Rm, Root,
    SecretEnv, SecretMount, SecurityMode, SortedMap, SortedSet, Source, SourceInfo, SshMount, Symlink, TmpfsMount,
    Ulimit, UserOpt,
};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, where there could be something: scratch, no output. It is printed as the word `none` and read as such.
    Nothing,
    /// A word: `true`, the name of a mode.
    Word(String),
    /// A whole number.
    Int(i128),
    /// Text.
    Str(String),
    /// The content of a file, or other bytes.
    Bytes(Vec<u8>),
    /// An output of a node, by the node's name.
    Ref(String, u32),
    /// Several values.
    List(Vec<Tree>),
    /// Values by name. Fields that have their default are left out.
    Record(Vec<(String, Tree)>),
    /// A record of a named kind.
    Tagged(String, Vec<(String, Tree)>),
}

/// A value and where it was read.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The value.
    pub value: Value,
    /// Offsets in the text that it was read from; 0 in a tree that was not read.
    pub at: (usize, usize),
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Tree {}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        Tree { value, at: (0, 0) }
    }
}

/// One item of the text form: a node, a source text or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The kind of op, or `text`, or `root`.
    pub kind: String,
    /// What matters most, for the kinds that have such a thing: the identifier of a source, the arguments of an exec, the
    /// inputs of a merge, the actions of a file op, the name of a text, the result of a root.
    pub main: Option<Tree>,
    /// Everything else that does not have its default, in a fixed order.
    pub fields: Vec<(String, Tree)>,
}

impl Item {
    /// What [`Item::main`] is, by the name of the field in the graph: the `identifier` of a source.
    pub fn main_name(&self) -> &'static str {
        match self.kind.as_str() {
            "source" => "identifier",
            "exec" => "args",
            "file" => "actions",
            "merge" => "inputs",
            "text" => "filename",
            _ => "result",
        }
    }
}

/// A fault in a tree that was read: where, and what.
pub(crate) struct Fault {
    pub at: (usize, usize),
    pub message: String,
}

pub(crate) fn fault<T>(at: (usize, usize), message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at, message: message.into() })
}

/// What can be shown as a tree and read from one.
trait Form: Sized {
    /// Shows it; `names` are the names of the nodes.
    fn show(&self, names: &[String]) -> Tree;
    /// Reads it; `scope` holds the nodes by name.
    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault>;
}

/// What can be shown as fields of a record and read from them.
trait Fields {
    fn show_fields(&self, names: &[String], fields: &mut Vec<(String, Tree)>);
    /// Takes a field; false if it has none of that name.
    fn read_field(&mut self, name: &str, value: &Tree, scope: &Scope) -> Result<bool, Fault>;
}

/// The nodes that a text has defined so far.
pub(crate) type Scope = std::collections::HashMap<String, NodeId>;

fn read_fields(fields: &[(String, Tree)], scope: &Scope, into: &mut [&mut dyn Fields]) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for (name, value) in fields {
        if !seen.insert(name) {
            return fault(value.at, format!("`{name}` is given twice"));
        }
        let mut taken = false;
        for part in into.iter_mut() {
            taken = taken || part.read_field(name, value, scope)?;
        }
        if !taken {
            return fault(value.at, format!("there is no field `{name}` here"));
        }
    }
    Ok(())
}

/// Declares the fields of structs. A field that equals that of the base value is left out.
macro_rules! fields {
    ($($type:ty = $base:expr => $($field:ident)*;)*) => {$(
        impl Fields for $type {
            fn show_fields(&self, names: &[String], fields: &mut Vec<(String, Tree)>) {
                let base: $type = $base;
                $(if self.$field != base.$field {
                    fields.push((stringify!($field).to_owned(), self.$field.show(names)));
                })*
            }

            fn read_field(&mut self, name: &str, value: &Tree, scope: &Scope) -> Result<bool, Fault> {
                match name {
                    $(stringify!($field) => self.$field = Form::read(value, scope)?,)*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    )*};
}

/// Declares structs that are records of their own.
macro_rules! records {
    ($($type:ty = $base:expr => $($field:ident)*;)*) => {
        fields! { $($type = $base => $($field)*;)* }
        $(impl Form for $type {
            fn show(&self, names: &[String]) -> Tree {
                let mut fields = Vec::new();
                self.show_fields(names, &mut fields);
                Value::Record(fields).into()
            }

            fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
                let Value::Record(fields) = &tree.value else { return fault(tree.at, "a record is needed here") };
                let mut read: $type = $base;
                read_fields(fields, scope, &mut [&mut read])?;
                Ok(read)
            }
        })*
    };
}

records! {
    ProxyEnv = ProxyEnv::default() => http_proxy https_proxy ftp_proxy no_proxy all_proxy;
    HostIp = HostIp::default() => host ip;
    Ulimit = Ulimit::default() => name soft hard;
    SecretEnv = SecretEnv::default() => id name optional;
    CdiDevice = CdiDevice::default() => name optional;
    Mount = Mount::bind("", None) => dest input selector output readonly kind result_id content_cache;
    ChownOpt = ChownOpt::default() => user group;
    ProgressGroup = ProgressGroup { id: String::new(), name: String::new(), weak: false } => id name weak;
    LinuxResources = LinuxResources::default()
        => memory memory_swap cpu_shares cpu_period cpu_quota cpuset_cpus cpuset_mems;
    Location = Location { source: 0, ranges: Vec::new() } => source ranges;
    Origin = Origin::default() => target stage step span;
    Frame = Frame { name: "".into(), span: None } => name span;
}

// Those that share a record with others: an exec with its `ExecMeta`, a file action with what it does, a node with its op
// and metadata.
fields! {
    SecretMount = SecretMount::default() => id uid gid mode optional;
    SshMount = SshMount::default() => id uid gid mode optional;
    CacheMount = CacheMount::default() => id sharing;
    TmpfsMount = TmpfsMount::default() => size;
    FileAction = FileAction::on(Input::Scratch, Action::Rm(Rm::default())) => input secondary output;
    Copy = Copy::new("", "") => src dest owner mode mode_str follow_symlink dir_copy_contents attempt_unpack
        create_dest_path allow_wildcard allow_empty_wildcard timestamp include_patterns exclude_patterns
        required_paths always_replace_existing_dest_paths;
    Mkfile = Mkfile { path: String::new(), mode: 0, data: Vec::new(), owner: None, timestamp: -1 }
        => path mode data owner timestamp;
    Mkdir = Mkdir { path: String::new(), mode: 0, make_parents: false, owner: None, timestamp: -1 }
        => path mode make_parents owner timestamp;
    Rm = Rm::default() => path allow_not_found allow_wildcard;
    Symlink = Symlink { oldpath: String::new(), newpath: String::new(), owner: None, timestamp: -1 }
        => oldpath newpath owner timestamp;
    Source = Source::default() => attrs;
    ExecMeta = ExecMeta::default() => env cwd user proxy_env extra_hosts hostname ulimits cgroup_parent
        remove_mount_stubs_recursive valid_exit_codes;
    Exec = Exec::default() => mounts network security secret_env cdi_devices;
    Diff = Diff::default() => lower upper;
    Build = Build::default() => builder inputs def attrs;
    Passthrough = Passthrough::default() => id inputs outputs;
    Node = empty_node() => platform constraints pinned;
    Meta = Meta::default() => ignore_cache description export_cache caps progress_group linux_resources locations
        origins;
    Root = Root { name: String::new(), platform: None, result: None } => name platform;
    SourceInfo = SourceInfo { filename: String::new(), language: String::new(), data: [].into(), state: None }
        => language state data;
}

fn empty_node() -> Node {
    Node {
        op: Op::Merge(Merge::default()),
        platform: None,
        constraints: Some(Vec::new()),
        pinned: Vec::new(),
        meta: Meta::default(),
    }
}

/// The long form of a platform, for what its short form cannot say.
struct FullPlatform(Platform);

impl Fields for FullPlatform {
    fn show_fields(&self, names: &[String], fields: &mut Vec<(String, Tree)>) {
        let Platform { os, architecture, variant, os_version, os_features } = &self.0;
        let texts = [("os", os), ("architecture", architecture), ("variant", variant), ("os_version", os_version)];
        fields.extend(texts.map(|(name, text)| (name.to_owned(), text.show(names))));
        fields.push(("os_features".to_owned(), os_features.show(names)));
    }

    fn read_field(&mut self, name: &str, value: &Tree, scope: &Scope) -> Result<bool, Fault> {
        match name {
            "os" => self.0.os = Form::read(value, scope)?,
            "architecture" => self.0.architecture = Form::read(value, scope)?,
            "variant" => self.0.variant = Form::read(value, scope)?,
            "os_version" => self.0.os_version = Form::read(value, scope)?,
            "os_features" => self.0.os_features = Form::read(value, scope)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A platform is a text like `linux/arm64/v8` where that says it all, else a record.
impl Form for Platform {
    fn show(&self, names: &[String]) -> Tree {
        let parts = [&self.os, &self.architecture, &self.variant];
        let plain = self.os_version.is_empty() && self.os_features.is_empty() && !parts.iter().any(|p| p.contains('/'));
        if !plain {
            let mut fields = Vec::new();
            FullPlatform(self.clone()).show_fields(names, &mut fields);
            return Value::Record(fields).into();
        }
        let variant = if self.variant.is_empty() { "" } else { "/" };
        Value::Str(format!("{}/{}{variant}{}", self.os, self.architecture, self.variant)).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        match &tree.value {
            Value::Str(text) => {
                let mut parts = text.split('/').map(str::to_owned);
                let (Some(os), Some(architecture), variant, None) =
                    (parts.next(), parts.next(), parts.next(), parts.next())
                else {
                    return fault(tree.at, "a platform is `os/architecture` or `os/architecture/variant`");
                };
                Ok(Platform { os, architecture, variant: variant.unwrap_or_default(), ..Platform::default() })
            }
            Value::Record(fields) => {
                let mut platform = FullPlatform(Platform::default());
                read_fields(fields, scope, &mut [&mut platform])?;
                Ok(platform.0)
            }
            _ => fault(tree.at, "a platform is needed here"),
        }
    }
}

macro_rules! words {
    ($($type:ident: $($variant:ident = $word:literal)*;)*) => {$(
        impl Form for $type {
            fn show(&self, _: &[String]) -> Tree {
                let word = match self { $($type::$variant => $word,)* };
                Value::Word(word.to_owned()).into()
            }

            fn read(tree: &Tree, _: &Scope) -> Result<Self, Fault> {
                match &tree.value {
                    $(Value::Word(word) if word == $word => Ok($type::$variant),)*
                    _ => fault(tree.at, concat!("one of these is needed here:" $(, " `", $word, "`")*)),
                }
            }
        }
    )*};
}

words! {
    NetMode: Unset = "unset" Host = "host" None = "none";
    SecurityMode: Sandbox = "sandbox" Insecure = "insecure";
    CacheSharing: Shared = "shared" Private = "private" Locked = "locked";
    ContentCache: Default = "default" On = "on" Off = "off";
}

macro_rules! numbers {
    ($($type:ident)*) => {$(
        impl Form for $type {
            fn show(&self, _: &[String]) -> Tree {
                Value::Int((*self).into()).into()
            }

            fn read(tree: &Tree, _: &Scope) -> Result<Self, Fault> {
                match &tree.value {
                    Value::Int(n) if let Ok(n) = $type::try_from(*n) => Ok(n),
                    _ => fault(tree.at, format!("a whole number from {} to {} is needed here", $type::MIN, $type::MAX)),
                }
            }
        }
    )*};
}

numbers! { i32 i64 u32 u64 }

impl Form for bool {
    fn show(&self, _: &[String]) -> Tree {
        Value::Word(self.to_string()).into()
    }

    fn read(tree: &Tree, _: &Scope) -> Result<Self, Fault> {
        match &tree.value {
            Value::Word(word) if let Ok(yes) = word.parse() => Ok(yes),
            _ => fault(tree.at, "`true` or `false` is needed here"),
        }
    }
}

impl Form for String {
    fn show(&self, _: &[String]) -> Tree {
        Value::Str(self.clone()).into()
    }

    fn read(tree: &Tree, _: &Scope) -> Result<Self, Fault> {
        match &tree.value {
            Value::Str(text) => Ok(text.clone()),
            _ => fault(tree.at, "text in quotes is needed here"),
        }
    }
}

impl Form for Arc<str> {
    fn show(&self, _: &[String]) -> Tree {
        Value::Str(self.to_string()).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        String::read(tree, scope).map(Into::into)
    }
}

impl Form for Vec<u8> {
    fn show(&self, _: &[String]) -> Tree {
        Value::Bytes(self.clone()).into()
    }

    fn read(tree: &Tree, _: &Scope) -> Result<Self, Fault> {
        match &tree.value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            Value::Str(text) => Ok(text.clone().into()),
            Value::List(parts) => {
                let mut bytes = Vec::new();
                for part in parts {
                    match &part.value {
                        Value::Bytes(part) => bytes.extend_from_slice(part),
                        Value::Str(part) => bytes.extend_from_slice(part.as_bytes()),
                        _ => return fault(part.at, "text in quotes is needed here"),
                    }
                }
                Ok(bytes)
            }
            _ => fault(tree.at, "text in quotes is needed here"),
        }
    }
}

impl Form for Arc<[u8]> {
    fn show(&self, _: &[String]) -> Tree {
        Value::Bytes(self.to_vec()).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        Vec::<u8>::read(tree, scope).map(Into::into)
    }
}

impl<T: Form> Form for Box<T> {
    fn show(&self, names: &[String]) -> Tree {
        (**self).show(names)
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        T::read(tree, scope).map(Box::new)
    }
}

impl Form for Arc<Platform> {
    fn show(&self, names: &[String]) -> Tree {
        (**self).show(names)
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        Platform::read(tree, scope).map(Arc::new)
    }
}

impl<T: Form> Form for Option<T> {
    fn show(&self, names: &[String]) -> Tree {
        match self {
            Some(value) => value.show(names),
            None => Value::Nothing.into(),
        }
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        match &tree.value {
            Value::Word(word) if word == "none" => Ok(None),
            _ => T::read(tree, scope).map(Some),
        }
    }
}

macro_rules! lists {
    ($($type:ty)*) => {$(
        impl Form for Vec<$type> {
            fn show(&self, names: &[String]) -> Tree {
                Value::List(self.iter().map(|value| value.show(names)).collect()).into()
            }

            fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
                match &tree.value {
                    Value::List(values) => values.iter().map(|value| Form::read(value, scope)).collect(),
                    _ => fault(tree.at, "a list is needed here"),
                }
            }
        }
    )*};
}

// Not all `Vec<T>`, because `Vec<u8>` is shown as text.
lists! { String i32 u32 Ref HostIp Ulimit Mount SecretEnv CdiDevice FileAction Location Range Origin }

impl<T: Form> Form for BTreeMap<String, T> {
    fn show(&self, names: &[String]) -> Tree {
        Value::Record(self.iter().map(|(key, value)| (key.clone(), value.show(names))).collect()).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        let Value::Record(fields) = &tree.value else { return fault(tree.at, "a record is needed here") };
        fields.iter().map(|(key, value)| Ok((key.clone(), T::read(value, scope)?))).collect()
    }
}

impl Form for SortedMap<Cow<'static, str>, String> {
    fn show(&self, names: &[String]) -> Tree {
        Value::Record(self.iter().map(|(key, value)| (key.to_string(), value.show(names))).collect()).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        let Value::Record(fields) = &tree.value else { return fault(tree.at, "a record is needed here") };
        fields.iter().map(|(key, value)| Ok((key.clone().into(), String::read(value, scope)?))).collect()
    }
}

impl Form for SortedSet<Cap> {
    fn show(&self, _: &[String]) -> Tree {
        Value::List(self.iter().map(|cap| Value::Str(cap.to_string()).into()).collect()).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        Ok(Vec::<String>::read(tree, scope)?.into_iter().map(Cap::Owned).collect())
    }
}

impl Form for Ref {
    fn show(&self, names: &[String]) -> Tree {
        // A graph that was not verified may refer to a node that is not there, and shall be shown all the same.
        let name = names.get(self.node.index()).cloned().unwrap_or_else(|| format!("!{}", self.node.0));
        Value::Ref(name, self.output).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        match &tree.value {
            Value::Ref(name, output) => match scope.get(name) {
                Some(node) => Ok(node.output(*output)),
                None => fault(tree.at, format!("`%{name}` is not defined above")),
            },
            _ => fault(tree.at, "a node (`%name`) is needed here"),
        }
    }
}

/// An earlier action is its number.
impl Form for Input {
    fn show(&self, names: &[String]) -> Tree {
        match self {
            Input::Scratch => Value::Nothing.into(),
            Input::Ref(r) => r.show(names),
            Input::Action(i) => i.show(names),
        }
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        Ok(match &tree.value {
            Value::Int(_) => Input::Action(Form::read(tree, scope)?),
            _ => Option::<Ref>::read(tree, scope)?.into(),
        })
    }
}

/// An id is a number, a name is a record.
impl Form for UserOpt {
    fn show(&self, names: &[String]) -> Tree {
        match self {
            UserOpt::Id(id) => id.show(names),
            UserOpt::Name { name, input } => {
                Value::Record(vec![("name".to_owned(), name.show(names)), ("input".to_owned(), input.show(names))])
                    .into()
            }
        }
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        let Value::Record(fields) = &tree.value else { return Ok(UserOpt::Id(Form::read(tree, scope)?)) };
        let (mut name, mut input) = (String::new(), Input::Scratch);
        for (key, value) in fields {
            match key.as_str() {
                "name" => name = Form::read(value, scope)?,
                "input" => input = Form::read(value, scope)?,
                _ => return fault(value.at, format!("there is no field `{key}` here")),
            }
        }
        Ok(UserOpt::Name { name, input })
    }
}

impl Form for MountKind {
    fn show(&self, names: &[String]) -> Tree {
        let (kind, options): (_, &dyn Fields) = match self {
            MountKind::Bind => return Value::Word("bind".to_owned()).into(),
            MountKind::Secret(secret) => ("secret", secret),
            MountKind::Ssh(ssh) => ("ssh", ssh),
            MountKind::Cache(cache) => ("cache", cache),
            MountKind::Tmpfs(tmpfs) => ("tmpfs", tmpfs),
        };
        let mut fields = Vec::new();
        options.show_fields(names, &mut fields);
        Value::Tagged(kind.to_owned(), fields).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        let (kind, fields) = match &tree.value {
            Value::Word(kind) => (kind, &[][..]),
            Value::Tagged(kind, fields) => (kind, &fields[..]),
            _ => return fault(tree.at, "a kind of mount is needed here"),
        };
        let mut kind = match kind.as_str() {
            "bind" => MountKind::Bind,
            "secret" => MountKind::Secret(Default::default()),
            "ssh" => MountKind::Ssh(Default::default()),
            "cache" => MountKind::Cache(Default::default()),
            "tmpfs" => MountKind::Tmpfs(Default::default()),
            _ => return fault(tree.at, "a mount is one of `bind`, `secret`, `ssh`, `cache`, `tmpfs`"),
        };
        match &mut kind {
            MountKind::Bind => read_fields(fields, scope, &mut [])?,
            MountKind::Secret(secret) => read_fields(fields, scope, &mut [secret])?,
            MountKind::Ssh(ssh) => read_fields(fields, scope, &mut [ssh])?,
            MountKind::Cache(cache) => read_fields(fields, scope, &mut [cache])?,
            MountKind::Tmpfs(tmpfs) => read_fields(fields, scope, &mut [tmpfs])?,
        }
        Ok(kind)
    }
}

const ACTIONS: &str = "a file action is one of `copy`, `mkfile`, `mkdir`, `rm`, `symlink`";

impl Form for FileAction {
    fn show(&self, names: &[String]) -> Tree {
        let (kind, action): (_, &dyn Fields) = match &self.action {
            Action::Copy(copy) => ("copy", &**copy),
            Action::Mkfile(mkfile) => ("mkfile", mkfile),
            Action::Mkdir(mkdir) => ("mkdir", mkdir),
            Action::Rm(rm) => ("rm", rm),
            Action::Symlink(symlink) => ("symlink", symlink),
        };
        let mut fields = Vec::new();
        self.show_fields(names, &mut fields);
        action.show_fields(names, &mut fields);
        Value::Tagged(kind.to_owned(), fields).into()
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        let Value::Tagged(kind, fields) = &tree.value else { return fault(tree.at, ACTIONS) };
        let mut read = FileAction::on(Input::Scratch, Action::Rm(Rm::default()));
        read.action = match kind.as_str() {
            "copy" => {
                let mut copy = Copy::new("", "");
                read_fields(fields, scope, &mut [&mut read, &mut copy])?;
                Action::Copy(Box::new(copy))
            }
            "mkfile" => {
                let mut mkfile = Mkfile { path: String::new(), mode: 0, data: Vec::new(), owner: None, timestamp: -1 };
                read_fields(fields, scope, &mut [&mut read, &mut mkfile])?;
                Action::Mkfile(mkfile)
            }
            "mkdir" => {
                let mut mkdir = Mkdir { path: String::new(), mode: 0, make_parents: false, owner: None, timestamp: -1 };
                read_fields(fields, scope, &mut [&mut read, &mut mkdir])?;
                Action::Mkdir(mkdir)
            }
            "rm" => {
                let mut rm = Rm::default();
                read_fields(fields, scope, &mut [&mut read, &mut rm])?;
                Action::Rm(rm)
            }
            "symlink" => {
                let mut symlink =
                    Symlink { oldpath: String::new(), newpath: String::new(), owner: None, timestamp: -1 };
                read_fields(fields, scope, &mut [&mut read, &mut symlink])?;
                Action::Symlink(symlink)
            }
            _ => return fault(tree.at, ACTIONS),
        };
        Ok(read)
    }
}

/// A line alone is its number; else line and character of start and end.
impl Form for Range {
    fn show(&self, names: &[String]) -> Tree {
        if *self == Range::line(self.start.line) {
            return self.start.line.show(names);
        }
        let Range { start, end } = self;
        vec![start.line, start.character, end.line, end.character].show(names)
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        let Value::List(_) = &tree.value else { return Ok(Range::line(Form::read(tree, scope)?)) };
        match Vec::<i32>::read(tree, scope)?[..] {
            [line, character, end_line, end_character] => Ok(Range {
                start: Position { line, character },
                end: Position { line: end_line, character: end_character },
            }),
            _ => fault(tree.at, "a range is a line, or line and character of its start and of its end"),
        }
    }
}

impl Form for Span {
    fn show(&self, names: &[String]) -> Tree {
        vec![self.file.0, self.start, self.end].show(names)
    }

    fn read(tree: &Tree, scope: &Scope) -> Result<Self, Fault> {
        match Vec::<u32>::read(tree, scope)?[..] {
            [file, start, end] if start <= end => Ok(Span { file: FileId(file), start, end }),
            _ => fault(tree.at, "a span is a file and the offsets of start and end"),
        }
    }
}

/// A node as an item; `names` are the names of all nodes by their ids.
pub fn node_item(node: &Node, names: &[String]) -> Item {
    let mut fields = Vec::new();
    let main = match &node.op {
        Op::Source(source) => {
            source.show_fields(names, &mut fields);
            Some(source.identifier.show(names))
        }
        Op::Exec(exec) => {
            exec.meta.show_fields(names, &mut fields);
            exec.show_fields(names, &mut fields);
            Some(exec.meta.args.show(names))
        }
        Op::File(file) => Some(file.actions.show(names)),
        Op::Merge(merge) => Some(merge.inputs.show(names)),
        Op::Diff(diff) => {
            diff.show_fields(names, &mut fields);
            None
        }
        Op::Build(build) => {
            build.show_fields(names, &mut fields);
            None
        }
        Op::Passthrough(passthrough) => {
            passthrough.show_fields(names, &mut fields);
            None
        }
    };
    node.show_fields(names, &mut fields);
    node.meta.show_fields(names, &mut fields);
    Item { kind: node.op.kind().to_owned(), main, fields }
}

/// A source text as an item.
pub fn text_item(text: &SourceInfo, names: &[String]) -> Item {
    let mut fields = Vec::new();
    text.show_fields(names, &mut fields);
    Item { kind: "text".to_owned(), main: Some(text.filename.show(names)), fields }
}

/// A result as an item.
pub fn root_item(root: &Root, names: &[String]) -> Item {
    let mut fields = Vec::new();
    root.show_fields(names, &mut fields);
    Item { kind: "root".to_owned(), main: Some(root.result.show(names)), fields }
}

/// What an item of the text form says.
pub(crate) enum Said {
    Node(Box<Node>),
    Text(SourceInfo),
    Root(Root),
}

/// Reads an item; `at` is where it stands.
pub(crate) fn read_item(item: &Item, at: (usize, usize), scope: &Scope) -> Result<Said, Fault> {
    let main = || item.main.as_ref().ok_or(Fault { at, message: format!("`{}` needs a value behind it", item.kind) });
    let mut node = empty_node();
    let mut meta = Meta::default();
    let mut rest = |parts: &mut [&mut dyn Fields]| {
        let mut all: Vec<&mut dyn Fields> = vec![&mut node, &mut meta];
        all.extend(parts.iter_mut().map(|p| &mut **p as &mut dyn Fields));
        read_fields(&item.fields, scope, &mut all)
    };
    let op = match item.kind.as_str() {
        "source" => {
            let mut source = Source { identifier: Form::read(main()?, scope)?, ..Source::default() };
            rest(&mut [&mut source])?;
            Op::Source(source)
        }
        "exec" => {
            let mut exec = Exec::default();
            let mut command = ExecMeta { args: Form::read(main()?, scope)?, ..ExecMeta::default() };
            rest(&mut [&mut command, &mut exec])?;
            Op::Exec(Box::new(Exec { meta: command, ..exec }))
        }
        "file" => {
            rest(&mut [])?;
            Op::File(File { actions: Form::read(main()?, scope)? })
        }
        "merge" => {
            rest(&mut [])?;
            Op::Merge(Merge { inputs: Form::read(main()?, scope)? })
        }
        "diff" => {
            let mut diff = Diff::default();
            rest(&mut [&mut diff])?;
            Op::Diff(diff)
        }
        "build" => {
            let mut build = Build::default();
            rest(&mut [&mut build])?;
            Op::Build(Box::new(build))
        }
        "passthrough" => {
            let mut passthrough = Passthrough::default();
            rest(&mut [&mut passthrough])?;
            Op::Passthrough(passthrough)
        }
        "text" => {
            let filename = Form::read(main()?, scope)?;
            let mut text = SourceInfo { filename, language: String::new(), data: [].into(), state: None };
            read_fields(&item.fields, scope, &mut [&mut text])?;
            return Ok(Said::Text(text));
        }
        "root" => {
            let mut root = Root { name: String::new(), platform: None, result: Form::read(main()?, scope)? };
            read_fields(&item.fields, scope, &mut [&mut root])?;
            return Ok(Said::Root(root));
        }
        kind => return fault(at, format!("there is no op `{kind}`")),
    };
    if let (Op::Diff(_) | Op::Build(_) | Op::Passthrough(_), Some(main)) = (&op, &item.main) {
        return fault(main.at, format!("`{}` has only fields", item.kind));
    }
    Ok(Said::Node(Box::new(Node { op, meta, ..node })))
}
