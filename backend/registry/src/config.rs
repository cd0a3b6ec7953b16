//! Settings of registries.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

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
    /// From this size on a blob is pushed in parts of this size, so that a lost connection costs one part.
    pub chunk: u64,
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
            chunk: 64 << 20,
        }
    }
}

impl RegistryConfig {
    /// The settings of a registry or mirror.
    pub(crate) fn host(&self, name: &str) -> HostConfig {
        self.hosts.get(name).cloned().unwrap_or_default()
    }
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
