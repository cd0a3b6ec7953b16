//! Directories of the client as sources: the filters in their attributes, and what of a directory a step can see.

use std::collections::BTreeSet;

use rbc_context::path;
use rbc_oci::{json_strings, read_json_strings};

use crate::shape::is_pattern;
use crate::{Copy, Source};

const FOLLOW: &str = "local.followpaths";
const INCLUDE: &str = "local.includepattern";
const EXCLUDE: &str = "local.excludepatterns";
const METADATA: &str = "local.metadatatransfer";

/// A directory of the client as a source.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// The source without a filter.
    pub bare: Source,
    /// What of it is sent.
    pub filter: Filter,
}

/// What of a directory is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// These paths, and what links among them point to; empty is everything. Relative and clean, maybe patterns.
    pub follow: BTreeSet<String>,
    /// Not what one of these patterns matches.
    pub exclude: Vec<String>,
}

impl Directory {
    /// `None` if the source is no directory, or is filtered in a way that is left alone.
    pub fn of(source: &Source) -> Option<Directory> {
        let other_filter = [INCLUDE, METADATA].iter().any(|name| source.attrs.contains_key(*name));
        if !source.identifier.starts_with("local://") || other_filter {
            return None;
        }
        let mut bare = source.clone();
        let mut list = |name: &str| match bare.attrs.remove(name) {
            None => Some(Vec::new()),
            Some(text) => read_json_strings(&text),
        };
        let filter = Filter { follow: list(FOLLOW)?.into_iter().collect(), exclude: list(EXCLUDE)? };
        Some(Directory { bare, filter })
    }

    /// The source with another filter.
    pub fn with(&self, filter: &Filter) -> Source {
        let mut source = self.bare.clone();
        if !filter.follow.is_empty() {
            let follow: Vec<&String> = filter.follow.iter().collect();
            source.attrs.insert(FOLLOW.to_owned(), json_strings(&follow));
        }
        if !filter.exclude.is_empty() {
            source.attrs.insert(EXCLUDE.to_owned(), json_strings(&filter.exclude));
        }
        source
    }

    /// The source narrowed to what a step sees. `None` if its filter does not let all of that through, so that it cannot be
    /// told what the step gets.
    pub fn seen_by(&self, view: &View) -> Option<Source> {
        if !self.filter.lets_through(view) {
            return None;
        }
        let mut exclude = self.filter.exclude.clone();
        if self.filter.is_plain() {
            exclude.extend(view.exclude.iter().cloned());
            exclude.sort_unstable();
            exclude.dedup();
        }
        Some(self.with(&Filter { follow: view.paths.iter().flatten().cloned().collect(), exclude }))
    }
}

impl Filter {
    /// Whether everything that a step reads is sent.
    pub fn lets_through(&self, view: &View) -> bool {
        let named = |paths: &Vec<String>| paths.iter().all(|p| self.follow.contains(p));
        self.follow.is_empty() || view.paths.as_ref().is_some_and(named)
    }

    /// Whether the patterns are without exceptions, so that their order does not matter.
    pub fn is_plain(&self) -> bool {
        is_plain(&self.exclude)
    }
}

fn is_plain(patterns: &[String]) -> bool {
    !patterns.iter().any(|p| p.trim_start().starts_with('!'))
}

/// What a step can see of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// These paths, relative, clean and sorted, maybe patterns; `None` is everything.
    pub paths: Option<Vec<String>>,
    /// Not what one of these patterns matches; they are relative to the directory and without exceptions.
    pub exclude: Vec<String>,
}

impl View {
    /// Everything.
    pub fn all() -> View {
        View::default()
    }

    /// What is below a path.
    pub fn of_path(path: &str) -> View {
        View::of_paths(vec![path.to_owned()])
    }

    fn of_paths(paths: Vec<String>) -> View {
        if paths.iter().any(|p| p.contains(is_odd)) {
            return View::all();
        }
        let mut paths: Vec<String> = paths.iter().map(|p| path::join(&[".", p])).collect();
        paths.sort_unstable();
        paths.dedup();
        if paths.iter().any(|p| p == "." || p.starts_with("..")) {
            return View::all();
        }
        View { paths: Some(paths), exclude: Vec::new() }
    }

    /// What a copy reads.
    pub fn of_copy(copy: &Copy) -> View {
        // Not every name can be said in a filter.
        if (is_pattern(&copy.src) && !copy.allow_wildcard) || copy.src.contains(is_odd) {
            return View::all();
        }
        let below = |pattern: &str| path::join(&["/", &copy.src, pattern]);
        let fixed = !is_pattern(&copy.src);
        let include = &copy.include_patterns;
        // What is named must be there, even if nothing in it is included; only the root always is.
        let whole = path::clean(&format!("/{}", copy.src)) == "/";
        let included = whole && is_plain(include) && can_move(include) && !include.is_empty();
        let mut view = if included {
            View::of_paths(include.iter().map(|p| below(p)).collect())
        } else {
            View::of_path(followed(&path::clean(&format!("/{}", copy.src))))
        };
        if fixed && is_plain(&copy.exclude_patterns) && can_move(&copy.exclude_patterns) {
            let exclude = copy.exclude_patterns.iter().map(|p| below(p));
            view.exclude = exclude.map(|p| p.trim_start_matches('/').to_owned()).collect();
            view.exclude.sort_unstable();
            view.exclude.dedup();
        }
        view
    }
}

/// The part of a path of which a filter follows links: behind a directory that is a pattern, those of the files that match are
/// not.
fn followed(path: &str) -> &str {
    let mut end = 0;
    for part in path.split_inclusive('/') {
        if is_pattern(part) && end + part.len() < path.len() {
            return &path[..end];
        }
        end += part.len();
    }
    path
}

/// What may mean more than itself in a pattern, where it stands for a name.
fn is_odd(c: char) -> bool {
    matches!(c, '[' | ']' | '{' | '}' | '(' | ')' | '|' | '\\' | '^' | '$' | '+' | '!' | '#') || c.is_control()
}

/// Whether patterns mean in every directory what they mean in the root, once its path stands before them.
fn can_move(patterns: &[String]) -> bool {
    let odd = |p: &str| p.is_empty() || p == "." || p.starts_with("..") || p.starts_with('/') || p.contains(is_odd);
    !patterns.iter().any(|p| odd(p.trim()))
}
