//! What a build is told beside its files: the attributes that a client sends to a frontend (`build-arg:NAME`, `target`,
//! `platform`, ...), read into typed options. The names and rules are those of BuildKit's `frontend/dockerui`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound;

use rbc_ast::check::CheckConfig;
use rbc_ast::limits::Ulimit;
use rbc_oci::{Platform, Reference};
use rbc_source::{Diagnostic, go_bool, lower as codes};

/// Facts about who compiles and for whom, which no attribute says.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// What builders run on, unless a stage says otherwise.
    pub build_platform: Platform,
    /// What this process runs on: named contexts without a platform are looked up by it.
    pub host_platform: Platform,
    /// The session that local files come from. Without one, local sources are told apart by `unique`.
    pub session: Option<String>,
    /// Tells local sources of this compilation from others; used without a session.
    pub unique: String,
}

/// When images are looked up at the registry although there is a local copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResolveMode {
    /// As the backend does it.
    #[default]
    Default,
    /// Always.
    ForcePull,
    /// Only if there is no local copy.
    PreferLocal,
}

impl ResolveMode {
    /// Its name in attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            ResolveMode::Default => "default",
            ResolveMode::ForcePull => "pull",
            ResolveMode::PreferLocal => "local",
        }
    }
}

/// Network of RUN steps that do not choose one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkMode {
    /// A network of the build's own.
    #[default]
    Sandbox,
    /// The host's.
    Host,
    /// None.
    None,
}

/// Limits of the containers of RUN steps; 0 and empty mean none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of memory and swap; -1 for unlimited.
    pub memory_swap: i64,
    /// Relative weight.
    pub cpu_shares: u64,
    /// Scheduler period in microseconds.
    pub cpu_period: u64,
    /// Microseconds a period.
    pub cpu_quota: i64,
    /// Processors, as `0-2,4`.
    pub cpuset_cpus: String,
    /// Memory nodes, as `0-1`.
    pub cpuset_mems: String,
}

/// Which stages ignore the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoCache {
    /// None.
    #[default]
    No,
    /// Every stage.
    All,
    /// Those with one of these names.
    Stages(Vec<String>),
}

impl NoCache {
    /// Whether the stage of that name (empty for none) ignores the cache.
    pub fn covers(&self, stage: &str) -> bool {
        match self {
            NoCache::No => false,
            NoCache::All => true,
            NoCache::Stages(names) => names.iter().any(|n| n.eq_ignore_ascii_case(stage)),
        }
    }
}

/// A scanner that makes a bill of materials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// Image of the scanner.
    pub generator: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
}

/// Everything a build is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The attributes as they came, for those whose name is open: `context:NAME`, `local-sessionid:NAME`, ...
    pub attrs: BTreeMap<String, String>,
    /// Build arguments.
    pub build_args: BTreeMap<String, String>,
    /// Labels for the image.
    pub labels: BTreeMap<String, String>,
    /// The stage to build; none for the last.
    pub target: Option<String>,
    /// Platforms to build for; empty for the default.
    pub platforms: Vec<Platform>,
    /// The result is a manifest list, even with one platform.
    pub multi_platform: bool,
    /// How images are looked up.
    pub resolve_mode: ResolveMode,
    /// Lines for `/etc/hosts`.
    pub extra_hosts: Vec<(String, IpAddr)>,
    /// Bytes of `/dev/shm`; 0 for the default.
    pub shm_size: i64,
    /// Limits of processes.
    pub ulimits: Vec<Ulimit>,
    /// Limits of containers.
    pub resources: Option<Resources>,
    /// Network of RUN steps.
    pub network: NetworkMode,
    /// Which stages ignore the cache.
    pub no_cache: NoCache,
    /// Prefix of the ids of cache mounts.
    pub cache_namespace: String,
    /// Control group of containers.
    pub cgroup_parent: String,
    /// Host name in containers.
    pub hostname: String,
    /// Configuration of checks that overrides the file's own.
    pub check: Option<CheckConfig>,
    /// Bill of materials.
    pub sbom: Option<Sbom>,
    /// Where and for whom.
    pub surroundings: Surroundings,
}

