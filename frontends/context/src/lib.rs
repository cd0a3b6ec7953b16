//! What a build context is made of: paths, URLs, git references, ignore files and context strings.
//!
//! BuildKit is written in Go, and what it names a source, where a `WORKDIR` leads and which files a `.dockerignore`
//! leaves out follow the rules of Go's `path`, `net/url` and `regexp`. This crate states those rules over `&str`; it
//! reads no file and asks no host, so whoever walks a tree or downloads something calls it and not the other way round.
//!
//! ```
//! use rbc_context::{GitParse, git};
//! let GitParse::Git(found) = git::parse("https://example.com/tools.git#v2:cmd") else { panic!() };
//! assert_eq!((found.short_name.as_str(), found.reference.as_str(), found.subdir.as_str()), ("tools", "v2", "cmd"));
//! ```

pub mod context;
pub mod git;
pub mod ignore;
pub mod path;
pub mod url;

pub use context::{Context, NamedContext, NamedError, classify};
pub use git::{GitParse, GitRef, GitUrl, GitUrlError, Mtime};
pub use ignore::{IgnoreError, MatchInfo, Matcher, Pattern};
pub use path::PathError;
pub use url::{Url, UrlError};

#[cfg(test)]
mod noise;
