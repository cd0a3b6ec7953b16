//! What ops say of themselves.

use std::collections::BTreeSet;

use rbc_ir::{
    Action, CacheSharing, Copy, Exec, File, Mount, MountKind, NetMode, Node, Op, Platform, ROOT_MOUNT, SecurityMode,
    Source,
};

use crate::model::Kind;
use crate::name::short_reference;

/// Where the digest waits, in the description of a vertex, while equal vertices are joined. No frontend writes an empty key.
pub(crate) const DIGEST: &str = "";
/// The most characters of a title or a note.
const MOST_SHOWN: usize = 400;
/// The most characters of one fact.
const MOST: usize = 4000;

/// Whether a mount is the file system that a command changes.
pub(crate) fn is_root(mount: &Mount) -> bool {
    mount.dest == ROOT_MOUNT && mount.kind == MountKind::Bind
}

/// The kind of a source, and what stands behind its scheme.
pub(crate) fn scheme(source: &Source) -> (Kind, &str) {
    let (scheme, rest) = source.identifier.split_once("://").unwrap_or(("", &source.identifier));
    match scheme {
        "docker-image" | "oci-layout" => (Kind::Image, rest),
        "local" => (Kind::Local, rest),
        "http" | "https" => (Kind::Fetch, &source.identifier),
        "git" => (Kind::Fetch, rest),
        _ => (Kind::Other, &source.identifier),
    }
}

/// What an op is and says, if nobody gave it a name.
pub(crate) fn summary(op: &Op) -> (Kind, &'static str, String) {
    match op {
        Op::Source(source) => match scheme(source) {
            (Kind::Image, reference) => (Kind::Image, "FROM", short_reference(reference)),
            (Kind::Local, "context") => (Kind::Local, "", "build context".to_owned()),
            (Kind::Local, name) => (Kind::Local, "", format!("local {name}")),
            (kind, rest) => (kind, "", rest.split('?').next().unwrap_or(rest).to_owned()),
        },
        Op::Exec(exec) => match exec.meta.args.as_slice() {
            [shell, flag, command] if shell.ends_with("sh") && flag == "-c" => (Kind::Run, "RUN", one_line(command)),
            args => (Kind::Run, "RUN", one_line(&args.join(" "))),
        },
        Op::File(file) => {
            let all: Vec<_> = file.actions.iter().map(|a| action(&a.action)).collect();
            match all.as_slice() {
                [(keyword, rest)] => (Kind::File, keyword, one_line(rest)),
                _ => {
                    let all: Vec<String> = all.iter().map(|(keyword, rest)| format!("{keyword} {rest}")).collect();
                    (Kind::File, "", one_line(&all.join(", ")))
                }
            }
        }
        Op::Merge(merge) => (Kind::Merge, "MERGE", format!("{} layers", merge.inputs.len())),
        Op::Diff(_) => (Kind::Merge, "DIFF", "what a step changed".to_owned()),
        Op::Build(_) => (Kind::Other, "BUILD", "a build within the build".to_owned()),
        Op::Passthrough(p) => (Kind::Other, "PASS", p.id.clone()),
    }
}

fn action(action: &Action) -> (&'static str, String) {
    match action {
        Action::Copy(c) => ("COPY", format!("{} {}", c.src, c.dest)),
        Action::Mkfile(m) => ("MKFILE", m.path.clone()),
        Action::Mkdir(m) => ("MKDIR", m.path.clone()),
        Action::Rm(r) => ("RM", r.path.clone()),
        Action::Symlink(s) => ("SYMLINK", format!("{} {}", s.newpath, s.oldpath)),
    }
}

/// Which files of a local source are wanted; where an image has its layout.
pub(crate) fn source_notes(source: &Source) -> Vec<String> {
    let list = |key: &str| source.attrs.get(key).map(|json| json_strings(json)).filter(|list| !list.is_empty());
    let mut notes = Vec::new();
    notes.extend(list("local.followpaths").or_else(|| list("local.includepattern")).map(|paths| paths.join(", ")));
    notes.extend(list("local.includepatterns").map(|patterns| format!("only {}", patterns.join(", "))));
    notes.extend(list("local.excludepatterns").map(|patterns| format!("not {}", patterns.join(", "))));
    notes
}

/// The strings of a JSON list of strings; none if it is something else.
fn json_strings(json: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut chars = json.trim().strip_prefix('[').unwrap_or_default().chars();
    while let Some(c) = chars.next() {
        if c != '"' {
            continue;
        }
        let mut string = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('u') => {
                        let code = u32::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16);
                        string.push(code.ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    Some('n' | 't' | 'r' | 'b' | 'f') => string.push(' '),
                    Some(c) => string.push(c),
                    None => break,
                },
                c => string.push(c),
            }
        }
        strings.push(string);
    }
    strings
}

/// What a command has but its words.
pub(crate) fn exec_notes(exec: &Exec) -> Vec<String> {
    let mut notes = Vec::new();
    for mount in exec.mounts.iter().filter(|m| !is_root(m)) {
        let at = &mount.dest;
        notes.push(match &mount.kind {
            MountKind::Bind if mount.selector.is_empty() => format!("bind {at}"),
            MountKind::Bind => format!("bind {at} from {}", mount.selector),
            MountKind::Cache(_) => format!("cache {at}"),
            MountKind::Secret(s) => format!("secret {}", s.id),
            MountKind::Ssh(s) => format!("ssh {}", s.id),
            MountKind::Tmpfs(_) => format!("tmpfs {at}"),
        });
    }
    notes.extend(exec.secret_env.iter().map(|s| format!("secret {}", s.id)));
    match exec.network {
        NetMode::Unset => {}
        NetMode::Host => notes.push("host network".to_owned()),
        NetMode::None => notes.push("no network".to_owned()),
    }
    if exec.security == SecurityMode::Insecure {
        notes.push("insecure".to_owned());
    }
    notes.extend(exec.cdi_devices.iter().map(|d| format!("device {}", d.name)));
    notes
}

