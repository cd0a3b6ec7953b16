//! Slash-separated paths, and the paths of an image whose operating system is not the one that rbc runs on.
//!
//! The first half answers as Go's package `path`; the second half as `util/system/path.go` of BuildKit. An `os` is
//! named as in a platform (`linux`, `windows`); the empty name means `linux`, and every name but `windows` has its rules.

use std::fmt;
use std::str::Chars;

/// The directories in which a shell looks for programs, for images that are not for Windows.
pub const UNIX_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The directories in which Windows looks for programs.
pub const WINDOWS_PATH: &str = "c:\\Windows\\System32;c:\\Windows;C:\\Windows\\System32\\WindowsPowerShell\\v1.0";

/// The shortest path that means the same: no empty segment, no `.`, no `..` that something precedes, no trailing slash.
/// The empty path is `.`.
pub fn clean(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut clean = String::with_capacity(path.len().max(1));
    clean.push_str(root);
    // What `..` does not take back: the root, or the `..` that nothing precedes.
    let mut fixed = clean.len();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if clean.len() > fixed => {
                let last = clean[fixed..].rfind('/').map_or(fixed, |slash| fixed + slash);
                clean.truncate(last);
            }
            ".." if !root.is_empty() => {}
            other => {
                if clean.len() > root.len() {
                    clean.push('/');
                }
                clean.push_str(other);
                if other == ".." {
                    fixed = clean.len();
                }
            }
        }
    }
    if clean.is_empty() {
        clean.push('.');
    }
    clean
}

/// The parts that are not empty, with slashes between, [`clean`]ed; the empty path if all are empty.
pub fn join(parts: &[&str]) -> String {
    let mut joined = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !joined.is_empty() {
            joined.push('/');
        }
        joined.push_str(part);
    }
    if joined.is_empty() { joined } else { clean(&joined) }
}

/// The last segment: `.` of the empty path, `/` of a path of slashes only.
pub fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("") => "/",
        Some(last) => last,
    }
}

/// What precedes the last segment, [`clean`]ed.
pub fn dir(path: &str) -> String {
    clean(path.rfind('/').and_then(|slash| path.get(..=slash)).unwrap_or(""))
}

/// A glob pattern that breaks the rules of [`matches()`]: a class that is empty, open or has a bare `-`, or a `\` at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern;

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pattern has an unfinished or empty `[...]`, or ends in a `\\`")
    }
}

impl std::error::Error for BadPattern {}

/// Does the whole name match the glob pattern, as Go's `path.Match`? `*` and `?` stop at a slash, `[a-c]` and `[^a-c]` do
/// not, `\` takes away a meaning. A malformed pattern is an error whatever the name. Time is bounded by the product of
/// the lengths.
pub fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let mut unread = pattern.chars();
    let matched = matches_as_far(&mut unread, name)?;
    while chunk(&mut unread)?.is_some() {}
    Ok(matched)
}

/// The same as Go's `filepath.Match`, which reads no further than to where the name stops to match, and so finds no fault
/// after that.
pub(crate) fn matches_as_far(pattern: &mut Chars<'_>, name: &str) -> Result<bool, BadPattern> {
    let mut rest = name.as_bytes();
    while let Some(Chunk { starred, tokens }) = chunk(pattern)? {
        let last = pattern.as_str().is_empty();
        if starred && tokens.is_empty() {
            return Ok(!rest.contains(&b'/'));
        }
        // The first place that fits is taken, and not given back: a later one leaves less of the name for the others.
        let slash = || rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let furthest = if starred { slash() } else { 0 };
        let found = (0..=furthest)
            .filter_map(|skipped| fits(&tokens, rest.get(skipped..)?))
            .find(|after| !last || after.is_empty());
        match found {
            Some(after) => rest = after,
            None => return Ok(false),
        }
    }
    Ok(rest.is_empty())
}

/// A part of a pattern that begins with a star, or begins the pattern, and has no star after that.
struct Chunk {
    starred: bool,
    tokens: Vec<Token>,
}

