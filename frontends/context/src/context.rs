//! What the text that names a build context means.

use std::fmt;

use crate::git::{self, GitParse, GitRef};

/// What a main build context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// A git repository.
    Git(GitRef),
    /// A git repository with a wrong query; the fault in words.
    Invalid(String),
    /// A download: an archive to be unpacked, or else a Dockerfile.
    Http,
    /// Files of the client, or what the client names so.
    Local,
}

/// What the main context of a build is, by its text (`dockerui.initContext`).
pub fn classify(text: &str) -> Context {
    match git::parse(text) {
        GitParse::Git(found) => Context::Git(found),
        GitParse::Invalid(fault) => Context::Invalid(fault),
        GitParse::NotGit if is_http(text) => Context::Http,
        GitParse::NotGit => Context::Local,
    }
}

/// Does the text begin as a download does, in lower case? A git repository may, too.
pub fn is_http(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// What a context with a name is: the value of `--build-context NAME=...`, after the client has resolved paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// `docker-image://REF`: an image. `scratch` is the empty one.
    Image(String),
    /// `oci-layout://REF`: an image of a layout that the client serves.
    OciLayout(String),
    /// A git repository: `git@...`, `git://...` or `https://....git`.
    Git(GitRef),
    /// Another URL of http or https, all of it.
    Http(String),
    /// `local:NAME`: files of the client.
    Local(String),
    /// `input:NAME`: the result of another build.
    Input(String),
    /// `target:NAME`: another target of the same plan. The one who plans replaces it, so a frontend never meets it.
    Target(String),
}

/// Why the text of a named context means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedError {
    /// There is no colon, so no kind of source is named.
    NoSource(String),
    /// The kind of source is not one of those of [`NamedContext`].
    UnknownSource(String),
    /// It names git, but no repository can be read from it.
    NotGit(String),
    /// A repository with a wrong query; the fault in words.
    InvalidGit(String),
}

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource(text) => {
                write!(f, "`{text}` does not say what kind of source it is, as `docker-image://` does")
            }
            Self::UnknownSource(source) => write!(f, "a named context cannot come from `{source}:`"),
            Self::NotGit(text) => write!(f, "`{text}` is not a reference to a git repository"),
            Self::InvalidGit(fault) => f.write_str(fault),
        }
    }
}

impl std::error::Error for NamedError {}

impl NamedContext {
    /// Reads the text of a named context (`dockerui.NamedContext`).
    pub fn parse(text: &str) -> Result<Self, NamedError> {
        let (source, rest) = text.split_once(':').ok_or_else(|| NamedError::NoSource(text.into()))?;
        let after_slashes = || rest.strip_prefix("//").unwrap_or(rest).to_string();
        match source {
            "docker-image" => Ok(Self::Image(after_slashes())),
            "oci-layout" => Ok(Self::OciLayout(after_slashes())),
            "http" | "https" | "git" => Self::remote(text),
            _ if source.starts_with("git@") => Self::remote(text),
            "local" => Ok(Self::Local(rest.into())),
            "input" => Ok(Self::Input(rest.into())),
            "target" => Ok(Self::Target(rest.into())),
            _ => Err(NamedError::UnknownSource(source.into())),
        }
    }

    fn remote(text: &str) -> Result<Self, NamedError> {
        match git::parse(text) {
            GitParse::Git(found) => Ok(Self::Git(found)),
            GitParse::Invalid(fault) => Err(NamedError::InvalidGit(fault)),
            GitParse::NotGit if text.starts_with("http") => Ok(Self::Http(text.into())),
            GitParse::NotGit => Err(NamedError::NotGit(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    #[test]
    fn main_contexts() {
        assert!(matches!(classify("https://example.com/a.git#v1"), Context::Git(found) if found.reference == "v1"));
        assert!(matches!(classify("github.com/a/b"), Context::Git(_)));
        assert!(matches!(classify("me@host:a"), Context::Git(_)));
        assert!(matches!(classify("https://example.com/a.git?ref"), Context::Invalid(_)));
        for text in ["https://example.com/a.tgz", "http://"] {
            assert_eq!(classify(text), Context::Http, "{text}");
        }
        for text in ["", ".", "/a", "./a.git", "HTTP://example.com/a.tgz", "ftp://a"] {
            assert_eq!(classify(text), Context::Local, "{text}");
        }
    }

    #[test]
    fn named_contexts() {
        let image = |text: &str| Ok(NamedContext::Image(text.into()));
        assert_eq!(NamedContext::parse("docker-image://alpine:3"), image("alpine:3"));
        assert_eq!(NamedContext::parse("docker-image:scratch"), image("scratch"));
        assert_eq!(NamedContext::parse("oci-layout://s@sha256:0"), Ok(NamedContext::OciLayout("s@sha256:0".into())));
        assert_eq!(NamedContext::parse("local:a:b"), Ok(NamedContext::Local("a:b".into())));
        assert_eq!(NamedContext::parse("input:a"), Ok(NamedContext::Input("a".into())));
        assert_eq!(NamedContext::parse("target:a"), Ok(NamedContext::Target("a".into())));
        for text in ["git@host:a", "git://host/a", "https://host/a.git"] {
            assert!(matches!(NamedContext::parse(text), Ok(NamedContext::Git(_))), "{text}");
        }
        assert_eq!(NamedContext::parse("http://host/a"), Ok(NamedContext::Http("http://host/a".into())));
        assert_eq!(NamedContext::parse("alpine"), Err(NamedError::NoSource("alpine".into())));
        assert_eq!(NamedContext::parse("me@host:a"), Err(NamedError::UnknownSource("me@host".into())));
        assert_eq!(NamedContext::parse("git:a"), Err(NamedError::NotGit("git:a".into())));
        assert!(matches!(NamedContext::parse("git://a/b?x=1"), Err(NamedError::InvalidGit(_))));
    }

    #[test]
    fn any_text_is_classified() {
        let mut noise = Noise::new(5);
        let corpus = ["docker-image://a", "https://h/a.git?ref=b", "git@h:a#b", "oci-layout://a", "github.com/a"];
        for round in 0..20_000 {
            let text = noise.mutate(corpus[round % corpus.len()], ":/@?#.=é%");
            let _ = NamedContext::parse(&text);
            assert_eq!(matches!(classify(&text), Context::Git(_)), matches!(git::parse(&text), GitParse::Git(_)));
        }
    }
}