fn bad(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(codes::OPTION, message)
}

impl Options {
    /// Reads attributes.
    ///
    /// # Errors
    /// An attribute has a value that cannot be; the first such one is reported, without a place.
    pub fn from_attrs(
        mut attrs: BTreeMap<String, String>,
        surroundings: Surroundings,
    ) -> Result<Options, Box<Diagnostic>> {
        if attrs.get("override-copy-image").is_some_and(|v| !v.is_empty()) {
            return Err(Box::new(
                bad("the option `override-copy-image` is not supported").note("BuildKit dropped it in version 0.11"),
            ));
        }
        if attrs.get("build-arg:BUILDKIT_DISABLE_FILEOP").and_then(|v| go_bool(v)) == Some(true) {
            return Err(Box::new(
                bad("the build argument `BUILDKIT_DISABLE_FILEOP` is not supported")
                    .note("BuildKit dropped it in version 0.11"),
            ));
        }
        for (arg, attr) in [
            ("build-arg:BUILDKIT_MULTI_PLATFORM", "multi-platform"),
            ("build-arg:BUILDKIT_SANDBOX_HOSTNAME", "hostname"),
        ] {
            if let Some(v) = attrs.get(arg).filter(|v| !v.is_empty()).cloned() {
                attrs.insert(attr.to_owned(), v);
            }
        }
        let text = |key: &str| attrs.get(key).map(String::as_str).unwrap_or_default();

        let platforms = platforms(text("platform"), &surroundings.host_platform)?;
        let multi_platform = match text("multi-platform") {
            "" => platforms.len() > 1,
            v => match go_bool(v) {
                Some(false) if platforms.len() > 1 => {
                    return Err(Box::new(bad("`multi-platform` is off, but there are several platforms to build for")));
                }
                Some(on) => on,
                None => {
                    return Err(Box::new(bad(format!("`multi-platform` is `{v}`, which is neither true nor false"))));
                }
            },
        };
        let resolve_mode = match text("image-resolve-mode") {
            "" | "default" => ResolveMode::Default,
            "pull" => ResolveMode::ForcePull,
            "local" => ResolveMode::PreferLocal,
            v => {
                return Err(Box::new(
                    bad(format!("`{v}` is no image resolve mode")).note("it is `default`, `pull` or `local`"),
                ));
            }
        };
        let network = match text("force-network-mode") {
            "" | "sandbox" => NetworkMode::Sandbox,
            "none" => NetworkMode::None,
            "host" => NetworkMode::Host,
            v => {
                return Err(Box::new(
                    bad(format!("`{v}` is no network mode")).note("it is `sandbox`, `host` or `none`"),
                ));
            }
        };
        let no_cache = match attrs.get("no-cache").map(String::as_str) {
            None => NoCache::No,
            Some("") => NoCache::All,
            Some(names) => NoCache::Stages(names.split(',').map(str::to_owned).collect()),
        };
        let check = match attrs.get("build-arg:BUILDKIT_DOCKERFILE_CHECK") {
            None => None,
            Some(v) => Some(CheckConfig::parse(v).map_err(|e| {
                Box::new(bad(format!("the build argument `BUILDKIT_DOCKERFILE_CHECK` is not well formed: {e}")))
            })?),
        };
        let shm_size = match text("shm-size") {
            "" => 0,
            v => v.parse().map_err(|_| Box::new(bad(format!("`shm-size` is `{v}`, which is no number of bytes"))))?,
        };
        let with_prefix = |prefix: &str| -> BTreeMap<String, String> {
            attrs.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone()))).collect()
        };
        Ok(Options {
            build_args: with_prefix("build-arg:"),
            labels: with_prefix("label:"),
            target: attrs.get("target").filter(|v| !v.is_empty()).cloned(),
            platforms,
            multi_platform,
            resolve_mode,
            extra_hosts: extra_hosts(text("add-hosts"))?,
            shm_size,
            ulimits: ulimits(text("ulimit"))?,
            resources: resources(&attrs)?,
            network,
            no_cache,
            cache_namespace: text("build-arg:BUILDKIT_CACHE_MOUNT_NS").to_owned(),
            cgroup_parent: text("cgroup-parent").to_owned(),
            hostname: text("hostname").to_owned(),
            check,
            sbom: sbom(&attrs)?,
            attrs,
            surroundings,
        })
    }

    /// Whether the build gives contexts with names.
    pub fn has_contexts(&self) -> bool {
        const PREFIX: &str = "context:";
        let behind = (Bound::Included(PREFIX), Bound::Unbounded);
        self.attrs.range::<str, _>(behind).next().is_some_and(|(key, _)| key.starts_with(PREFIX))
    }

    /// The session that the files of a local source come from.
    pub fn session_of(&self, local: &str) -> Option<&str> {
        match self.attrs.get(&format!("local-sessionid:{local}")) {
            Some(session) => Some(session),
            None => self.surroundings.session.as_deref(),
        }
    }
}