enum Token {
    Byte(u8),
    Any,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// The next chunk, none at the end of the pattern.
fn chunk(pattern: &mut Chars<'_>) -> Result<Option<Chunk>, BadPattern> {
    if pattern.as_str().is_empty() {
        return Ok(None);
    }
    let mut chunk = Chunk { starred: false, tokens: Vec::new() };
    while pattern.as_str().starts_with('*') {
        chunk.starred = true;
        pattern.next();
    }
    while !pattern.as_str().starts_with('*')
        && let Some(char) = pattern.next()
    {
        let literal = match char {
            '?' => {
                chunk.tokens.push(Token::Any);
                continue;
            }
            '[' => {
                chunk.tokens.push(class(pattern)?);
                continue;
            }
            '\\' => pattern.next().ok_or(BadPattern)?,
            other => other,
        };
        chunk.tokens.extend(literal.encode_utf8(&mut [0; 4]).bytes().map(Token::Byte));
    }
    Ok(Some(chunk))
}

/// A class, after its `[`.
fn class(rest: &mut Chars<'_>) -> Result<Token, BadPattern> {
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    while ranges.is_empty() || !rest.as_str().starts_with(']') {
        let low = end_of_range(rest)?;
        let mut high = low;
        if rest.as_str().starts_with('-') {
            rest.next();
            high = end_of_range(rest)?;
        }
        ranges.push((low, high));
    }
    rest.next();
    Ok(Token::Class { negated, ranges })
}

fn end_of_range(rest: &mut Chars<'_>) -> Result<char, BadPattern> {
    match rest.next().ok_or(BadPattern)? {
        '-' | ']' => Err(BadPattern),
        '\\' => rest.next().ok_or(BadPattern),
        other => Ok(other),
    }
}

/// What is left of the name when the tokens match at its beginning.
fn fits<'a>(tokens: &[Token], name: &'a [u8]) -> Option<&'a [u8]> {
    tokens.iter().try_fold(name, |rest, token| match token {
        Token::Byte(wanted) => rest.strip_prefix(&[*wanted]),
        Token::Any => first_char(rest).filter(|(found, _)| *found != '/').map(|(_, after)| after),
        Token::Class { negated, ranges } => {
            let (found, after) = first_char(rest)?;
            let within = ranges.iter().any(|(low, high)| (*low..=*high).contains(&found));
            (within != *negated).then_some(after)
        }
    })
}

/// The first character and what follows it. A star may have stopped in the middle of a character; as in Go, the byte there
/// is U+FFFD.
fn first_char(bytes: &[u8]) -> Option<(char, &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    (1..=4)
        .find_map(|length| {
            let (head, after) = bytes.split_at_checked(length)?;
            Some((std::str::from_utf8(head).ok()?.chars().next()?, after))
        })
        .or_else(|| Some((char::REPLACEMENT_CHARACTER, bytes.get(1..)?)))
}

/// Why a path cannot be one inside an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathError {
    /// `C:` alone: a drive, and no path on it.
    DriveAlone(String),
    /// A path that begins with two slashes, which on Windows names another machine or a device.
    Unc(String),
    /// A path on another drive than `C:`.
    OtherDrive(String),
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DriveAlone(path) => write!(f, "`{path}` names a drive and no path on it"),
            Self::Unc(path) => write!(f, "`{path}` is a UNC path, which an image for Windows cannot have"),
            Self::OtherDrive(path) => write!(f, "`{path}` is not on the system drive, C:"),
        }
    }
}

impl std::error::Error for PathError {}

fn windows(os: &str) -> bool {
    os == "windows"
}

/// The default of `PATH` for an image.
pub fn default_path_env(os: &str) -> &'static str {
    if windows(os) { WINDOWS_PATH } else { UNIX_PATH }
}

/// With slashes for the backslashes of a Windows path.
pub fn to_slash(path: &str, os: &str) -> String {
    if windows(os) { path.replace('\\', "/") } else { path.into() }
}

/// With the separator of the operating system for slashes.
pub fn from_slash(path: &str, os: &str) -> String {
    if windows(os) { path.replace('/', "\\") } else { path.into() }
}

/// Does the path begin at the root? On Windows, after its drive letter; a path that [`check_drive`] refuses does not.
pub fn is_abs(path: &str, os: &str) -> bool {
    check_drive(path, os, false).is_ok_and(|rest| rest.starts_with('/'))
}

