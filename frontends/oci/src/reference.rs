//! Image references: `[domain/]path[:tag][@digest]`.
//!
//! The rules are those of `github.com/distribution/reference`; its grammar:
//!
//! ```text
//! reference  = name [":" tag] ["@" digest]
//! name       = [domain "/"] component {"/" component}
//! domain     = (label {"." label} | "[" ipv6 "]") [":" digits]
//! label      = a letter or digit; inside also "-"
//! component  = alnum {separator alnum}         alnum: [a-z0-9]+    separator: "." | "_" | "__" | "-"...
//! tag        = [A-Za-z0-9_] {[A-Za-z0-9_.-]}   at most 128
//! ```

use std::fmt;

use rbc_source::{Diagnostic, image};

use crate::{Digest, DigestError};

const DEFAULT_DOMAIN: &str = "docker.io";
/// The name that Docker Hub had when it was "the index"; configurations still use it.
const LEGACY_DOMAIN: &str = "index.docker.io";
/// Where Docker Hub keeps the official images.
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// Longest path of a repository, in bytes.
const PATH_MAX: usize = 255;
/// Longest tag, in bytes.
const TAG_MAX: usize = 128;

/// A normalised image reference: `alpine` is `docker.io/library/alpine`.
///
/// [`Display`](fmt::Display) writes it in full, [`familiar`](Reference::familiar) as short as people write it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: Box<str>,
    path: Box<str>,
    tag: Option<Box<str>>,
    digest: Option<Digest>,
}

/// Why a text is not a [`Reference`]. Each holds the offending part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// There is nothing, or only a tag or digest.
    Empty,
    /// 64 hex digits: that would be the id of an image, which no registry can be asked for.
    Id(String),
    /// The part before the first slash can only be a registry, and is no name of a host.
    Domain(String),
    /// The repository has upper-case letters.
    UpperCase(String),
    /// The repository has letters or separators that are not allowed, or starts or ends with a separator.
    Path(String),
    /// The repository is longer than 255 bytes.
    TooLong(usize),
    /// The part behind the colon is no tag.
    Tag(String),
    /// The part behind the `@` is no digest.
    Digest(String, DigestError),
}

