//! References to git repositories: `https://example.com/a.git?branch=next`, `git@example.com:a.git#v1:sub`.
//!
//! The rules are those of BuildKit (`dfgitutil.ParseGitRef` over `gitutil.ParseURL`). It walks the parameters of a query in
//! an order that changes from run to run; here it is the order in which they are written.

use std::fmt;

use crate::path;
use crate::url::{Query, Url, UrlError, UserInfo};

/// What a text is, asked whether it is a reference to a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitParse {
    /// Something else: a path, another URL, or no URL at all.
    NotGit,
    /// A repository, but its query is wrong; the fault in words.
    Invalid(String),
    /// A repository.
    Git(GitRef),
}

/// Which state of a repository a source is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitRef {
    /// What git is given, without query and fragment.
    pub remote: String,
    /// What a clone of it is called: the last segment of the remote without `.git`.
    pub short_name: String,
    /// A branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// The commit that must be found; empty for any.
    pub checksum: String,
    /// The directory inside the repository; empty for all of it.
    pub subdir: String,
    /// Written as a local path could be (`github.com/a/b`): a repository only where a build context is named.
    pub indistinguishable_from_local: bool,
    /// Fetched over a connection that is not encrypted.
    pub unencrypted_tcp: bool,
    /// Is `.git` kept? None if the reference does not say.
    pub keep_git_dir: Option<bool>,
    /// Are submodules fetched? None if the reference does not say.
    pub submodules: Option<bool>,
    /// The times of the files, if the reference says.
    pub mtime: Option<Mtime>,
    /// Fetch the checksum itself, and trust that the reference leads to it.
    pub fetch_by_commit: bool,
}

/// Which times the files of a checkout get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mtime {
    /// The time of the checkout.
    Checkout,
    /// The time of the commit.
    Commit,
}

impl Mtime {
    /// As it is written in a query, and in an attribute of the source.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Commit => "commit",
        }
    }
}

/// Reads a reference to a repository.
///
/// A URL of http or https is one only if its path ends in `.git`; `github.com/a/b` is one that a local path could be, and a
/// path that begins with `./` or `../` never is.
pub fn parse(reference: &str) -> GitParse {
    if reference.starts_with("./") || reference.starts_with("../") {
        return GitParse::NotGit;
    }
    let local_looking = reference.starts_with("github.com/");
    let parsed = if local_looking {
        Url::parse(reference).ok().map(|url| GitUrl::from_url(url.with_scheme("https")))
    } else {
        GitUrl::parse(reference).ok()
    };
    let Some(url) = parsed else { return GitParse::NotGit };
    let http = matches!(url.scheme.as_str(), "http" | "https");
    if http && !local_looking && !url.path.ends_with(".git") {
        return GitParse::NotGit;
    }
    let remote = match url.remote.strip_prefix("https://") {
        Some(rest) if local_looking => rest.to_string(),
        _ => url.remote,
    };
    let last = remote.rsplit('/').next().unwrap_or_default();
    let mut found = GitRef {
        short_name: last.strip_suffix(".git").unwrap_or(last).into(),
        reference: url.reference,
        subdir: url.subdir,
        indistinguishable_from_local: local_looking,
        unencrypted_tcp: matches!(url.scheme.as_str(), "http" | "git"),
        remote,
        ..GitRef::default()
    };
    match found.read_query(&url.query) {
        Ok(()) => GitParse::Git(found),
        Err(fault) => GitParse::Invalid(fault),
    }
}

