//! Directories of the client as sources: the filters in their attributes, and what of a directory a step can see.

use rbc_context::path;
use rbc_oci::{json_strings, read_json_strings};

use crate::shape::is_pattern;
use crate::{Copy, Source};

const FOLLOW: &str = "local.followpaths";
const INCLUDE: &str = "local.includepattern";
const EXCLUDE: &str = "local.excludepatterns";

/// Whether a source is a directory of the client.
pub(crate) fn is_local(source: &Source) -> bool {
    source.identifier.starts_with("local://")
}

/// What of a directory is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// These paths, and what links among them point to; empty is everything. Relative and clean, maybe patterns.
    pub follow: Vec<String>,
    /// Not what one of these patterns matches.
    pub exclude: Vec<String>,
}

impl Filter {
    /// The filter of a source; `None` if the source is no directory or filtered in a way that is left alone.
    pub fn of(source: &Source) -> Option<Filter> {
        if !is_local(source) || source.attrs.contains_key(INCLUDE) {
            return None;
        }
        let list = |name: &str| match source.attrs.get(name) {
            None => Some(Vec::new()),
            Some(text) => read_json_strings(text),
        };
        Some(Filter { follow: list(FOLLOW)?, exclude: list(EXCLUDE)? })
    }

    /// The source with this filter.
    pub fn put(&self, source: &Source) -> Source {
        let mut source = source.clone();
        for (name, list) in [(FOLLOW, &self.follow), (EXCLUDE, &self.exclude)] {
            if list.is_empty() {
                source.attrs.remove(name);
            } else {
                source.attrs.insert(name.to_owned(), json_strings(list));
            }
        }
        source
    }

    /// The filter narrowed to what a step sees; `None` if it does not let all of that through, so that the two cannot be
    /// told apart any more.
    pub fn seen_by(&self, view: &View) -> Option<Filter> {
        let all = self.follow.is_empty();
        let follow = match &view.paths {
            None if all => Vec::new(),
            Some(paths) if all || paths.iter().all(|p| self.follow.contains(p)) => paths.clone(),
            _ => return None,
        };
        let mut exclude = self.exclude.clone();
        if self.is_plain() {
            exclude.extend(view.exclude.iter().cloned());
            exclude.sort_unstable();
            exclude.dedup();
        }
        Some(Filter { follow, exclude })
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
        let included = fixed && is_plain(include) && can_move(include) && !include.is_empty();
        let mut view = if included {
            View::of_paths(include.iter().map(|p| below(p)).collect())
        } else {
            View::of_path(&path::clean(&format!("/{}", copy.src)))
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

/// What may mean more than itself in a pattern, where it stands for a name.
fn is_odd(c: char) -> bool {
    matches!(c, '[' | ']' | '{' | '}' | '(' | ')' | '|' | '\\' | '^' | '$' | '+' | '!' | '#') || c.is_control()
}

/// Whether patterns mean in every directory what they mean in the root, once its path stands before them.
fn can_move(patterns: &[String]) -> bool {
    let odd = |p: &str| p.is_empty() || p == "." || p.starts_with("..") || p.starts_with('/') || p.contains(is_odd);
    !patterns.iter().any(|p| odd(p.trim()))
}
