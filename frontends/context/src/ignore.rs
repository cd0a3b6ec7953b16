//! `.dockerignore`: reading it, and which files of a context it leaves out.
//!
//! A pattern matches as the package `moby/patternmatcher` says, which writes it as a regular expression of Go; so
//! `**` crosses slashes, a pattern that matches a directory leaves out what is below it, and a few oddities are rules:
//! `|` separates alternatives and `{2}` repeats, once the pattern has a wildcard. The matching is done here, in time
//! bounded by the product of the lengths of pattern and path.

mod automaton;
mod pattern;
mod syntax;

use std::fmt;

pub use pattern::Pattern;

use crate::path;

/// A line of this many bytes or more is not read.
const MAX_LINE: usize = 64 * 1024;

/// So many states the patterns of a matcher may have in all. Only counted repetitions (`a*{1000}`) have more states than
/// characters, so no file that means well comes near.
const MAX_STATES: usize = 1 << 20;

/// Why an ignore file or one of its patterns is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IgnoreError {
    /// A line of 64 KiB or more; its number, from 1.
    LongLine(usize),
    /// `!` with no pattern after it.
    EmptyExclusion,
    /// The pattern is malformed.
    BadPattern(String),
    /// The patterns repeat too much.
    TooLarge,
    /// The [`MatchInfo`] is another matcher's.
    ForeignInfo,
}

impl fmt::Display for IgnoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongLine(line) => write!(f, "line {line} is longer than 64 KiB"),
            Self::EmptyExclusion => f.write_str("`!` must be followed by a pattern"),
            Self::BadPattern(pattern) => write!(f, "`{pattern}` is not a valid pattern"),
            Self::TooLarge => f.write_str("the repetitions in the patterns are too large"),
            Self::ForeignInfo => f.write_str("the results for the parent directory are those of other patterns"),
        }
    }
}

impl std::error::Error for IgnoreError {}

/// The patterns of an ignore file, in order, each cleaned and relative to the context. Comments (lines that begin with `#`),
/// empty lines and a byte order mark are left out.
pub fn read(text: &str) -> Result<Vec<String>, IgnoreError> {
    let mut patterns = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        if line.len() >= MAX_LINE {
            return Err(IgnoreError::LongLine(at + 1));
        }
        let line = if at == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = if line.starts_with('#') { "" } else { line.trim() };
        let (mark, pattern) = match line.strip_prefix('!') {
            Some(pattern) => ("!", pattern.trim()),
            None => ("", line),
        };
        let cleaned = if pattern.is_empty() { String::new() } else { path::clean(pattern) };
        let relative = if cleaned == "/" { &cleaned } else { cleaned.strip_prefix('/').unwrap_or(&cleaned) };
        if !line.is_empty() {
            patterns.push(format!("{mark}{relative}"));
        }
    }
    Ok(patterns)
}

/// Patterns against which paths are matched.
#[derive(Clone, Debug)]
pub struct Matcher {
    patterns: Vec<Pattern>,
}

/// Which patterns matched a directory; what is below it need not be matched with those again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchInfo {
    matched: Vec<bool>,
}

impl Matcher {
    /// Prepares patterns, as [`read`] or a user gives them; empty ones are skipped. What only the translation to a regular
    /// expression refuses (a range that runs backwards, an open class after a star) is an error when a path is matched with
    /// it, as in BuildKit.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, IgnoreError> {
        let mut states = MAX_STATES;
        let texts = patterns.iter().map(|text| text.as_ref().trim()).filter(|text| !text.is_empty());
        Ok(Self { patterns: texts.map(|text| Pattern::new(text, &mut states)).collect::<Result<_, _>>()? })
    }

    /// The patterns, in order.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Does any pattern begin with `!`? If not, what is below a matching directory matches too.
    pub fn exclusions(&self) -> bool {
        self.patterns.iter().any(Pattern::exclusion)
    }

    /// Does a pattern match the path or a directory above it, and no `!` pattern after it? The path has slashes and is
    /// relative to the context.
    pub fn matches_or_parent_matches(&self, path: &str) -> Result<bool, IgnoreError> {
        self.matches_using_parent_results(path, &MatchInfo::default()).map(|(matched, _)| matched)
    }

    /// The same, for one who walks a tree: `parent` is what this gave for the directory that holds the path, or the default
    /// for a path at the top or with no known parent.
    ///
    /// The answers are the same but for one case, also in BuildKit: after a pattern that matches only the path itself, a
    /// `!` pattern that matches only its directory pardons it when the path is asked for alone, and not on the way down.
    pub fn matches_using_parent_results(
        &self,
        path: &str,
        parent: &MatchInfo,
    ) -> Result<(bool, MatchInfo), IgnoreError> {
        if !parent.matched.is_empty() && parent.matched.len() != self.patterns.len() {
            return Err(IgnoreError::ForeignInfo);
        }
        let above = path::dir(path);
        let mut matched = false;
        let mut info = MatchInfo { matched: vec![false; self.patterns.len()] };
        for (at, (pattern, hit)) in self.patterns.iter().zip(&mut info.matched).enumerate() {
            *hit = match parent.matched.get(at) {
                Some(true) => true,
                // Neither a second match nor a pardon of what did not match changes anything.
                _ if pattern.exclusion() != matched => false,
                Some(false) => pattern.matches(path)?,
                None => pattern.matches(path)? || any_prefix(&above, |prefix| pattern.matches(prefix))?,
            };
            if *hit {
                matched = !pattern.exclusion();
            }
        }
        Ok((matched, info))
    }
}

