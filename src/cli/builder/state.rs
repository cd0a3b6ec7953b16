//! What is known of builders: the file `builders.toml`, which people may edit, too.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use rbc_oci::Platform;
use rbc_source::{Diagnostic, Parsed, SourceFile, Sources, Span, environment};
use rbc_toml::{DeTable, DeValue, Spanned, TomlReader, basic_string};

use super::Driver;
use crate::cli::{Failure, write_output};

/// The version of the form of the file.
const VERSION: i64 = 1;

/// All builders of the file, and which of them is used when none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Builders {
    /// The one that `rbc builder use` chose; none is the executor within rbc.
    pub current: Option<String>,
    /// In the order of the file.
    pub all: Vec<Builder>,
}

/// One or more daemons under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// How its nodes came to be.
    pub driver: Driver,
    /// Its nodes; the first one is used for what has no platform.
    pub nodes: Vec<Node>,
}

/// One daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where it is, in the form that `rbc_buildkit::Endpoint` reads.
    pub endpoint: String,
    /// Platforms that are built there rather than on other nodes, beside those that it says itself.
    pub platforms: Vec<Platform>,
    /// The image of its container, if rbc makes that.
    pub image: Option<String>,
    /// The network of its container.
    pub network: Option<String>,
    /// Variables of its container, `NAME=VALUE`.
    pub env: Vec<String>,
    /// Flags of its daemon.
    pub flags: Vec<String>,
    /// The configuration file of its daemon, which is mounted into its container.
    pub config: Option<PathBuf>,
}

impl Builder {
    /// The nodes that are to build some platforms: those that were given one, and the first if one was given to none.
    pub fn nodes_for(&self, platforms: &[Platform]) -> Vec<&Node> {
        let home =
            |platform: &Platform| self.nodes.iter().position(|node| node.platforms.contains(platform)).unwrap_or(0);
        let mut places: Vec<usize> = platforms.iter().map(home).collect();
        places.sort_unstable();
        places.dedup();
        if places.is_empty() {
            places.push(0);
        }
        places.into_iter().filter_map(|at| self.nodes.get(at)).collect()
    }

    /// A node by its name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

/// Where the file is: `$RBC_BUILDERS`, or below the directory for configuration.
pub fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("RBC_BUILDERS")
        .or_else(|| set("XDG_CONFIG_HOME").map(|dir| dir.join("rbc/builders.toml")))
        .or_else(|| set("HOME").map(|dir| dir.join(".config/rbc/builders.toml")))
}

/// Reads the file; if there is none, there are no builders.
///
/// # Errors
/// It cannot be read, or is not well formed.
pub fn load() -> Result<Builders, Failure> {
    let Some(path) = path() else { return Ok(Builders::default()) };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Builders::default()),
        Err(e) => {
            return Err(Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", path.display())).into());
        }
    };
    let mut sources = Sources::new();
    let id = sources.add_bytes(path.to_string_lossy(), text);
    let builders = read(sources.get(id));
    if builders.has_errors() { Err(Failure::new(&sources, builders.diagnostics)) } else { Ok(builders.value) }
}