/// The path without its drive letter, cleaned and with slashes; other systems than Windows keep it as it is. The result is
/// relative if what follows the letter is (`C:x`). `keep_slash` keeps a trailing slash.
pub fn check_drive(path: &str, os: &str, keep_slash: bool) -> Result<String, PathError> {
    if !windows(os) {
        return Ok(path.into());
    }
    if let [_, b':'] = path.as_bytes() {
        return Err(PathError::DriveAlone(path.into()));
    }
    let slashed = to_slash(path, os);
    if slashed.starts_with("//") {
        return Err(PathError::Unc(path.into()));
    }
    let rest = match slashed.split_once(':') {
        None => slashed.as_str(),
        Some((drive, rest)) if drive.eq_ignore_ascii_case("c") => rest,
        Some(_) => return Err(PathError::OtherDrive(path.into())),
    };
    let mut cleaned = clean(rest);
    if keep_slash && cleaned.len() > 1 && rest.ends_with('/') {
        cleaned.push('/');
    }
    Ok(cleaned)
}

/// `new` as an absolute path with slashes and no drive letter: under `parent` if it is relative, `parent` if it is empty.
/// An absolute path is not cleaned except on Windows. `keep_slash` keeps a trailing `/` or `/.`.
pub fn normalize(parent: &str, new: &str, os: &str, keep_slash: bool) -> Result<String, PathError> {
    let parent = if parent.is_empty() { "/".into() } else { to_slash(parent, os) };
    let mut parent = check_drive(&parent, os, keep_slash)?;
    if !is_abs(&parent, os) {
        parent = join(&["/", &parent]);
    }
    let written = to_slash(new, os);
    let mut path = check_drive(if written.is_empty() { &parent } else { &written }, os, keep_slash)?;
    if !is_abs(&path, os) {
        path = join(&[&parent, &path]);
    }
    if keep_slash {
        if written.ends_with('/') && !path.ends_with('/') {
            path.push('/');
        } else if written.ends_with("/.") {
            path.push_str(if path == "/" { "." } else { "/." });
        }
    }
    Ok(path)
}

