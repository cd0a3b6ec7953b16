//! The lock file, `rbc.lock`: for each base image and platform its digest and its config.
//!
//! The config is there byte for byte, because compiling copies parts of it as they are. It is written as a literal
//! string on a line of its own, which can be read and compared; a config that has line ends or control characters is
//! written with escapes, for editors and version control may change the bytes of line ends. Entries are sorted, so
//! that one that does not change does not move.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use rbc_oci::{Digest, Platform, Reference};
use rbc_source::{Diagnostic, Parsed, SourceFile, Span, environment, image};
use rbc_toml::{DeTable, DeValue, Spanned, TomlReader};

use crate::error::{Result, failure};
use crate::resolve::{ImageRequest, ImageResolver, ResolvedImage};

/// The form that this rbc writes and reads.
const VERSION: u32 = 1;
const HEAD: &str = "\
# The digest of each base image, and its config byte for byte. Commit this file with the sources.
# `rbc lock` writes it, `rbc compile --locked` compiles by it, without a registry.
";

/// The contents of a lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By reference and platform, both in full.
    entries: BTreeMap<(String, String), Locked>,
}

/// What a lock file says of one image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The digest of what the reference stands for.
    pub digest: Digest,
    /// The image config, exactly as stored.
    pub config: String,
}

impl Lock {
    /// Without entries.
    pub fn new() -> Self {
        Lock::default()
    }

    /// Reads a lock file. Findings point into it; an entry with one is left out.
    pub fn parse(file: &SourceFile) -> Parsed<Lock> {
        let mut reader = TomlReader::new(file, image::LOCK);
        let value = reader.document().map(|document| read_lock(&mut reader, &document)).unwrap_or_default();
        let remedy = "`rbc lock` writes it anew";
        Parsed { value, diagnostics: reader.diagnostics.into_iter().map(|found| found.note(remedy)).collect() }
    }

    /// What is locked for an image and a platform.
    pub fn get(&self, reference: &Reference, platform: &Platform) -> Option<&Locked> {
        self.entries.get(&key(reference, platform))
    }

    /// Adds or replaces an entry.
    ///
    /// # Errors
    /// If the config is not text: then it is not JSON either.
    pub fn insert(
        &mut self,
        reference: &Reference,
        platform: &Platform,
        digest: Digest,
        config: Vec<u8>,
    ) -> Result<()> {
        let config = String::from_utf8(config).map_err(|_| {
            failure(image::CORRUPT, format!("`{}` has a config that is not UTF-8", reference.familiar()))
        })?;
        self.entries.insert(key(reference, platform), Locked { digest, config });
        Ok(())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries: reference, platform, and what is locked.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Locked)> {
        self.entries.iter().map(|((reference, platform), locked)| (reference.as_str(), platform.as_str(), locked))
    }

    /// The text of the lock file.
    pub fn to_toml(&self) -> String {
        let mut out = format!("{HEAD}version = {VERSION}\n");
        for (reference, platform, locked) in self.iter() {
            out.push_str("\n[[image]]\n");
            for (name, value) in [("reference", reference), ("platform", platform), ("digest", locked.digest.as_str())]
            {
                out.push_str(&format!("{name} = {}\n", rbc_toml::basic_string(value)));
            }
            out.push_str(&format!("config = {}\n", config_string(&locked.config)));
        }
        out
    }

    /// Writes the lock file, if it is not already as it should be. It is replaced as a whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = self.to_toml();
        if std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
            return Ok(());
        }
        let written = (|| {
            let mut file = crate::disk::Draft::beside(path)?;
            file.write_all(text.as_bytes())?;
            file.publish(path)
        })();
        written.map_err(|e| failure(environment::WRITE, format!("cannot write {}: {e}", path.display())).into())
    }
}

/// Answers by a lock file.
#[derive(Clone, Debug)]
pub struct LockResolver {
    lock: Lock,
    name: String,
}

impl LockResolver {
    /// Answers by `lock`, which was read from the file `name`.
    pub fn new(lock: Lock, name: impl Into<String>) -> Self {
        LockResolver { lock, name: name.into() }
    }
}

impl ImageResolver for LockResolver {
    fn resolve(&self, request: &ImageRequest) -> Result<ResolvedImage> {
        if let Some(locked) = self.lock.get(&request.reference, &request.platform) {
            return Ok(ResolvedImage::new(request, locked.digest.clone(), locked.config.clone().into_bytes()));
        }
        let (name, familiar) = (&self.name, request.reference.familiar());
        let message = format!("{name} has no entry for `{familiar}` on {}", request.platform);
        let mut found = failure(image::NOT_LOCKED, message).note("`rbc lock` adds it");
        let wanted = request.reference.to_string();
        let others: Vec<&str> =
            self.lock.iter().filter(|(reference, ..)| *reference == wanted).map(|(_, p, _)| p).collect();
        if !others.is_empty() {
            found = found.note(format!("it is locked for {}", others.join(", ")));
        }
        Err(found.into())
    }
}