/// Changes the file, as one process at a time.
///
/// # Errors
/// As of [`load`] and `change`, and if it cannot be written. Then it is as it was.
pub fn change<T>(change: impl FnOnce(&mut Builders) -> Result<T, Failure>) -> Result<T, Failure> {
    let path = path().ok_or_else(|| {
        Diagnostic::new(environment::BUILDERS, "there is no place for builders: neither RBC_BUILDERS nor HOME is set")
    })?;
    let failed =
        |e: std::io::Error| Diagnostic::new(environment::WRITE, format!("`{}` cannot be written: {e}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let held = File::open(folder).map_err(failed)?;
    // Until it is closed at the end.
    held.lock().map_err(failed)?;
    let mut builders = load()?;
    let before = builders.clone();
    let outcome = change(&mut builders)?;
    if builders != before {
        write_output(Some(&path), write(&builders).as_bytes())?;
    }
    Ok(outcome)
}

fn read(file: &SourceFile) -> Parsed<Builders> {
    let mut reader = TomlReader::new(file, environment::BUILDERS);
    let mut builders = Builders::default();
    if let Some(document) = reader.document() {
        reader.check_names(&document, &["version", "current", "builder"]);
        if let Some(version) = document.get("version")
            && version.get_ref().as_integer().is_none_or(|v| v.as_str() != VERSION.to_string())
        {
            reader.report(
                reader.span(version),
                format!("the file has another version than {VERSION}, which this rbc knows"),
            );
        }
        builders.current = text(&mut reader, &document, "current");
        for entry in tables(&mut reader, &document, "builder") {
            builders.all.extend(read_builder(&mut reader, entry));
        }
        same_names(&mut reader, &document);
    }
    Parsed { value: builders, diagnostics: reader.diagnostics }
}

fn text(reader: &mut TomlReader, table: &DeTable, name: &str) -> Option<String> {
    reader.optional(table, name, "a text", |value| value.as_str().map(str::to_owned))
}

fn texts(reader: &mut TomlReader, table: &DeTable, name: &str) -> Vec<String> {
    let read = |value: &DeValue| value.as_array()?.iter().map(|v| v.get_ref().as_str().map(str::to_owned)).collect();
    reader.optional(table, name, "a list of texts", read).unwrap_or_default()
}

/// The tables of a list of them.
fn tables<'a, 'i>(reader: &mut TomlReader, table: &'a DeTable<'i>, name: &str) -> Vec<&'a Spanned<DeValue<'i>>> {
    let Some(list) = table.get(name) else { return Vec::new() };
    match list.get_ref().as_array() {
        Some(entries) if entries.iter().all(|entry| entry.get_ref().is_table()) => entries.iter().collect(),
        _ => {
            reader.report(reader.span(list), format!("`{name}` must be a list of tables: write `[[{name}]]`"));
            Vec::new()
        }
    }
}

fn read_builder(reader: &mut TomlReader, entry: &Spanned<DeValue>) -> Option<Builder> {
    let (place, table) = (reader.span(entry), entry.get_ref().as_table()?);
    reader.check_names(table, &["name", "driver", "node"]);
    let name = reader.text(table, place, "name", |name| valid_name(name).map(|()| name.to_owned()));
    let driver = reader.text(table, place, "driver", Driver::parse);
    let nodes: Vec<Node> =
        tables(reader, table, "node").into_iter().filter_map(|node| read_node(reader, node)).collect();
    if nodes.is_empty() {
        reader.report(place, "a builder must have a node: write `[[builder.node]]`");
    }
    Some(Builder { name: name?, driver: driver?, nodes })
}

fn read_node(reader: &mut TomlReader, entry: &Spanned<DeValue>) -> Option<Node> {
    let (place, table) = (reader.span(entry), entry.get_ref().as_table()?);
    reader.check_names(table, &["name", "endpoint", "platforms", "image", "network", "env", "flags", "config"]);
    let name = reader.text(table, place, "name", |name| valid_name(name).map(|()| name.to_owned()));
    let endpoint = reader.text(table, place, "endpoint", |text| match rbc_buildkit::Endpoint::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(found) => Err(found.message),
    });
    let mut platforms = Vec::new();
    let listed = table.get("platforms");
    for text in texts(reader, table, "platforms") {
        match (Platform::parse(&text, &Platform::new("linux", "amd64")), listed) {
            (Ok(platform), _) => platforms.push(platform),
            (Err(e), Some(list)) => reader.report(reader.span(list), format!("`{text}`: {e}")),
            (Err(_), None) => {}
        }
    }
    // All fields are looked at, so that all faults are reported at once.
    let (image, network) = (text(reader, table, "image"), text(reader, table, "network"));
    let (env, flags) = (texts(reader, table, "env"), texts(reader, table, "flags"));
    let config = text(reader, table, "config").map(PathBuf::from);
    Some(Node { name: name?, endpoint: endpoint?, platforms, image, network, env, flags, config })
}

/// Reports builders that share a name.
fn same_names(reader: &mut TomlReader, document: &DeTable) {
    let mut seen: Vec<(String, Span)> = Vec::new();
    for entry in tables(reader, document, "builder") {
        let Some(name) = entry.get_ref().get("name") else { continue };
        let (Some(text), place) = (name.get_ref().as_str().map(str::to_owned), reader.span(name)) else { continue };
        match seen.iter().find(|(other, _)| *other == text) {
            Some((_, first)) => {
                let found = Diagnostic::new(environment::BUILDERS, format!("there are two builders `{text}`"));
                reader.diagnostics.push(found.at(place).also(*first, "the first one"));
            }
            None => seen.push((text, place)),
        }
    }
}

/// Whether it can be the name of a builder or a node; an error is a phrase.
///
/// The rule is buildx's: names become those of containers.
pub fn valid_name(name: &str) -> Result<(), String> {
    let letter = |c: char| c.is_ascii_alphanumeric();
    let fine = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| letter(c) || matches!(c, '.' | '_' | '-'));
    match fine {
        true => Ok(()),
        false => {
            Err(format!("`{name}` is no name: it begins with a letter, and has letters, digits, `.`, `_` and `-`"))
        }
    }
}

