//! Patterns in paths.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::{Source, open_resolved};
use crate::fs::{clean, list, open_dir_at, resolve};

/// Whether a path is a pattern.
pub(crate) fn is_pattern(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => {
                bytes.next();
            }
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// The paths that a pattern matches, in order. Links in the part before the first wildcard are followed; its last component
/// if `follow` says so. A path that is no pattern is itself, whether it is there or not.
pub(crate) fn wildcards(source: &Source, pattern: &str, follow: bool) -> io::Result<Vec<PathBuf>> {
    let clean = clean(pattern);
    let text = clean.to_string_lossy();
    let parts: Vec<&str> = text.split('/').filter(|p| !p.is_empty()).collect();
    let Some(first) = parts.iter().position(|p| is_pattern(p)) else { return Ok(vec![clean]) };
    let (fixed, variable) = parts.split_at(first);
    let fixed: PathBuf = fixed.iter().collect();
    let base = if follow {
        resolve(source.root, &fixed, true)?
    } else {
        // Only directories that lead there are followed.
        resolve(source.root, &fixed, false)?
    };
    let is_dir = base.stat.as_ref().is_some_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory);
    if !is_dir {
        return Ok(Vec::new());
    }
    let dir = open_resolved(source.root, &base.path)?;
    let mut found = Vec::new();
    walk(source, std::os::fd::AsFd::as_fd(&dir), &base.path, variable, &mut found)?;
    Ok(found)
}

/// As deep as the pattern is, which is as long as a build can write it.
fn walk(source: &Source, dir: BorrowedFd, path: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some((part, deeper)) = parts.split_first() else { return Ok(()) };
    for entry in list(dir)? {
        let name: OsString = entry.name().to_owned();
        // What is no pattern matches nothing.
        if !rbc_context::path::matches(part, &name.to_string_lossy()).unwrap_or(false) {
            continue;
        }
        let path = path.join(&name);
        if !source.has(&path) {
            continue;
        }
        if deeper.is_empty() {
            found.push(path);
        } else if entry.kind == FileType::Directory {
            let inner = open_dir_at(dir, &entry.name)?;
            walk(source, std::os::fd::AsFd::as_fd(&inner), &path, deeper, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;
    use std::fs;

    #[test]
    fn patterns_find_files() {
        let folder = Folder::new();
        for path in ["a/x.rs", "a/y.rs", "a/z/x.rs", "b/x.rs", "b/*.rs"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        let root = crate::fs::open_dir(folder.path()).unwrap();
        let source = Source { root: std::os::fd::AsFd::as_fd(&root), tree: None, donor: None };
        let find = |p: &str| -> Vec<String> {
            let found = wildcards(&source, p, true).unwrap();
            found.iter().map(|p| p.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(find("/a/*.rs"), ["a/x.rs", "a/y.rs"]);
        assert_eq!(find("/*/x.rs"), ["a/x.rs", "b/x.rs"]);
        assert_eq!(find("/link/?.rs"), ["a/x.rs", "a/y.rs"]);
        assert_eq!(find("/*"), ["a", "b", "link"]);
        assert_eq!(find("gone/*"), [""; 0]);
        assert_eq!(find("/a/x.rs/"), ["a/x.rs"]);
        assert_eq!(find("/b/\\*.rs"), ["b/\\*.rs"]);
        assert_eq!(find("/b/[*].r?"), ["b/*.rs"]);
        assert_eq!(find("/a/[x"), [""; 0]);
    }
}
