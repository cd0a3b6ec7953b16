//! Settings of registries.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use rbc_source::{Parsed, SourceFile, image};
use rbc_toml::{DeTable, DeValue, TomlReader};

/// How to reach registries.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Settings of single registries, by the name that references have (`docker.io`, `localhost:5000`). Mirrors and
    /// their settings are found here by their own host.
    pub hosts: BTreeMap<String, HostConfig>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for the next byte. A transfer as a whole may take any time.
    pub idle_timeout: Duration,
    /// How often to try a request that fails in a way that may pass: connection lost, 429, 5xx. At least once.
    pub tries: u32,
    /// How long to wait before the second try. It doubles with each further one; a registry's `Retry-After` comes first.
    pub first_wait: Duration,
    /// Push larger blobs in parts of this size. If not said, they are pushed whole, which every registry takes, and in
    /// parts where that does not pass.
    pub chunk: Option<u64>,
}

/// Settings of one registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// Where to look before the registry itself, in order: `host[:port][/path]`, with `http://` for one without TLS.
    /// Nothing is pushed there.
    pub mirrors: Vec<String>,
    /// Whether to speak HTTP without TLS. If not said, only with this machine (`localhost`, `127.0.0.1`, `[::1]`).
    pub plain_http: Option<bool>,
    /// Accept any certificate, and fall back to HTTP without TLS.
    pub insecure: bool,
    /// Files with certificates (PEM) of authorities to trust besides those of the system.
    pub authorities: Vec<PathBuf>,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        RegistryConfig {
            hosts: BTreeMap::new(),
            connect_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            tries: 5,
            first_wait: Duration::from_millis(500),
            chunk: None,
        }
    }
}

impl RegistryConfig {
    /// Reads the settings of registries from a file that has them as BuildKit's `buildkitd.toml` does; whatever else is in
    /// the file is left to others.
    ///
    /// ```toml
    /// [registry."docker.io"]
    /// mirrors = ["mirror.example/hub"]
    ///
    /// [registry."registry.example:5000"]
    /// http = true
    /// insecure = true
    /// ca = ["authority.pem"]
    /// ```
    pub fn parse(file: &SourceFile) -> Parsed<RegistryConfig> {
        let mut reader = TomlReader::new(file, image::SETTINGS);
        let mut config = RegistryConfig::default();
        if let Some(document) = reader.document()
            && let Some(registries) = document.get("registry")
        {
            match registries.get_ref().as_table() {
                Some(table) => config.hosts = read_hosts(&mut reader, table),
                None => reader.report(reader.span(registries), r#"settings are written `[registry."HOST"]`"#),
            }
        }
        Parsed { value: config, diagnostics: reader.diagnostics }
    }

    /// The settings of a registry or mirror.
    pub(crate) fn host(&self, name: &str) -> HostConfig {
        self.hosts.get(name).cloned().unwrap_or_default()
    }
}

fn read_hosts(reader: &mut TomlReader, registries: &DeTable) -> BTreeMap<String, HostConfig> {
    let mut hosts = BTreeMap::new();
    for (host, settings) in registries.iter() {
        let Some(table) = settings.get_ref().as_table() else {
            reader.report(reader.span(settings), "the settings of a registry must be a table");
            continue;
        };
        reader.check_names(table, &["mirrors", "http", "insecure", "ca"]);
        let texts = |value: &DeValue| {
            value.as_array()?.iter().map(|text| Some(text.get_ref().as_str()?.to_owned())).collect::<Option<Vec<_>>>()
        };
        let switch = |value: &DeValue| value.as_bool();
        let list = "a list of strings";
        let settings = HostConfig {
            mirrors: reader.optional(table, "mirrors", list, texts).unwrap_or_default(),
            plain_http: reader.optional(table, "http", "true or false", switch),
            insecure: reader.optional(table, "insecure", "true or false", switch).unwrap_or_default(),
            authorities: reader
                .optional(table, "ca", list, texts)
                .unwrap_or_default()
                .into_iter()
                .map(PathBuf::from)
                .collect(),
        };
        hosts.insert(host.get_ref().to_string(), settings);
    }
    hosts
}

impl HostConfig {
    /// The schemes to try, in order, for `host[:port]`.
    pub(crate) fn schemes(&self, host: &str) -> &'static [&'static str] {
        match (self.plain_http, self.insecure) {
            (Some(true), _) => &["http"],
            (_, true) => &["https", "http"],
            (None, false) if is_loopback(host) => &["http"],
            _ => &["https"],
        }
    }
}

/// Whether `host[:port]` is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_as_buildkit_has_them() {
        let read = |text: &str| {
            let file = SourceFile::new(rbc_source::FileId(0), "rbc.toml", text);
            let parsed = RegistryConfig::parse(&file);
            let found = parsed.diagnostics.iter().map(|d| {
                (d.message.clone(), file.slice(d.primary.as_ref().unwrap().span).to_owned(), d.notes.concat())
            });
            (parsed.value.hosts, found.collect::<Vec<_>>())
        };
        let (hosts, found) = read(
            "debug = true\n[registry.\"docker.io\"]\nmirrors = [\"a\", \"b/c\"]\n\
             [registry.\"r.io:5\"]\nhttp = false\ninsecure = true\nca = [\"x.pem\"]\n",
        );
        assert_eq!(found, []);
        assert_eq!(hosts["docker.io"].mirrors, ["a", "b/c"]);
        let other = &hosts["r.io:5"];
        assert_eq!(
            (other.plain_http, other.insecure, &other.authorities[..]),
            (Some(false), true, &["x.pem".into()][..])
        );
        for (text, message, place, note) in [
            ("[registry.a]\nmirror = []", "there is no field `mirror`", "mirror", "did you mean `mirrors`?"),
            ("[registry.a]\nmirrors = [1]", "`mirrors` must be a list of strings", "[1]", ""),
            ("[registry.a]\nhttp = 1", "`http` must be true or false", "1", ""),
            ("[registry]\na = 1", "the settings of a registry must be a table", "1", ""),
            ("registry = 1", "settings are written `[registry.\"HOST\"]`", "1", ""),
        ] {
            assert_eq!(read(text).1, [(message.to_owned(), place.to_owned(), note.to_owned())]);
        }
        assert!(read("=").1[0].0.contains("rbc.toml is not TOML"));
    }

    #[test]
    fn schemes() {
        let default = HostConfig::default();
        assert_eq!(default.schemes("reg.io"), ["https"]);
        for host in ["localhost:5000", "127.0.0.2", "[::1]:5000", "localhost"] {
            assert_eq!(default.schemes(host), ["http"], "{host}");
        }
        assert_eq!(default.schemes("localhost.example"), ["https"]);
        let tls = HostConfig { plain_http: Some(false), ..HostConfig::default() };
        assert_eq!(tls.schemes("localhost:5000"), ["https"]);
        let insecure = HostConfig { insecure: true, ..HostConfig::default() };
        assert_eq!(insecure.schemes("localhost:5000"), ["https", "http"]);
    }
}