fn key(reference: &Reference, platform: &Platform) -> (String, String) {
    (reference.clone().with_default_tag().to_string(), platform.normalize().format_all())
}

fn config_string(config: &str) -> String {
    let plain = !config.contains("'''") && !config.ends_with('\'') && !config.chars().any(|c| c.is_ascii_control());
    match plain {
        true => format!("'''\n{config}'''"),
        false => rbc_toml::basic_string(config),
    }
}

fn read_lock(reader: &mut TomlReader, document: &DeTable) -> Lock {
    let mut lock = Lock::new();
    let version = document.get("version");
    let known = version.and_then(|v| v.get_ref().as_integer()).is_some_and(|v| v.as_str() == VERSION.to_string());
    if !known {
        let start = reader.file.span(0, 0);
        match version {
            Some(version) => {
                let message = format!("the lock file has another version than {VERSION}, which this rbc knows");
                reader.report(reader.span(version), message);
            }
            None => reader.report(start, "the lock file does not say its version"),
        }
        return lock;
    }
    reader.check_names(document, &["version", "image"]);
    let Some(images) = document.get("image") else { return lock };
    let Some(array) = images.get_ref().as_array() else {
        reader.report(reader.span(images), "`image` must be a list of tables: write `[[image]]`");
        return lock;
    };
    let mut places: BTreeMap<(String, String), Span> = BTreeMap::new();
    for entry in array.iter() {
        let Some((key, locked)) = read_entry(reader, entry) else { continue };
        let place = reader.span(entry);
        if let Some(first) = places.insert(key.clone(), place) {
            let message = format!("`{}` on {} is there twice", key.0, key.1);
            reader.diagnostics.push(Diagnostic::new(image::LOCK, message).at(place).also(first, "the first one"));
        }
        lock.entries.insert(key, locked);
    }
    lock
}

fn read_entry(reader: &mut TomlReader, entry: &Spanned<DeValue>) -> Option<((String, String), Locked)> {
    let place = reader.span(entry);
    let Some(table) = entry.get_ref().as_table() else {
        reader.report(place, "an image must be a table: write `[[image]]`");
        return None;
    };
    reader.check_names(table, &["reference", "platform", "digest", "config"]);
    // All fields are looked at, so that all faults are reported at once.
    let reference = reader.text(table, place, "reference", |text| {
        let reference = Reference::parse_normalized(text).map_err(|e| e.to_string())?.with_default_tag();
        match reference.to_string() == text {
            true => Ok(text.to_owned()),
            false => Err(format!("the reference must be in full: `{reference}`")),
        }
    });
    let platform = reader.text(table, place, "platform", |text| {
        let platform = Platform::parse(text, &Platform::new("linux", "amd64")).map_err(|e| e.to_string())?.normalize();
        match platform.format_all() == text {
            true => Ok(text.to_owned()),
            false => Err(format!("the platform must be in full: `{platform}`")),
        }
    });
    let digest = reader.text(table, place, "digest", |text| Digest::parse(text).map_err(|e| e.to_string()));
    let config = reader.text(table, place, "config", |text| match serde_json::from_str(text) {
        Ok(serde::de::IgnoredAny) => Ok(text.to_owned()),
        Err(e) => Err(format!("the config is not JSON: {e}")),
    });
    Some(((reference?, platform?), Locked { digest: digest?, config: config? }))
}

#[cfg(test)]
mod tests {
    use rbc_source::FileId;

    use super::*;

    fn read(text: &str) -> (Lock, Vec<(String, String)>) {
        let file = SourceFile::new(FileId(0), "rbc.lock", text);
        let parsed = Lock::parse(&file);
        let found = parsed.diagnostics.iter().map(|d| {
            assert_eq!(d.code, image::LOCK);
            (d.message.clone(), file.slice(d.primary.as_ref().unwrap().span).to_owned())
        });
        (parsed.value, found.collect())
    }

    fn lock(entries: &[(&str, &str, &str)]) -> Lock {
        let mut lock = Lock::new();
        for (reference, platform, config) in entries {
            let reference = Reference::parse_normalized(reference).unwrap();
            let platform = Platform::parse(platform, &Platform::new("linux", "amd64")).unwrap();
            lock.insert(&reference, &platform, Digest::sha256([1; 32]), config.as_bytes().to_vec()).unwrap();
        }
        lock
    }