impl GitRef {
    fn read_query(&mut self, query: &Query) -> Result<(), String> {
        let (mut tag, mut branch) = (None, None);
        for (name, values) in query.iter() {
            let value = match values {
                [] => "",
                [value] => value.as_str(),
                _ => return Err(format!("the parameter `{name}` is given more than once")),
            };
            let flag = || match value {
                "" => Ok(true),
                _ => rbc_source::go_bool(value)
                    .ok_or_else(|| format!("`{name}` must be `true` or `false`, not `{value}`")),
            };
            match name {
                "keep-git-dir" => self.keep_git_dir = Some(flag()?),
                "submodules" => self.submodules = Some(flag()?),
                "fetch-by-commit" => self.fetch_by_commit = flag()?,
                _ if value.is_empty() => return Err(format!("the parameter `{name}` needs a value")),
                "ref" => settle("ref", &mut self.reference, value.into())?,
                "subdir" => settle("subdir", &mut self.subdir, value.into())?,
                "tag" => tag = Some(with_prefix("refs/tags/", value)),
                "branch" => branch = Some(with_prefix("refs/heads/", value)),
                "checksum" | "commit" => self.checksum = value.into(),
                "mtime" => {
                    let known = [Mtime::Checkout, Mtime::Commit];
                    let found = known.into_iter().find(|mtime| mtime.as_str() == value);
                    let fault = || format!("`mtime` must be `checkout` or `commit`, not `{value}`");
                    self.mtime = Some(found.ok_or_else(fault)?);
                }
                _ => return Err(format!("a git reference has no parameter `{name}`")),
            }
        }
        if let (Some(tag), Some(branch)) = (&tag, &branch) {
            return Err(format!("`{tag}` and `{branch}` are both asked for; a reference is a tag or a branch"));
        }
        match tag.or(branch) {
            Some(reference) => settle("ref", &mut self.reference, reference),
            None => Ok(()),
        }
    }
}

/// Sets what is not yet set, and accepts what is set to the same.
fn settle(what: &str, place: &mut String, value: String) -> Result<(), String> {
    if !place.is_empty() && *place != value {
        return Err(format!("two values for {what}: `{place}` and `{value}`"));
    }
    *place = value;
    Ok(())
}

fn with_prefix(prefix: &str, name: &str) -> String {
    if name.starts_with(prefix) { name.into() } else { format!("{prefix}{name}") }
}

/// The parts of a repository's address (`gitutil.GitURL`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitUrl {
    /// `http`, `https`, `ssh` or `git`; `ssh` also for `user@host:path`.
    pub scheme: String,
    /// The user and its password.
    pub user: Option<UserInfo>,
    /// The host, with its port.
    pub host: String,
    /// The path, unescaped; without a leading slash for `user@host:path`.
    pub path: String,
    /// The parameters of the query.
    pub query: Query,
    /// What the fragment has before its first colon: a branch, tag or commit.
    pub reference: String,
    /// What the fragment has after its first colon: a directory, cleaned and relative to the root of the repository.
    pub subdir: String,
    /// What git is given: the address without the text of its query and without its fragment.
    pub remote: String,
}

/// Why a text is no address of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitUrlError {
    /// It names no protocol and is not `user@host:path`.
    UnknownProtocol,
    /// It names a protocol that git sources do not have.
    InvalidProtocol(String),
    /// It is no URL.
    Url(UrlError),
}

impl fmt::Display for GitUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProtocol => f.write_str("there is neither a protocol nor `user@host:` before the path"),
            Self::InvalidProtocol(protocol) => {
                write!(f, "git sources have no protocol `{protocol}`; there are http, https, ssh and git")
            }
            Self::Url(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GitUrlError {}

impl GitUrl {
    /// Reads an address (`gitutil.ParseURL`), whether its path ends in `.git` or not.
    pub fn parse(remote: &str) -> Result<Self, GitUrlError> {
        if let Some((protocol, _)) = remote.split_once("://")
            && !protocol.is_empty()
            && protocol.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            let protocol = protocol.to_ascii_lowercase();
            return match protocol.as_str() {
                "http" | "https" | "ssh" | "git" => Url::parse(remote).map(Self::from_url).map_err(GitUrlError::Url),
                _ => Err(GitUrlError::InvalidProtocol(protocol)),
            };
        }
        Self::parse_scp(remote).ok_or(GitUrlError::UnknownProtocol)
    }

    fn from_url(url: Url) -> Self {
        let (reference, subdir) = split_fragment(&url.fragment());
        Self {
            scheme: url.scheme().into(),
            user: url.user().cloned(),
            host: url.host().into(),
            path: url.path().into(),
            query: url.query(),
            reference,
            subdir,
            remote: url.without_query_and_fragment().to_string(),
        }
    }

    /// `user@host:path?query#fragment`, as ssh and scp write it (`sshutil.ParseSCPStyleURL`).
    fn parse_scp(text: &str) -> Option<Self> {
        let (user, rest) = text.split_once('@')?;
        let (host, rest) = rest.split_once(':')?;
        let made_of = |text: &str, others: &[u8]| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
        };
        if !made_of(user, b"-_") || !made_of(host, b"-.") || rest.contains('\n') {
            return None;
        }
        let (main, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = main.split_once('?').unwrap_or((main, ""));
        let (reference, subdir) = split_fragment(fragment);
        Some(Self {
            scheme: "ssh".into(),
            user: Some(UserInfo::new(user)),
            host: host.into(),
            path: path.into(),
            query: Query::parse(query).ok()?,
            reference,
            subdir,
            remote: format!("{user}@{host}:{path}"),
        })
    }
}