impl Reference {
    /// Reads a reference as a user writes it, and completes `docker.io` and `library/` where they are left out. A
    /// missing tag stays missing: see [`with_default_tag`](Self::with_default_tag).
    pub fn parse_normalized(text: &str) -> Result<Self, ReferenceError> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::Id(text.to_owned()));
        }
        let (domain, rest) = split_domain(text);
        let path = &rest[..rest.find([':', '@']).unwrap_or(rest.len())];
        if path.chars().any(char::is_uppercase) {
            return Err(ReferenceError::UpperCase(path.to_owned()));
        }
        if domain == DEFAULT_DOMAIN && !path.is_empty() && !path.contains('/') {
            Self::parse_within(domain, &format!("{OFFICIAL}{rest}"))
        } else if is_domain(domain) {
            Self::parse_within(domain, rest)
        } else if is_component(domain) {
            // A first component that looks like a domain and is none (`a_b.c/d`) still is a component of a path.
            Self::parse_within("", text)
        } else {
            Err(ReferenceError::Domain(domain.to_owned()))
        }
    }

    /// Whether a text is at first sight a reference of one component without tag or digest, as most names of stages are.
    /// False says nothing.
    pub fn is_simple(text: &str) -> bool {
        let bytes = text.as_bytes();
        let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        // An id has 64 letters.
        bytes.len() < 64
            && bytes.first().is_some_and(alphanumeric)
            && bytes.last().is_some_and(alphanumeric)
            && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
    }

    /// Reads a reference as it stands: without a registry it has none. So are the names of OCI layouts written.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        match text.split_once('/') {
            Some((domain, rest)) if is_domain(domain) => Self::parse_within(domain, rest),
            _ => Self::parse_within("", text),
        }
    }

    fn parse_within(domain: &str, rest: &str) -> Result<Self, ReferenceError> {
        let (named, digest) = match rest.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (rest, None),
        };
        let (path, tag) = match named.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (named, None),
        };
        if path.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some(wrong) = path.split('/').find(|component| !is_component(component)) {
            return Err(match wrong.chars().any(char::is_uppercase) {
                true => ReferenceError::UpperCase(wrong.to_owned()),
                false => ReferenceError::Path(path.to_owned()),
            });
        }
        if path.len() > PATH_MAX {
            return Err(ReferenceError::TooLong(path.len()));
        }
        let mut reference = Reference { domain: domain.into(), path: path.into(), tag: None, digest: None };
        if let Some(tag) = tag {
            reference = reference.with_tag(tag)?;
        }
        if let Some(text) = digest {
            let digest = Digest::parse(text).map_err(|e| ReferenceError::Digest(text.to_owned(), e))?;
            reference = reference.with_digest(digest);
        }
        Ok(reference)
    }

    /// The registry, with its port: `docker.io`, `localhost:5000`. Empty in the odd case of a first component that
    /// looks like a domain and is none.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry: `library/alpine`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Domain and path, `docker.io/library/alpine`.
    pub fn name(&self) -> String {
        match self.domain.is_empty() {
            true => self.path.to_string(),
            false => format!("{}/{}", self.domain, self.path),
        }
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// With the tag `latest` if there is neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.into());
        }
        self
    }

    /// With another tag; a digest stays.
    pub fn with_tag(mut self, tag: &str) -> Result<Self, ReferenceError> {
        if !is_tag(tag) {
            return Err(ReferenceError::Tag(tag.to_owned()));
        }
        self.tag = Some(tag.into());
        Ok(self)
    }

    /// With another digest; a tag stays.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Domain and path alone.
    #[must_use]
    pub fn without_tag_and_digest(mut self) -> Self {
        (self.tag, self.digest) = (None, None);
        self
    }

    /// As short as people write it: `docker.io` and `library/` are left out.
    pub fn familiar(&self) -> String {
        self.suffixed(self.familiar_name())
    }

    /// [`familiar`](Self::familiar) without tag and digest.
    pub fn familiar_name(&self) -> String {
        if &*self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(official) if !official.contains('/') => official.to_owned(),
            _ => self.path.to_string(),
        }
    }

    fn suffixed(&self, mut name: String) -> String {
        if let Some(tag) = &self.tag {
            name.push(':');
            name.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            name.push('@');
            name.push_str(digest.as_str());
        }
        name
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.suffixed(self.name()))
    }
}

/// Splits off the registry if the first component can only be one: it is `localhost`, or has a dot, a colon or an
/// upper-case letter.
fn split_domain(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some((LEGACY_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest),
        Some((first, rest))
            if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        _ => (DEFAULT_DOMAIN, text),
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                if address.is_empty() || !address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
                    return false;
                }
                ("v6", port)
            }
            None => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port_is_right = match port.strip_prefix(':') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    port_is_right && host.split('.').all(is_domain_label)
}

fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_component(text: &str) -> bool {
    let is_alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    is_alnum(first)
        && is_alnum(last)
        && bytes
            .split(is_alnum)
            .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-'))
}

fn is_tag(text: &str) -> bool {
    text.len() <= TAG_MAX
        && !text.is_empty()
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

impl ReferenceError {
    /// The finding about `text`, the reference as written, without a place.
    pub fn diagnostic(&self, text: &str) -> Diagnostic {
        let found = Diagnostic::new(image::REFERENCE, format!("`{text}` is not an image reference: {self}"));
        match self {
            ReferenceError::UpperCase(_) if Reference::parse_normalized(&text.to_lowercase()).is_ok() => {
                found.note(format!("write `{}`", text.to_lowercase()))
            }
            ReferenceError::Domain(_) if text.contains("://") => {
                found.note("write the registry without a scheme: `registry.example/name:tag`")
            }
            _ => found,
        }
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReferenceError::Empty => f.write_str("the name of the repository is missing"),
            ReferenceError::Id(_) => f.write_str("64 hex digits are the id of an image, not the name of a repository"),
            ReferenceError::Domain(domain) => {
                write!(f, "the registry `{domain}` must be a host name or address, with a port in digits if it has one")
            }
            ReferenceError::UpperCase(name) => write!(f, "the repository `{name}` must be in lower case"),
            ReferenceError::Path(path) => write!(
                f,
                "in the repository `{path}` each part between slashes must consist of lower-case letters and digits, \
                 joined by `.`, `_`, `__` or dashes"
            ),
            ReferenceError::TooLong(len) => {
                write!(f, "the repository has {len} characters, at most {PATH_MAX} are allowed")
            }
            ReferenceError::Tag(tag) => write!(
                f,
                "the tag `{tag}` must be 1 to {TAG_MAX} letters, digits, `_`, `.` or `-`, and not begin with `.` or `-`"
            ),
            ReferenceError::Digest(text, error) => write!(f, "in `@{text}`, {error}"),
        }
    }
}

