//! What a Mockerfile says, before it is steps.

use rbc_source::{Diagnostic, Span, mockerfile as codes};
use rbc_yaml::{Data, Node};

use crate::read::{Key, Reader, Text, fault, line, text};

const fn old(name: &'static str) -> Key {
    Key { name, new: false }
}

const fn new(name: &'static str) -> Key {
    Key { name, new: true }
}

const FILE: [Key; 3] = [old("apiVersion"), old("images"), new("args")];
const IMAGE: [Key; 19] = [
    old("name"),
    old("from"),
    old("parent"),
    old("package"),
    old("external"),
    old("workdir"),
    old("steps"),
    old("output"),
    old("env"),
    old("cmd"),
    old("entrypoint"),
    old("user"),
    old("labels"),
    old("expose"),
    new("args"),
    new("platform"),
    new("shell"),
    new("stopsignal"),
    new("volumes"),
];
const PACKAGE: [Key; 3] = [old("repo"), old("gpg"), old("install")];
const GPG: [Key; 2] = [new("src"), new("sha256")];
const EXTERNAL: [Key; 6] = [old("src"), old("dst"), old("sha256"), old("install"), new("unpack"), new("mode")];
const STEP: [Key; 12] = [
    new("run"),
    new("mounts"),
    new("network"),
    new("copy"),
    new("to"),
    new("from"),
    new("chown"),
    new("chmod"),
    new("env"),
    new("workdir"),
    new("user"),
    new("args"),
];

pub type Pairs = Vec<(Text, Option<Text>)>;

/// A whole file.
#[derive(Debug, Default)]
pub struct File {
    pub args: Pairs,
    pub images: Vec<Image>,
}

/// An image.
#[derive(Debug)]
pub struct Image {
    pub span: Span,
    pub name: Option<Text>,
    pub from: Option<Text>,
    pub parent: Option<Text>,
    pub platform: Option<Text>,
    pub args: Pairs,
    pub shell: Vec<Text>,
    pub env: Pairs,
    pub package: Option<Package>,
    pub external: Vec<External>,
    pub workdir: Option<Text>,
    pub steps: Vec<Step>,
    pub output: Vec<Text>,
    pub labels: Pairs,
    pub expose: Vec<Text>,
    pub volumes: Vec<Text>,
    pub user: Option<Text>,
    pub stopsignal: Option<Text>,
    pub entrypoint: Option<Command>,
    pub cmd: Option<Command>,
}

/// A command of an image's config.
#[derive(Debug)]
pub enum Command {
    /// The shell runs it.
    Shell(Text),
    /// It runs as it is.
    Exec(Span, Vec<Text>),
}

/// Packages of apt.
#[derive(Debug)]
pub struct Package {
    pub span: Span,
    pub repo: Vec<Text>,
    /// Keys: URL and checksum.
    pub gpg: Vec<(Text, Option<Text>)>,
    pub install: Vec<Text>,
}

/// A download.
#[derive(Debug)]
pub struct External {
    pub src: Text,
    pub dst: Text,
    pub sha256: Option<Text>,
    pub install: Vec<Text>,
    pub unpack: bool,
    pub mode: Option<Text>,
}

/// A step.
#[derive(Debug)]
pub enum Step {
    Run { command: Text, mounts: Vec<Text>, network: Option<Text> },
    Copy { sources: Vec<Text>, dest: Text, from: Option<Text>, chown: Option<Text>, chmod: Option<Text>, span: Span },
    Env(Pairs),
    Args(Pairs),
    Workdir(Text),
    User(Text),
}

impl File {
    pub fn read(document: &Node, faults: &mut Vec<Diagnostic>) -> File {
        let mut out = File::default();
        let version = document.as_map().and_then(|m| m.get("apiVersion")).map(|e| &e.value);
        let newest = match version.map(|v| (v.span, v.scalar())) {
            Some((_, Some(v))) if &*v == "v1" => true,
            Some((_, Some(v))) if &*v == "v1alpha1" => false,
            Some((span, _)) => {
                let problem = Diagnostic::new(codes::VALUE, "there is no such version of Mockerfiles").at(span);
                faults.push(problem.note("the versions are `v1alpha1` and `v1`"));
                true
            }
            None => {
                let problem = Diagnostic::new(codes::VALUE, "the file does not say its version").at(document.span);
                faults.push(problem.note("write `apiVersion: v1` at the top"));
                true
            }
        };
        let Some(mut reader) = Reader::new("a Mockerfile", document, &FILE, newest, faults) else { return out };
        out.args = reader.pairs("args");
        let images = reader.list("images");
        if images.is_empty() {
            fault(reader.faults(), document.span, "the file has no `images`, and so nothing to build".to_owned());
        }
        for node in images {
            out.images.extend(image(node, newest, faults));
        }
        out
    }
}