/// A fragment as a reference and a directory.
fn split_fragment(fragment: &str) -> (String, String) {
    let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
    (reference.into(), path::join(&["/", subdir]).trim_start_matches('/').into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    fn git(text: &str) -> GitRef {
        match parse(text) {
            GitParse::Git(found) => found,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_is_a_repository() {
        for (text, remote, short_name) in [
            ("https://example.com/a/tool.git", "https://example.com/a/tool.git", "tool"),
            ("HTTPS://example.com/tool.git", "https://example.com/tool.git", "tool"),
            ("https://u:p@example.com/tool.git?submodules", "https://u:p@example.com/tool.git", "tool"),
            ("https://example.com/tool%2Egit", "https://example.com/tool%2Egit", "tool%2Egit"),
            ("https://example.com/tool.git?", "https://example.com/tool.git?", "tool.git?"),
            ("git://example.com/tool", "git://example.com/tool", "tool"),
            ("ssh://me@example.com:22/~/tool.git", "ssh://me@example.com:22/~/tool.git", "tool"),
            ("me@example.com:tool.git", "me@example.com:tool.git", "me@example.com:tool"),
            ("a-b_c@x-1.org:/srv/odd:tool.git/", "a-b_c@x-1.org:/srv/odd:tool.git/", ""),
            ("github.com/a/tool", "github.com/a/tool", "tool"),
            ("github.com/a/tool.git#main", "github.com/a/tool.git", "tool"),
        ] {
            let found = git(text);
            assert_eq!((found.remote.as_str(), found.short_name.as_str()), (remote, short_name), "{text}");
            assert_eq!(found.indistinguishable_from_local, text.starts_with("github"), "{text}");
            assert_eq!(found.unencrypted_tcp, text.starts_with("git:"), "{text}");
        }
        assert!(git("http://example.com/a.git").unencrypted_tcp);
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            ".",
            "./a.git",
            "../a.git",
            "a.git",
            "gitlab.com/a/b.git",
            "https://example.com/a",
            "https://example.com/a.git/",
            "https://example.com:x/a.git",
            "https:a.git",
            "file:///a.git",
            "httpx://example.com/a.git",
            "git+ssh://example.com/a.git",
            "example.com:a.git",
            "me@example.com",
            "me@example.com/a.git",
            "m:e@example.com:a.git",
            "me@example.com:a\nb",
            "me@example.com:a?x;y",
            "github.com/%",
        ] {
            assert_eq!(parse(text), GitParse::NotGit, "{text}");
        }
    }

    #[test]
    fn queries_and_fragments() {
        let all = git(
            "https://example.com/a.git?subdir=/x&checksum=c0&keep-git-dir=1&submodules=F&mtime=commit&fetch-by-commit#v1",
        );
        let expected = GitRef {
            remote: "https://example.com/a.git".into(),
            short_name: "a".into(),
            reference: "v1".into(),
            checksum: "c0".into(),
            subdir: "/x".into(),
            keep_git_dir: Some(true),
            submodules: Some(false),
            mtime: Some(Mtime::Commit),
            fetch_by_commit: true,
            ..GitRef::default()
        };
        assert_eq!(all, expected);
        for (text, reference, subdir) in [
            ("me@host:a#b:../c/./d", "b", "c/d"),
            ("me@host:a#:", "", ""),
            ("me@host:a#b%3Ac", "b%3Ac", ""),
            ("git://host/a#b%3Ac", "b", "c"),
            ("git://host/a#x:y:z", "x", "y:z"),
            ("git://host/a?tag=v1", "refs/tags/v1", ""),
            ("git://host/a?tag=refs/tags/v1#refs/tags/v1", "refs/tags/v1", ""),
            ("me@host:a?branch=b+c", "refs/heads/b c", ""),
            ("git://host/a?ref=v1#v1:s", "v1", "s"),
            ("git://host/a?%zz=1&ref=v1", "v1", ""),
        ] {
            let found = git(text);
            assert_eq!((found.reference.as_str(), found.subdir.as_str()), (reference, subdir), "{text}");
        }
        assert_eq!(git("git://host/a?checksum=1&commit=2").checksum, "2");
    }

    #[test]
    fn faults_of_a_query_tell_what_is_wrong() {
        for (query, expected) in [
            ("ref=a&ref=b", "given more than once"),
            ("ref=a&ref=a", "given more than once"),
            ("ref", "`ref` needs a value"),
            ("=a", "no parameter ``"),
            ("colour=red", "no parameter `colour`"),
            ("ref=a#b", "`b` and `a`"),
            ("subdir=a#:b", "`b` and `a`"),
            ("ref=a&tag=a", "`a` and `refs/tags/a`"),
            ("branch=a&tag=a", "both"),
            ("submodules=maybe", "`true` or `false`, not `maybe`"),
            ("mtime=now", "`checkout` or `commit`"),
        ] {
            match parse(&format!("https://example.com/a.git?{query}")) {
                GitParse::Invalid(fault) => assert!(fault.contains(expected), "{query}: {fault}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }

    #[test]
    fn addresses() {
        let url = GitUrl::parse("SSH://me@example.com:22/a/b?x=1#r:s").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.path.as_str()), ("ssh", "example.com:22", "/a/b"));
        assert_eq!((url.user.unwrap().to_string(), url.remote.as_str()), ("me".into(), "ssh://me@example.com:22/a/b"));
        assert_eq!(url.query.get("x"), ["1"]);
        let url = GitUrl::parse("me@example.com:a/b?x=1#r:s").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.path.as_str()), ("ssh", "example.com", "a/b"));
        assert_eq!(GitUrl::parse("file:///a"), Err(GitUrlError::InvalidProtocol("file".into())));
        assert_eq!(GitUrl::parse("github.com/a"), Err(GitUrlError::UnknownProtocol));
        assert_eq!(GitUrl::parse("https://%zz/"), Err(GitUrlError::Url(UrlError::BadEscape("%zz".into()))));
    }

    #[test]
    fn a_remote_is_its_own_reference() {
        let mut noise = Noise::new(3);
        let corpus = [
            "https://u:p@example.com/a/b.git?ref=v1&subdir=s#v1:s",
            "me@example.com:a/b.git?tag=x#refs/tags/x:y",
            "github.com/a/b?branch=c",
            "ssh://example.com:22/~/b%20c.git?keep-git-dir&commit=1",
        ];
        for round in 0..40_000 {
            let text = noise.mutate(corpus[round % corpus.len()], "@:/?#&=%2g.it-é\n;");
            let GitParse::Git(found) = parse(&text) else { continue };
            match parse(&found.remote) {
                GitParse::Git(again) => assert_eq!(again.remote, found.remote, "{text:?}"),
                // With neither host nor path, the slashes after the scheme are not written.
                _ => assert!(["ssh:", "git:", "ssh:?", "git:?"].contains(&&*found.remote), "{text:?} {found:?}"),
            }
        }
    }
}