    #[test]
    fn what_is_written_is_read() {
        let odd = [
            r#"{"a":"plain \" \\ \u0000"}"#,
            "{\n  \"a\": 1\r\n}\n",
            r#"{"a":"'''"}"#,
            "\t{\"é\":\"\u{1F600}\u{7f}\"}",
            "\"'\"",
            "1",
        ];
        for config in odd {
            let lock = lock(&[("alpine", "linux/arm", config), ("alpine", "windows(10.0.1+a)/amd64", "{}")]);
            let (again, found) = read(&lock.to_toml());
            assert_eq!((again, found), (lock, vec![]), "{config:?}");
        }
        assert_eq!(read("version = 1\n"), (Lock::new(), vec![]));
    }

    #[test]
    fn entries_that_do_not_change_do_not_move() {
        let two = lock(&[("b", "amd64", "{}"), ("a:2", "arm64", r#"{"os":"linux"}"#)]);
        let hash = "01".repeat(32);
        let text = two.to_toml();
        let expected = format!(
            "{HEAD}version = 1\n\n[[image]]\nreference = \"docker.io/library/a:2\"\nplatform = \"linux/arm64\"\n\
             digest = \"sha256:{hash}\"\nconfig = '''\n{{\"os\":\"linux\"}}'''\n\n[[image]]\n\
             reference = \"docker.io/library/b:latest\"\nplatform = \"linux/amd64\"\ndigest = \"sha256:{hash}\"\n\
             config = '''\n{{}}'''\n"
        );
        assert_eq!(text, expected);
        let three = lock(&[("b", "amd64", "{}"), ("a:2", "arm64", r#"{"os":"linux"}"#), ("a:3", "arm64", "{}")]);
        for entry in text.split("\n[[image]]\n").skip(1) {
            assert!(three.to_toml().contains(entry.trim_end()));
        }
    }

    #[test]
    fn line_ends_of_other_systems_change_nothing() {
        let lock = lock(&[("a", "amd64", "{}"), ("b", "amd64", "{\n}")]);
        assert_eq!(read(&lock.to_toml().replace('\n', "\r\n")), (lock, vec![]));
    }

    #[test]
    fn faults_are_reported_where_they_are() {
        let good = lock(&[("a", "amd64", "{}")]).to_toml();
        let all = |text: &str| read(text).1;
        for (from, to, message, place) in [
            ("version = 1", "version = 2", "has another version", "2"),
            ("version = 1", "", "does not say its version", ""),
            ("digest = ", "digset = ", "no field `digset`", "digset"),
            ("library/a:latest", "library/A:latest", "lower case", "\"docker.io/library/A:latest\""),
            ("docker.io/library/a:latest", "a", "must be in full: `docker.io/library/a:latest`", "\"a\""),
            ("linux/amd64", "linux/x86_64", "in full: `linux/amd64`", "\"linux/x86_64\""),
            ("sha256:", "md5:", "algorithm `md5`", &format!("\"md5:{}\"", "01".repeat(32))),
            ("{}", "{", "not JSON", "'''\n{'''"),
            ("\"linux/amd64\"", "7", "`platform` must be a string", "7"),
            ("[[image]]", "[image]", "write `[[image]]`", "[image]"),
        ] {
            let found = all(&good.replace(from, to));
            let hit = found.iter().find(|(said, _)| said.contains(message));
            assert_eq!(hit.map(|(_, at)| at.as_str()), Some(place), "{to}: {found:?}");
        }
        assert!(all("version = 1\nimage = 3\n")[0].0.contains("list of tables"));
        assert!(all("version = 1\nimage = [3]\n")[0].0.contains("must be a table"));
        assert!(all("<<<<<<< HEAD\nversion = 1\n")[0].0.contains("not TOML"));
        let entry = good.split_once("\n[[").unwrap().1;
        let twice = all(&format!("{good}\n[[{entry}"));
        assert_eq!(twice[0].0, "`docker.io/library/a:latest` on linux/amd64 is there twice");
    }

    #[test]
    fn missing_entries_name_the_remedy() {
        let resolver = LockResolver::new(lock(&[("a", "arm64", "{}")]), "rbc.lock");
        let request = |platform: &str| ImageRequest {
            reference: Reference::parse_normalized("a:latest").unwrap(),
            platform: Platform::parse(platform, &Platform::default()).unwrap(),
            mode: crate::Mode::Default,
        };
        assert_eq!(resolver.resolve(&request("linux/arm64/v8")).unwrap().config, b"{}");
        let found = resolver.resolve(&request("linux/amd64")).unwrap_err();
        assert_eq!(found.code, image::NOT_LOCKED);
        assert_eq!(found.message, "rbc.lock has no entry for `a:latest` on linux/amd64");
        assert_eq!(found.notes, ["`rbc lock` adds it", "it is locked for linux/arm64"]);
    }
}