impl std::error::Error for ReferenceError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str) -> String {
        Reference::parse_normalized(text).map_or_else(|e| format!("{e:?}"), |r| r.to_string())
    }

    #[test]
    fn normalises() {
        for (written, normal) in [
            ("redis", "docker.io/library/redis"),
            ("me/redis:7", "docker.io/me/redis:7"),
            ("docker.io/redis", "docker.io/library/redis"),
            ("docker.io/library/x/y", "docker.io/library/x/y"),
            ("localhost/x", "localhost/x"),
            ("[::1]:5000/x", "[::1]:5000/x"),
            ("[2001:db8::1]/x", "[2001:db8::1]/x"),
            ("a_b.c/d", "a_b.c/d"),
            ("a__b/c---d.e", "docker.io/a__b/c---d.e"),
            ("Reg/x", "Reg/x"),
            ("index.docker.io/me/x", "docker.io/me/x"),
        ] {
            assert_eq!(full(written), normal, "{written}");
        }
        assert_eq!(Reference::parse_normalized("a_b.c/d").unwrap().domain(), "");
    }

    #[test]
    fn reads_as_it_stands() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let parts = |text: &str| Reference::parse(text).map(|r| (r.domain().to_owned(), r.path().to_owned()));
        assert_eq!(parts(&format!("store@{digest}")), Ok(("".into(), "store".into())));
        assert_eq!(parts("a/b:1"), Ok(("a".into(), "b".into())));
        assert_eq!(parts("a_b/c:1"), Ok(("".into(), "a_b/c".into())));
        assert_eq!(parts("Alpine"), Err(ReferenceError::UpperCase("Alpine".into())));
        assert_eq!(parts(""), Err(ReferenceError::Empty));
    }

    #[test]
    fn refuses() {
        use ReferenceError::*;
        for (written, error) in [
            ("", Empty),
            (":tag", Empty),
            ("reg.io/", Empty),
            ("a/B", UpperCase("a/B".into())),
            ("A_B.c/x", Domain("A_B.c".into())),
            ("a..b", Path("library/a..b".into())),
            ("a-", Path("library/a-".into())),
            ("[::g]/x", Domain("[::g]".into())),
            ("reg.io:port/x", Domain("reg.io:port".into())),
            ("-a.b/x", Domain("-a.b".into())),
            ("x:-1", Tag("-1".into())),
            ("x:", Tag("".into())),
        ] {
            assert_eq!(Reference::parse_normalized(written), Err(error), "{written}");
        }
        assert_eq!(Reference::parse_normalized(&format!("r.io/{}", "a".repeat(256))), Err(TooLong(256)));
        assert!(Reference::parse_normalized(&format!("r.io/{}", "a".repeat(255))).is_ok());
        assert!(Reference::parse_normalized(&format!("a:{}", "b".repeat(128))).is_ok());
        assert!(Reference::parse_normalized(&format!("a:{}", "b".repeat(129))).is_err());
    }

    #[test]
    fn findings_say_what_to_write() {
        let found = |text: &str| Reference::parse_normalized(text).unwrap_err().diagnostic(text);
        assert_eq!(found("Alpine:3").notes, ["write `alpine:3`"]);
        assert!(found("https://reg.io/a").notes[0].contains("without a scheme"));
    }

    #[test]
    fn simple_ones_are_well_formed() {
        for text in ["a", "build-env", "0", "a--b", "stage9"] {
            assert!(Reference::is_simple(text) && Reference::parse_normalized(text).is_ok(), "{text}");
        }
        let id = "a".repeat(64);
        for text in ["", "-a", "a-", "A", "a_b", "a/b", "a:b", &id] {
            assert!(!Reference::is_simple(text), "{text}");
        }
    }
}