fn platforms(list: &str, host: &Platform) -> Result<Vec<Platform>, Box<Diagnostic>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(|p| Platform::parse(p, host).map(|p| p.normalize()).map_err(|e| Box::new(e.diagnostic(p))))
        .collect()
}

fn fields(option: &str, list: &str) -> Result<Vec<String>, Box<Diagnostic>> {
    rbc_word::csv::fields(list)
        .map_err(|e| Box::new(bad(format!("`{option}` is no list of comma-separated values: {e}"))))
}

fn extra_hosts(list: &str) -> Result<Vec<(String, IpAddr)>, Box<Diagnostic>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let mut hosts = Vec::new();
    for field in fields("add-hosts", list)? {
        let field = field.to_lowercase();
        let Some((host, ip)) = field.split_once('=') else {
            return Err(Box::new(
                bad(format!("the additional host `{field}` has no address")).note("write `host=address`"),
            ));
        };
        let ip = ip.parse().map_err(|_| {
            Box::new(bad(format!("`{ip}`, the address of the additional host `{host}`, is no IP address")))
        })?;
        hosts.push((host.to_owned(), ip));
    }
    Ok(hosts)
}

fn ulimits(list: &str) -> Result<Vec<Ulimit>, Box<Diagnostic>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    fields("ulimit", list)?.iter().map(|field| Ulimit::parse(field).map_err(|why| Box::new(bad(why)))).collect()
}

fn resources(attrs: &BTreeMap<String, String>) -> Result<Option<Resources>, Box<Diagnostic>> {
    let given = |key: &str| attrs.get(key).map(String::as_str).filter(|v| !v.is_empty());
    let wrong = |key: &str, v: &str, expected: &str| Box::new(bad(format!("`{key}` is `{v}`, but must be {expected}")));
    let signed = |key: &str| match given(key) {
        None => Ok(0),
        Some(v) => v.parse::<i64>().map_err(|_| wrong(key, v, "a number")),
    };
    let unsigned = |key: &str| match given(key) {
        None => Ok(0),
        Some(v) => {
            let number = v.parse::<u64>().ok().filter(|n| *n > 0 && !v.starts_with('+'));
            number.ok_or_else(|| wrong(key, v, "a number above 0"))
        }
    };
    let set = |key: &str| match given(key) {
        None => Ok(String::new()),
        Some(v) if is_cpuset(v) => Ok(v.to_owned()),
        Some(v) => Err(wrong(key, v, "a list of numbers and ranges such as `0-2,4`")),
    };
    let found = Resources {
        memory: signed("memory")?,
        memory_swap: signed("memswap")?,
        cpu_shares: unsigned("cpushares")?,
        cpu_period: unsigned("cpuperiod")?,
        cpu_quota: signed("cpuquota")?,
        cpuset_cpus: set("cpusetcpus")?,
        cpuset_mems: set("cpusetmems")?,
    };
    for (key, value, least) in
        [("memory", found.memory, 1), ("cpuquota", found.cpu_quota, 1), ("memswap", found.memory_swap, -1)]
    {
        if let Some(v) = given(key).filter(|_| value == 0 || value < least) {
            let expected = if least < 0 { "-1 or a number above 0" } else { "a number above 0" };
            return Err(wrong(key, v, expected));
        }
    }
    Ok((found != Resources::default()).then_some(found))
}