fn image(node: &Node, newest: bool, faults: &mut Vec<Diagnostic>) -> Option<Image> {
    let mut r = Reader::new("an image", node, &IMAGE, newest, faults)?;
    let mut image = Image {
        span: r.span(),
        name: r.line("name"),
        from: r.line("from"),
        parent: r.line("parent"),
        platform: r.line("platform"),
        args: r.pairs("args"),
        shell: r.lines("shell"),
        env: r.pairs("env"),
        package: None,
        external: Vec::new(),
        workdir: r.line("workdir"),
        steps: Vec::new(),
        output: r.lines("output"),
        labels: r.pairs("labels"),
        expose: r.lines("expose"),
        volumes: r.lines("volumes"),
        user: r.line("user"),
        stopsignal: r.line("stopsignal"),
        entrypoint: command(&mut r, "entrypoint"),
        cmd: command(&mut r, "cmd"),
    };
    let (packages, external, steps) = (r.get("package"), r.list("external"), r.list("steps"));
    image.package = packages.and_then(|node| package(node, newest, faults));
    image.external = external.iter().filter_map(|node| download(node, newest, faults)).collect();
    image.steps = steps.iter().filter_map(|node| step(node, newest, faults)).collect();
    Some(image)
}

fn command(r: &mut Reader<'_, '_>, key: &str) -> Option<Command> {
    match r.get(key)? {
        node @ Node { data: Data::List(_), .. } => Some(Command::Exec(node.span, r.lines(key))),
        _ => r.line(key).map(Command::Shell),
    }
}

fn package(node: &Node, newest: bool, faults: &mut Vec<Diagnostic>) -> Option<Package> {
    let mut r = Reader::new("`package`", node, &PACKAGE, newest, faults)?;
    let mut out = Package { span: node.span, repo: r.lines("repo"), gpg: Vec::new(), install: r.lines("install") };
    for key in r.list("gpg") {
        if key.as_map().is_some() {
            let Some(mut r) = Reader::new("a key", key, &GPG, newest, faults) else { continue };
            let (src, sum) = (r.line("src"), r.line("sha256"));
            match src {
                Some(src) => out.gpg.push((src, sum)),
                None => fault(faults, key.span, "a key needs `src`".to_owned()),
            }
        } else {
            out.gpg.extend(line("gpg", key, faults).map(|src| (src, None)));
        }
    }
    for name in &out.install {
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.:=~_/*".contains(c);
        if name.text.starts_with('-') || name.text.is_empty() || !name.text.chars().all(plain) {
            fault(faults, name.span, format!("`{}` is no name of a package", name.text));
        }
    }
    Some(out)
}

/// Endings of archives that are unpacked.
const ARCHIVES: [&str; 7] = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"];

fn download(node: &Node, newest: bool, faults: &mut Vec<Diagnostic>) -> Option<External> {
    let mut r = Reader::new("an external file", node, &EXTERNAL, newest, faults)?;
    let (src, dst) = (r.line("src"), r.line("dst"));
    let (sha256, install, unpack, mode) = (r.line("sha256"), r.lines("install"), r.truth("unpack"), r.line("mode"));
    let (Some(src), Some(dst)) = (src, dst) else {
        fault(faults, node.span, "an external file needs `src` and `dst`".to_owned());
        return None;
    };
    if !src.text.starts_with("https://") && !src.text.starts_with("http://") {
        fault(faults, src.span, "`src` is an URL of http or https".to_owned());
    }
    if let Some(sum) = sha256.as_ref().filter(|s| s.text.len() != 64 || !s.text.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        fault(faults, sum.span, "`sha256` has 64 hexadecimal digits".to_owned());
    }
    let path = src.text.split(['?', '#']).next().unwrap_or_default();
    let unpack = unpack.unwrap_or_else(|| ARCHIVES.iter().any(|ending| path.ends_with(ending)));
    Some(External { src, dst, sha256, install, unpack, mode })
}

fn step(node: &Node, newest: bool, faults: &mut Vec<Diagnostic>) -> Option<Step> {
    if node.as_map().is_none() {
        let command = text("steps", node, faults)?;
        return Some(Step::Run { command, mounts: Vec::new(), network: None });
    }
    if !newest {
        fault(faults, node.span, "a step is a command, and more with `apiVersion: v1`".to_owned());
        return None;
    }
    let mut r = Reader::new("a step", node, &STEP, newest, faults)?;
    let (mounts, network) = (r.lines("mounts"), r.line("network"));
    let kinds = ["run", "copy", "env", "workdir", "user", "args"];
    let given: Vec<&str> = kinds.into_iter().filter(|kind| r.get(kind).is_some()).collect();
    let [kind] = given[..] else {
        fault(faults, node.span, format!("a step has one of {}", kinds.join(", ")));
        return None;
    };
    match kind {
        "run" => {
            let command = r.get("run").and_then(|node| text("run", node, faults))?;
            Some(Step::Run { command, mounts, network })
        }
        "copy" => {
            let sources = r.lines("copy");
            let (dest, from, chown, chmod) = (r.line("to"), r.line("from"), r.line("chown"), r.line("chmod"));
            let Some(dest) = dest else {
                fault(faults, node.span, "`copy` needs `to`, the destination".to_owned());
                return None;
            };
            Some(Step::Copy { sources, dest, from, chown, chmod, span: node.span })
        }
        "env" => Some(Step::Env(r.pairs("env"))),
        "args" => Some(Step::Args(r.pairs("args"))),
        "workdir" => r.line("workdir").map(Step::Workdir),
        _ => r.line("user").map(Step::User),
    }
}