fn write(builders: &Builders) -> String {
    let mut out = format!("# Builders of rbc; `rbc builder` writes this file.\nversion = {VERSION}\n");
    let list = |texts: &[String]| format!("[{}]", texts.iter().map(|t| basic_string(t)).collect::<Vec<_>>().join(", "));
    let mut line = |key: &str, value: String| _ = writeln!(out, "{key} = {value}");
    if let Some(current) = &builders.current {
        line("current", basic_string(current));
    }
    for builder in &builders.all {
        _ = writeln!(
            out,
            "\n[[builder]]\nname = {}\ndriver = \"{}\"",
            basic_string(&builder.name),
            builder.driver.name()
        );
        for node in &builder.nodes {
            _ = writeln!(out, "\n[[builder.node]]");
            let mut line = |key: &str, value: String| _ = writeln!(out, "{key} = {value}");
            line("name", basic_string(&node.name));
            line("endpoint", basic_string(&node.endpoint));
            let platforms: Vec<String> = node.platforms.iter().map(Platform::format_all).collect();
            for (key, texts) in [("platforms", &platforms), ("env", &node.env), ("flags", &node.flags)] {
                if !texts.is_empty() {
                    line(key, list(texts));
                }
            }
            let config = node.config.as_ref().map(|path| path.to_string_lossy().into_owned());
            for (key, text) in [("image", &node.image), ("network", &node.network), ("config", &config)] {
                if let Some(text) = text {
                    line(key, basic_string(text));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rbc_source::FileId;

    use super::*;

    fn of(text: &str) -> Parsed<Builders> {
        read(&SourceFile::new(FileId(0), "builders.toml", text))
    }

    #[test]
    fn what_is_written_is_read() {
        let node = Node {
            name: "a0".to_owned(),
            endpoint: "docker-container://a".to_owned(),
            platforms: vec![Platform::new("linux", "arm64")],
            image: Some("an/image:\"1\"".to_owned()),
            network: Some("host".to_owned()),
            env: vec!["A=b c".to_owned()],
            flags: vec!["--debug".to_owned()],
            config: Some("/etc/buildkitd.toml".into()),
        };
        let other = Node { name: "a1".to_owned(), endpoint: "tcp://h:1".to_owned(), ..Node::default() };
        let a = Builder { name: "a".to_owned(), driver: Driver::DockerContainer, nodes: vec![node, other.clone()] };
        let b = Builder { name: "b".to_owned(), driver: Driver::Remote, nodes: vec![other] };
        let all = Builders { current: Some("b".to_owned()), all: vec![a, b] };
        let read = of(&write(&all));
        assert_eq!((read.value, read.diagnostics.len()), (all, 0));
    }

    #[test]
    fn every_fault_is_shown() {
        let text = "version = 2\nwhat = 1\n[[builder]]\nname = \"a b\"\ndriver = \"x\"\n[[builder]]\nname = \"c\"\ndriver = \"remote\"\n\
            [[builder.node]]\nname = \"n\"\nendpoint = \"nowhere\"\nplatforms = [\"a/b/c/d/e\"]\nenv = 1\n[[builder]]\nname = \"c\"\ndriver = \"remote\"\n";
        let messages: Vec<String> = of(text).diagnostics.into_iter().map(|found| found.message).collect();
        for expected in [
            "version",
            "`what`",
            "`a b`",
            "`x`",
            "must have a node",
            "nowhere",
            "a/b/c/d/e",
            "`env`",
            "two builders `c`",
        ] {
            assert!(messages.iter().any(|message| message.contains(expected)), "{expected}: {messages:?}");
        }
    }
}