/// The highest processor that a list may name (BuildKit `util/cpuset`).
const MAX_CPU: u32 = 8192;

fn is_cpuset(text: &str) -> bool {
    let number = |s: &str| s.trim().parse::<u32>().ok().filter(|n| *n <= MAX_CPU);
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).all(|part| match part.split_once('-') {
        None => number(part).is_some(),
        Some((low, high)) => matches!((number(low), number(high)), (Some(l), Some(h)) if l <= h),
    })
}

fn sbom(attrs: &BTreeMap<String, String>) -> Result<Option<Sbom>, Box<Diagnostic>> {
    const SCANNER: &str = "docker/buildkit-syft-scanner:stable-1";
    let mut found = None;
    for (key, value) in attrs {
        let Some(kind) = key.strip_prefix("attest:").or_else(|| key.strip_prefix("build-arg:BUILDKIT_ATTEST_")) else {
            continue;
        };
        let kind = kind.to_lowercase();
        if kind != "sbom" && kind != "provenance" {
            return Err(Box::new(
                bad(format!("there is no attestation `{kind}`")).note("there are `provenance` and `sbom`"),
            ));
        }
        let list = if value.is_empty() { Vec::new() } else { fields(&kind, value)? };
        if kind == "provenance" {
            continue;
        }
        let mut generator = SCANNER.to_owned();
        let mut parameters = BTreeMap::new();
        for field in list {
            let (k, v) = field.split_once('=').unwrap_or((&field, ""));
            match k {
                "generator" => generator = v.to_owned(),
                _ => _ = parameters.insert(k.to_owned(), v.to_owned()),
            }
        }
        let image = Reference::parse_normalized(&generator).map_err(|e| Box::new(e.diagnostic(&generator)))?;
        found = Some(Sbom { generator: image.with_default_tag().to_string(), parameters });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(attrs: &[(&str, &str)]) -> Result<Options, Box<Diagnostic>> {
        let linux = Platform::new("linux", "amd64");
        let surroundings = Surroundings {
            build_platform: linux.clone(),
            host_platform: linux,
            session: Some("s".into()),
            unique: String::new(),
        };
        Options::from_attrs(attrs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(), surroundings)
    }

    #[test]
    fn values() {
        let o = options(&[
            ("build-arg:A", "1"),
            ("platform", "linux/arm64,linux/x86_64"),
            ("no-cache", "a,b"),
            ("ulimit", "nofile=1:2"),
            ("add-hosts", "A=::ffff:1.2.3.4"),
            ("memswap", "-1"),
            ("local-sessionid:other", "o"),
        ])
        .unwrap();
        assert_eq!(o.build_args["A"], "1");
        assert_eq!(o.platforms[1].format(), "linux/amd64");
        assert!(o.multi_platform && o.no_cache.covers("B") && !o.no_cache.covers(""));
        assert_eq!(o.ulimits, [Ulimit { name: "nofile".into(), soft: 1, hard: 2 }]);
        assert_eq!(o.resources.as_ref().unwrap().memory_swap, -1);
        assert_eq!((o.session_of("context"), o.session_of("other")), (Some("s"), Some("o")));
    }

    #[test]
    fn faults() {
        for (attr, part) in [
            (("ulimit", "nofil=1"), "no limit `nofil`"),
            (("ulimit", "nofile=2:1"), "above the hard one"),
            (("add-hosts", "a"), "has no address"),
            (("memory", "-1"), "above 0"),
            (("memswap", "0"), "-1 or"),
            (("cpusetcpus", "3-1"), "`3-1`"),
            (("platform", "linux/amd64/v1/x"), "not a platform"),
            (("attest:foo", ""), "attestation `foo`"),
            (("multi-platform", "x"), "neither true nor false"),
        ] {
            let found = options(&[attr]).unwrap_err();
            assert!(found.message.contains(part), "{attr:?}: {}", found.message);
        }
    }
}