/// Is it true of the directory or one above it? Of the root of the context it is not asked.
fn any_prefix(dir: &str, test: impl Fn(&str) -> Result<bool, IgnoreError>) -> Result<bool, IgnoreError> {
    if dir == "." {
        return Ok(false);
    }
    for (slash, _) in dir.match_indices('/') {
        if test(dir.get(..slash).unwrap_or_default())? {
            return Ok(true);
        }
    }
    test(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    fn ignored(patterns: &[&str], path: &str) -> bool {
        let matcher = Matcher::new(patterns).unwrap();
        let whole = matcher.matches_or_parent_matches(path).unwrap();
        assert_eq!(walked(&matcher, path), Ok(whole), "{patterns:?} {path}");
        whole
    }

    /// The same answer, from walking down the tree.
    fn walked(matcher: &Matcher, path: &str) -> Result<bool, IgnoreError> {
        let mut info = MatchInfo::default();
        for (slash, _) in path.match_indices('/') {
            info = matcher.matches_using_parent_results(&path[..slash], &info)?.1;
        }
        Ok(matcher.matches_using_parent_results(path, &info)?.0)
    }

    #[test]
    fn reading() {
        let text = "\u{feff}# a comment\r\n\n  a/ \r\n\t!  /b/../c//d \n/\n!\n! /\n #no comment\n./\n\u{feff}#";
        assert_eq!(read(text).unwrap(), ["a", "!c/d", "/", "!", "!/", "#no comment", ".", "\u{feff}#"]);
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read(&format!("a\n{}\n", "b".repeat(MAX_LINE - 1))).unwrap().len(), 2);
        assert_eq!(read(&format!("a\n{}", "b".repeat(MAX_LINE))), Err(IgnoreError::LongLine(2)));
    }

    #[test]
    fn one_pattern() {
        for (pattern, matching, others) in [
            ("a", &["a", "a/b", "a/b/c"][..], &["ab", "b/a", "A"][..]),
            ("*", &["a", "a/b", ""], &[]),
            ("a/*", &["a/b", "a/b/c"], &["a", "b/b"]),
            ("*.md", &["x.md", ".md", "x.md/y"], &["x.mdx", "d/x.md", "xmd"]),
            ("**/*.md", &["x.md", "d/x.md", "d/e/x.md"], &["x.mdx"]),
            ("**/a", &["a", "b/a", "b/c/a", "b/a/c"], &["ba", "b/ca"]),
            ("**a", &["a", "ba", "b/ca"], &["ab"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "ab"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b/c"], &["a/xb", "ab"]),
            ("a**b", &["ab", "a/b", "ax/b"], &["axb"]),
            ("**/**", &["a", "a/b"], &[]),
            ("**", &["a", "a/b", "/"], &[]),
            ("a?c", &["abc", "aéc"], &["ac", "a/c", "abbc"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "x"]),
            ("[^a-c]x", &["dx", "/x"], &["ax"]),
            ("a.b*", &["a.b", "a.bc"], &["axb"]),
            ("(a)+$*", &["(a)+$", "(a)+$b"], &["a", "aa"]),
            ("a\\*b", &["a*b"], &["axb"]),
            ("\\[a", &["[a"], &["a"]),
            ("../a", &["../a"], &["a"]),
            (".", &[], &["a", "b/c"]),
            ("é*", &["é", "éa"], &["e"]),
        ] {
            for path in matching {
                assert!(ignored(&[pattern], path), "{pattern} {path}");
            }
            for path in others {
                assert!(!ignored(&[pattern], path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn oddities_of_the_translation() {
        for (pattern, path, expected) in [
            // Alternatives and repetitions, once there is a wildcard.
            ("a|b", "a", false),
            ("a|b", "a|b", true),
            ("a|b*", "ax", true),
            ("a|b*", "xbx", true),
            ("a|b*", "xa", false),
            ("a{2}*", "aab", true),
            ("a{2}*", "ab", false),
            ("a{2,}[b]", "aaaab", true),
            ("a{1,2}[b]", "aaab", false),
            ("a{,2}?", "a{,2}x", true),
            ("a{02}?", "a{02}x", true),
            // Escapes that are classes, places or other characters.
            ("\\d\\W", "1-", true),
            ("\\d\\W", "12", false),
            ("\\x41\\x{42}\\103", "ABC", true),
            ("[\\d\\-][[:upper:]]", "-Q", true),
            ("[[:^digit:]]x", "1x", false),
            ("a\\b-?", "a-b", true),
            ("a\\Bb", "ab", true),
            ("\\Qa*\\E*", "a[^/]*b", true),
            ("\\Aa\\z", "a", true),
            ("a^*", "a^", false),
            ("^*", "a", true),
            // A star within a class ends it early.
            ("[a*]", "a]", true),
            ("[a*]", "]", true),
            ("[a*]", "b]", false),
            ("[a?]", "/]", true),
            // A backslash at the end escapes what the translation puts there.
            ("a*\\", "ax$", true),
            // A byte order mark at the beginning is not part of the expression.
            ("\u{feff}a*", "ab", true),
        ] {
            assert_eq!(ignored(&[pattern], path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_word_counts() {
        let patterns = ["docs", "!docs/*.md", "docs/secret.md", "!docs/a/b"];
        for (path, expected) in [
            ("docs", true),
            ("docs/x", true),
            ("docs/x.md", false),
            ("docs/x.md/y", false),
            ("docs/secret.md", true),
            ("docs/a", true),
            ("docs/a/b", false),
            ("docs/a/b/c", false),
            ("x.md", false),
        ] {
            assert_eq!(ignored(&patterns, path), expected, "{path}");
        }
        assert!(!ignored(&["!a"], "a"));
        assert!(ignored(&["!a", "a"], "a"));
        let matcher = Matcher::new(&["a/b", "!a"]).unwrap();
        assert_eq!((matcher.matches_or_parent_matches("a/b"), walked(&matcher, "a/b")), (Ok(false), Ok(true)));
    }

    #[test]
    fn patterns_are_listed() {
        let matcher = Matcher::new(&[" a/ ", "", "!b//c"]).unwrap();
        let listed: Vec<_> = matcher.patterns().iter().map(|pattern| (pattern.text(), pattern.exclusion())).collect();
        assert_eq!(listed, [("a", false), ("b/c", true)]);
        assert!(matcher.exclusions());
        assert!(!Matcher::new::<&str>(&[]).unwrap().exclusions());
    }

    #[test]
    fn faults() {
        let bad = |pattern: &str| Some(IgnoreError::BadPattern(pattern.into()));
        assert_eq!(Matcher::new(&["a", " ! "]).err(), Some(IgnoreError::EmptyExclusion));
        for pattern in ["[", "a[]", "[a", "[a-]", "a\\"] {
            assert_eq!(Matcher::new(&[pattern]).err(), bad(pattern), "{pattern}");
        }
        // Found only by the translation, and so only when it is asked.
        for pattern in
            ["[b-a]", "\\pL", "\\1", "\\y", "\\é", "*{2}", "a{2}{3}[b]", "a|{2}*", "a{3,2}?", "a{1001}?", "[[:x:]]"]
        {
            let matcher = Matcher::new(&[pattern]).unwrap();
            assert_eq!(matcher.matches_or_parent_matches("a").err(), bad(pattern), "{pattern}");
        }
        assert_eq!(Matcher::new(&["!a", "[b-a]"]).unwrap().matches_or_parent_matches("a").err(), bad("[b-a]"));
        assert_eq!(Matcher::new(&["![b-a]"]).unwrap().matches_or_parent_matches("a"), Ok(false));
        assert_eq!(Matcher::new(&["a{1000}".repeat(1100) + "*"]).err(), Some(IgnoreError::TooLarge));
        let info = Matcher::new(&["a"]).unwrap().matches_using_parent_results("a", &MatchInfo::default()).unwrap().1;
        let other = Matcher::new(&["a", "b"]).unwrap();
        assert_eq!(other.matches_using_parent_results("a/b", &info).err(), Some(IgnoreError::ForeignInfo));
    }

    #[test]
    fn no_pattern_is_slow() {
        let matcher =
            Matcher::new(&["**/a*".repeat(40), "[a-z]{500}*".repeat(4), "a{0,500}".repeat(4) + "?b"]).unwrap();
        assert_eq!(matcher.matches_or_parent_matches(&"a/".repeat(100)), Ok(true));
        assert_eq!(matcher.matches_or_parent_matches(&"b".repeat(1900)), Ok(false));
    }

    #[test]
    fn walking_gives_the_same_as_asking() {
        let mut noise = Noise::new(23);
        let corpus = ["**/a*", "a/[b-c]?", "!a/b", "a\\d{2}*", "*.b", "a|b*", "[[:alpha:]*]x", "\\Qa\\E**/b", "a/**"];
        for round in 0..8_000 {
            let patterns: Vec<String> =
                (0..3).map(|n| noise.mutate(corpus[(round + n) % corpus.len()], "*?[]^-!\\|{2,}ab/.:é")).collect();
            let Ok(matcher) = Matcher::new(&patterns) else { continue };
            let path = noise.text("ab/.é2", 9);
            let path = path::clean(path.trim_start_matches('/'));
            // Where a pattern is malformed, either may not come to ask it.
            if let (Ok(whole), Ok(walked)) = (matcher.matches_or_parent_matches(&path), walked(&matcher, &path)) {
                assert!(whole == walked || matcher.exclusions(), "{patterns:?} {path}");
            }
            let _ = read(&patterns.join("\n"));
        }
    }
}
