//! Platforms: `os[(version+feature...)]/architecture[/variant]`.
//!
//! The rules are those of `github.com/containerd/platforms`.

use std::fmt;

use rbc_source::{Diagnostic, image};

/// What an image runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    /// Operating system, by Go's name for it.
    pub os: String,
    /// Processor architecture, by Go's name for it.
    pub architecture: String,
    /// Variant of the architecture, such as `v7`; empty for none.
    pub variant: String,
    /// Version of the operating system (Windows); empty for none.
    pub os_version: String,
    /// Features that the operating system must have (Windows: `win32k`).
    pub os_features: Vec<String>,
}

/// Why a text is not a [`Platform`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformError {
    /// It has a `*`.
    Wildcard,
    /// The part before the first slash is not well formed.
    Os(String),
    /// Another part is not well formed.
    Part(String),
    /// Version or features of the operating system have a bad `%` escape.
    Escape(String),
    /// A single word is neither an operating system nor an architecture.
    Unknown(String),
    /// There are more than three parts.
    TooManyParts,
}

/// Go's operating systems.
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

/// Go's architectures.
const ARCHITECTURES: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "ppc64",
    "ppc64le",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

impl Platform {
    /// A platform of an operating system and an architecture.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Platform { os: os.into(), architecture: architecture.into(), ..Platform::default() }
    }

    /// Reads a platform. Of a single word (`linux`, `arm64`) the rest comes from `default`.
    pub fn parse(text: &str, default: &Platform) -> Result<Self, PlatformError> {
        if text.contains('*') {
            return Err(PlatformError::Wildcard);
        }
        let mut parts = text.splitn(4, '/');
        let first = parts.next().unwrap_or_default();
        let mut platform = parse_os(first)?;
        let rest: Vec<&str> = parts.collect();
        if let Some(wrong) = rest.iter().find(|part| !is_part(part)) {
            return Err(PlatformError::Part((*wrong).to_owned()));
        }
        let (architecture, variant) = match rest[..] {
            [] if SYSTEMS.contains(&platform.os.as_str()) => {
                platform.architecture.clone_from(&default.architecture);
                if platform.architecture == "arm" && default.variant != "v7" {
                    platform.variant.clone_from(&default.variant);
                }
                return Ok(platform);
            }
            [] => (first, ""),
            [architecture] => (architecture, ""),
            [architecture, variant] => (architecture, variant),
            _ => return Err(PlatformError::TooManyParts),
        };
        (platform.architecture, platform.variant) = normalize_architecture(architecture, variant);
        if rest.is_empty() {
            if !ARCHITECTURES.contains(&platform.architecture.as_str()) {
                return Err(PlatformError::Unknown(text.to_owned()));
            }
            platform.os.clone_from(&default.os);
        }
        match (rest.len(), platform.architecture.as_str(), platform.variant.as_str()) {
            // 32-bit ARM is v7 unless said otherwise, and a variant that nobody wrote is not shown.
            (0 | 1, "arm", "v7") => platform.variant.clear(),
            // A variant that somebody wrote stays visible.
            (2, "arm64", "") => platform.variant.push_str("v8"),
            _ => {}
        }
        Ok(platform)
    }

    /// With canonical names: `aarch64` is `arm64`, `x86_64` is `amd64`, `arm` is `arm/v7`, features are sorted. An
    /// empty operating system is Linux.
    #[must_use]
    pub fn normalize(&self) -> Self {
        let (architecture, variant) = normalize_architecture(&self.architecture, &self.variant);
        let mut os_features = self.os_features.clone();
        os_features.sort();
        os_features.dedup();
        Platform { os: normalize_os(&self.os), architecture, variant, os_version: self.os_version.clone(), os_features }
    }

    /// `os/architecture[/variant]`, or `unknown` without an operating system.
    pub fn format(&self) -> String {
        self.join(&self.os)
    }

    /// [`format`](Self::format) with the version and features of the operating system:
    /// `windows(10.0.17763+win32k)/amd64`.
    pub fn format_all(&self) -> String {
        let mut features: Vec<&String> = self.os_features.iter().filter(|f| !f.is_empty()).collect();
        features.sort();
        features.dedup();
        if self.os_version.is_empty() && features.is_empty() {
            return self.format();
        }
        let mut os = format!("{}({}", self.os, escape(&self.os_version));
        for feature in features {
            os.push('+');
            os.push_str(&escape(feature));
        }
        os.push(')');
        self.join(&os)
    }

    /// Joins the parts as a path, as Go's `path.Join` does: empty parts vanish, and so do `.` and `x/..`.
    fn join(&self, os: &str) -> String {
        if self.os.is_empty() {
            return "unknown".to_owned();
        }
        let root = if os.starts_with('/') { "/" } else { "" };
        let mut kept: Vec<&str> = Vec::new();
        for part in [os, &self.architecture, &self.variant].into_iter().flat_map(|part| part.split('/')) {
            match part {
                "" | "." => {}
                ".." if kept.is_empty() && !root.is_empty() => {}
                ".." if kept.last().is_some_and(|last| *last != "..") => {
                    kept.pop();
                }
                part => kept.push(part),
            }
        }
        match (kept.is_empty(), root) {
            (true, "") => ".".to_owned(),
            _ => format!("{root}{}", kept.join("/")),
        }
    }
}

impl fmt::Display for Platform {
    /// Writes [`Platform::format_all`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format_all())
    }
}