/// The working directory after `WORKDIR wd` in `current`, with the separators of the operating system.
pub fn normalize_workdir(current: &str, wd: &str, os: &str) -> Result<String, PathError> {
    normalize(current, wd, os, false).map(|path| from_slash(&path, os))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    #[test]
    fn clean_is_the_shortest_equal_path() {
        for (path, expected) in [
            ("", "."),
            ("/", "/"),
            ("//a///b/", "/a/b"),
            ("./a/.", "a"),
            ("a/..", "."),
            ("a/../..", ".."),
            ("../../a", "../../a"),
            ("../a/../../b", "../../b"),
            ("/../a", "/a"),
            ("/a/../..", "/"),
            ("a/b/../../../c", "../c"),
            ("...", "..."),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn parts_of_paths() {
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["", ""]), "");
        assert_eq!(join(&["/", "sub/"]), "/sub");
        assert_eq!(join(&["/", ""]), "/");
        assert_eq!(join(&["a", "", "../b"]), "b");
        for (path, expected) in [("", "."), ("/", "/"), ("//", "/"), ("a/b/", "b"), ("a", "a"), ("/a//", "a")] {
            assert_eq!(base(path), expected, "{path}");
        }
        for (path, expected) in [("", "."), ("a", "."), ("a/b", "a"), ("/a", "/"), ("a/b/", "a/b"), ("/a/b//c", "/a/b")]
        {
            assert_eq!(dir(path), expected, "{path}");
        }
    }

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("", "", Ok(true)),
            ("", "a", Ok(false)),
            ("*", "", Ok(true)),
            ("*", "a.c", Ok(true)),
            ("*", "a/c", Ok(false)),
            ("*/*.rs", "src/lib.rs", Ok(true)),
            ("*/*.rs", "src/a/lib.rs", Ok(false)),
            ("a*b*c", "abbc", Ok(true)),
            ("a*b*c", "abcb", Ok(false)),
            ("**.x", "q.x", Ok(true)),
            ("*a*a", "baca", Ok(true)),
            ("?", "é", Ok(true)),
            ("??", "é", Ok(false)),
            ("*??", "é", Ok(false)),
            ("?", "/", Ok(false)),
            ("[^a]", "/", Ok(true)),
            ("[a-c]x", "bx", Ok(true)),
            ("[^a-c]x", "bx", Ok(false)),
            ("[c-a]", "b", Ok(false)),
            ("[\\]\\-]", "-", Ok(true)),
            ("[[]", "[", Ok(true)),
            ("]", "]", Ok(true)),
            ("\\*", "*", Ok(true)),
            ("\\*", "a", Ok(false)),
            ("[]", "a", Err(BadPattern)),
            ("[a", "", Err(BadPattern)),
            ("[a-", "", Err(BadPattern)),
            ("[a-]", "a", Err(BadPattern)),
            ("[-a]", "a", Err(BadPattern)),
            ("[^]", "a", Err(BadPattern)),
            ("x[", "a", Err(BadPattern)),
            ("*\\", "a", Err(BadPattern)),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_glob_of_many_stars_is_quick() {
        assert_eq!(matches(&"*a".repeat(500), &"a".repeat(5000)), Ok(true));
        assert_eq!(matches(&format!("{}b", "*a".repeat(500)), &"a".repeat(5000)), Ok(false));
    }

    #[test]
    fn linux_keeps_what_is_absolute() {
        assert_eq!(normalize("/a", "b/", "linux", false).as_deref(), Ok("/a/b"));
        assert_eq!(normalize("/a", "b/", "", true).as_deref(), Ok("/a/b/"));
        assert_eq!(normalize("/a", "b/.", "linux", true).as_deref(), Ok("/a/b/."));
        assert_eq!(normalize("/", "/.", "linux", true).as_deref(), Ok("/./."));
        assert_eq!(normalize("/a", "..", "linux", false).as_deref(), Ok("/"));
        assert_eq!(normalize("/", "./.", "linux", true).as_deref(), Ok("/."));
        assert_eq!(normalize("", "", "linux", false).as_deref(), Ok("/"));
        assert_eq!(normalize("w", "", "linux", false).as_deref(), Ok("/w"));
        assert_eq!(normalize("/a", "//b//c", "linux", false).as_deref(), Ok("//b//c"));
        assert_eq!(normalize("/a", "C:\\x", "linux", false).as_deref(), Ok("/a/C:\\x"));
        assert!(is_abs("/a", "") && !is_abs("a", "linux") && !is_abs("\\a", "linux"));
    }

    #[test]
    fn windows_has_one_drive() {
        for (path, expected) in [
            ("C:\\a\\..\\b\\", Ok("/b")),
            ("c:a", Ok("a")),
            ("a\\b", Ok("a/b")),
            ("\\a", Ok("/a")),
            ("", Ok(".")),
            ("C:", Err(PathError::DriveAlone("C:".into()))),
            ("D:\\a", Err(PathError::OtherDrive("D:\\a".into()))),
            ("\\\\host\\a", Err(PathError::Unc("\\\\host\\a".into()))),
        ] {
            assert_eq!(check_drive(path, "windows", false), expected.map(String::from), "{path}");
        }
        assert_eq!(check_drive("C:\\a\\", "windows", true).as_deref(), Ok("/a/"));
        assert_eq!(check_drive("C:\\", "windows", true).as_deref(), Ok("/"));
        assert!(is_abs("C:\\a", "windows") && !is_abs("C:a", "windows") && !is_abs("D:\\a", "windows"));
        assert_eq!(normalize_workdir("C:\\app", "x/y", "windows").as_deref(), Ok("\\app\\x\\y"));
        assert_eq!(default_path_env("windows").split(';').count(), 3);
        assert_eq!(default_path_env("freebsd"), UNIX_PATH);
    }

    #[test]
    fn no_text_panics_and_clean_is_idempotent() {
        let mut noise = Noise::new(7);
        for _ in 0..20_000 {
            let (one, two) = (noise.text("/.\\:aC*[]-^?é!", 12), noise.text("/.\\:cé*[a", 8));
            let cleaned = clean(&one);
            assert_eq!(clean(&cleaned), cleaned);
            let (_, _) = (base(&one), dir(&one));
            for os in ["", "linux", "windows"] {
                if let Ok(path) = normalize(&one, &two, os, noise.bool()) {
                    assert!(path.starts_with('/'), "{one:?} {two:?} {os} {path}");
                }
            }
            let matched = matches(&one, &two);
            assert_eq!(matched.is_err(), matches(&one, "").is_err());
        }
    }
}