/// All that is known of a node but its name and its source lines.
pub(crate) fn facts_of(node: &Node) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name: &'static str, text: String| {
        if !text.is_empty() {
            facts.push((name, clip(&text)));
        }
    };
    let lines = |lines: Vec<String>| lines.join("\n");
    match &node.op {
        Op::Source(source) => {
            add("From", source.identifier.clone());
            add("Options", lines(source.attrs.iter().map(|(k, v)| format!("{k} = {v}")).collect()));
        }
        Op::Exec(exec) => {
            add("Command", exec.meta.args.join(" "));
            add("Directory", exec.meta.cwd.clone());
            add("User", exec.meta.user.clone());
            let mounts = exec.mounts.iter().filter(|m| !is_root(m));
            add("Mounts", lines(mounts.map(mount_fact).collect()));
            add("Environment", lines(exec.meta.env.clone()));
            add("Secrets", lines(exec.secret_env.iter().map(|s| format!("{} from {}", s.name, s.id)).collect()));
            let hosts = exec.meta.extra_hosts.iter().map(|h| format!("{} {}", h.ip, h.host));
            add("Hosts", lines(hosts.collect()));
        }
        Op::File(file) => add("Files", lines(file_facts(file))),
        Op::Build(build) => add("Options", lines(build.attrs.iter().map(|(k, v)| format!("{k} = {v}")).collect())),
        Op::Merge(_) | Op::Diff(_) | Op::Passthrough(_) => {}
    }
    add("Platform", node.platform.as_deref().map(show_platform).unwrap_or_default());
    let asked = |o: &rbc_ir::Origin| {
        let frames = [&o.target, &o.stage].into_iter().flatten().map(|f| f.name.to_string());
        frames.collect::<Vec<_>>().join(" \u{203a} ")
    };
    let asked: BTreeSet<String> = node.meta.origins.iter().map(asked).filter(|o| !o.is_empty()).collect();
    add("Asked for by", lines(asked.into_iter().collect()));
    add("Digest", node.meta.description.get(DIGEST).cloned().unwrap_or_default());
    facts
}

fn mount_fact(mount: &Mount) -> String {
    let mut text = match &mount.kind {
        MountKind::Bind => format!("bind {}", mount.dest),
        MountKind::Cache(c) => {
            let sharing = match c.sharing {
                CacheSharing::Shared => "shared",
                CacheSharing::Private => "private",
                CacheSharing::Locked => "locked",
            };
            format!("cache {} (id {}, {sharing})", mount.dest, c.id)
        }
        MountKind::Secret(s) => format!("secret {} at {} (mode {:o})", s.id, mount.dest, s.mode),
        MountKind::Ssh(s) => format!("ssh {} at {}", s.id, mount.dest),
        MountKind::Tmpfs(t) if t.size > 0 => format!("tmpfs {} ({} bytes)", mount.dest, t.size),
        MountKind::Tmpfs(_) => format!("tmpfs {}", mount.dest),
    };
    if !mount.selector.is_empty() {
        text += &format!(" from {}", mount.selector);
    }
    if mount.readonly {
        text += ", read only";
    }
    text
}

fn file_facts(file: &File) -> Vec<String> {
    let copy_extra = |c: &Copy| {
        let mut extra = String::new();
        if !c.mode_str.is_empty() {
            extra += &format!(", mode {}", c.mode_str);
        } else if c.mode >= 0 {
            extra += &format!(", mode {:o}", c.mode);
        }
        if !c.include_patterns.is_empty() {
            extra += &format!(", only {}", c.include_patterns.join(" "));
        }
        if !c.exclude_patterns.is_empty() {
            extra += &format!(", not {}", c.exclude_patterns.join(" "));
        }
        if c.attempt_unpack {
            extra += ", unpacked";
        }
        extra
    };
    let one = |a: &Action| match a {
        Action::Copy(c) => format!("copy {} to {}{}", c.src, c.dest, copy_extra(c)),
        Action::Mkfile(m) => format!("make {} ({} bytes)", m.path, m.data.len()),
        Action::Mkdir(m) => format!("make directory {}", m.path),
        Action::Rm(r) => format!("remove {}", r.path),
        Action::Symlink(s) => format!("link {} to {}", s.newpath, s.oldpath),
    };
    file.actions.iter().map(|a| one(&a.action)).collect()
}

/// A platform as people write it.
pub(crate) fn show_platform(p: &Platform) -> String {
    let parts = [&p.os, &p.architecture, &p.variant];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("/")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts what no box has room for.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(MOST_SHOWN).collect()
}

/// Cuts what is too long to be of use, and replaces what is no character of a text.
pub(crate) fn clip(text: &str) -> String {
    let shown = |c: char| c == '\n' || c == '\t' || !c.is_control();
    let clean = |text: &str| text.replace(|c: char| !shown(c), "\u{fffd}");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}\u{2026} ({} bytes more)", clean(&text[..end]), text.len() - end),
        None => clean(text),
    }
}