/// `name[(version[+feature...])]`, name, version and features in letters that need no escape.
fn parse_os(text: &str) -> Result<Platform, PlatformError> {
    let wrong = || PlatformError::Os(text.to_owned());
    let (name, options) = match text.split_once('(') {
        Some((name, options)) => (name, Some(options.strip_suffix(')').ok_or_else(wrong)?)),
        None => (text, None),
    };
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        return Err(wrong());
    }
    let mut platform = Platform { os: normalize_os(name), ..Platform::default() };
    let mut options = options.unwrap_or_default().split('+');
    let version = options.next().unwrap_or_default();
    if !version.is_empty() {
        platform.os_version = unescape(version, wrong)?;
    }
    for feature in options {
        platform.os_features.push(unescape(feature, wrong)?);
    }
    Ok(platform)
}

/// Whether it is a part other than the first.
fn is_part(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Resolves `%XX`.
fn unescape(text: &str, wrong: impl Fn() -> PlatformError) -> Result<String, PlatformError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'%')) {
        return Err(wrong());
    }
    let bad = || PlatformError::Escape(text.to_owned());
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (hex, plain) = piece.split_at_checked(2).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| bad())?);
        bytes.extend_from_slice(plain.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// The reverse of [`unescape`], for the letters that have a meaning in a platform.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '%' => out.push_str("%25"),
            '+' => out.push_str("%2B"),
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '/' => out.push_str("%2F"),
            letter => out.push(letter),
        }
    }
    out
}

fn normalize_os(os: &str) -> String {
    match os.to_lowercase().as_str() {
        "" => "linux",
        "macos" => "darwin",
        os => return os.to_owned(),
    }
    .to_owned()
}

fn normalize_architecture(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = (architecture.to_lowercase(), variant.to_lowercase());
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("aarch64" | "arm64", variant) => ("arm64", variant),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        same => same,
    };
    (architecture.to_owned(), variant.to_owned())
}

impl PlatformError {
    /// The finding about `text`, the platform as written, without a place.
    pub fn diagnostic(&self, text: &str) -> Diagnostic {
        let found = Diagnostic::new(image::PLATFORM, format!("`{text}` is not a platform: {self}"));
        match self {
            PlatformError::Unknown(word) => found.suggest(word, SYSTEMS.iter().chain(ARCHITECTURES)),
            PlatformError::TooManyParts => found.note("write `os/architecture/variant`, such as `linux/arm/v7`"),
            _ => found,
        }
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlatformError::Wildcard => f.write_str("`*` is not supported"),
            PlatformError::Os(part) => write!(
                f,
                "the operating system `{part}` must be a name such as `linux`, or a name with its version and features \
                 such as `windows(10.0.17763+win32k)`"
            ),
            PlatformError::Part(part) => {
                write!(f, "the part `{part}` must consist of letters, digits, `_`, `.` and `-`")
            }
            PlatformError::Escape(part) => write!(f, "`{part}` has a `%` without two hex digits of a character"),
            PlatformError::Unknown(word) => write!(f, "`{word}` is neither an operating system nor an architecture"),
            PlatformError::TooManyParts => f.write_str("it has more than three parts"),
        }
    }
}

impl std::error::Error for PlatformError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Platform, PlatformError> {
        Platform::parse(text, &Platform::new("linux", "amd64"))
    }

    #[test]
    fn one_word_takes_the_rest_from_the_default() {
        let arm = Platform { variant: "v6".into(), ..Platform::new("freebsd", "arm") };
        assert_eq!(Platform::parse("linux", &arm).unwrap().format(), "linux/arm/v6");
        assert_eq!(Platform::parse("s390x", &arm).unwrap().format(), "freebsd/s390x");
        assert_eq!(parse("bogus"), Err(PlatformError::Unknown("bogus".into())));
        assert_eq!(parse("amd65").unwrap_err().diagnostic("amd65").notes, ["did you mean `amd64`?"]);
    }

    #[test]
    fn escapes() {
        let platform = parse("windows(10%2B0+a%28b)/amd64").unwrap();
        assert_eq!((platform.os_version.as_str(), &platform.os_features[..]), ("10+0", &["a(b".to_owned()][..]));
        assert_eq!(platform.format_all(), "windows(10%2B0+a%28b)/amd64");
        assert!(matches!(parse("windows(%2)/amd64"), Err(PlatformError::Escape(_))));
        assert!(matches!(parse("windows(%ff)/amd64"), Err(PlatformError::Escape(_))));
        assert!(matches!(parse("windows(+)/amd64"), Err(PlatformError::Os(_))));
        assert!(matches!(parse("windows(1/amd64"), Err(PlatformError::Os(_))));
        assert_eq!(parse("linux()/amd64").unwrap().format_all(), "linux/amd64");
    }

    #[test]
    fn joins_like_a_path() {
        assert_eq!(parse("linux/../x").unwrap().format(), "x");
        assert_eq!(parse("linux/..").unwrap().format(), ".");
        assert_eq!(Platform::default().format(), "unknown");
        assert_eq!(Platform::new("/a/../../b", "x").format(), "/b/x");
        assert_eq!(Platform::new("/", "").format(), "/");
        assert_eq!(parse("a/b/c/d"), Err(PlatformError::TooManyParts));
        assert_eq!(parse("a/b/c/d/e"), Err(PlatformError::Part("d/e".into())));
    }
}
