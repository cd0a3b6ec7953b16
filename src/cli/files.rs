//! Which files a command line means: files as they are, directories searched for recipes, patterns matched.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use ignore::WalkBuilder;
use rbc_source::{Diagnostic, SourceFile, environment, lower};

use crate::Frontend;

/// A file to work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// It was found in a directory or by a pattern, and not named.
    pub searched: bool,
}

/// Ends of names that are made from, or beside, a recipe and are none.
const NO_RECIPES: [&str; 16] = [
    "dockerignore",
    "containerignore",
    "md",
    "txt",
    "j2",
    "jinja",
    "jinja2",
    "tmpl",
    "template",
    "tpl",
    "erb",
    "in",
    "m4",
    "orig",
    "rej",
    "bak",
];

/// The files that arguments mean, each once, in the order of the arguments and within a directory by name.
///
/// Directories are searched for files whose names are `wanted`; what `.gitignore` and `.ignore` leave out is left out, and links are not followed. An
/// argument with `*`, `?`, `[` or `{` that is no file is a pattern, in which `**` stands for any number of directories.
///
/// # Errors
/// There is no such file, nothing fits, or a directory cannot be read.
pub fn find(arguments: &[PathBuf], wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Named>, Diagnostic> {
    let mut found = Vec::new();
    for argument in arguments {
        if argument == Path::new("-") || argument.is_file() {
            found.push(Named { path: argument.clone(), searched: false });
        } else if argument.is_dir() {
            let recipes = search(argument, &|path| path.file_name().is_some_and(|n| wanted(&n.to_string_lossy())))?;
            if recipes.is_empty() {
                let message = format!("there is no Dockerfile in `{}`", argument.display());
                return Err(
                    Diagnostic::new(environment::READ, message).note("name the files if they are called otherwise")
                );
            }
            found.extend(recipes);
        } else if argument.to_string_lossy().contains(['*', '?', '[', '{']) {
            found.extend(matching(&argument.to_string_lossy())?);
        } else {
            let message = format!("`{}` cannot be read: there is no such file", argument.display());
            return Err(Diagnostic::new(environment::READ, message));
        }
    }
    let mut seen = HashSet::new();
    found.retain(|named| seen.insert(named.path.clone()));
    Ok(found)
}

/// Whether a file of this name is a Dockerfile: `Dockerfile`, `Containerfile`, `Dockerfile.dev`, `dev.Dockerfile`.
pub fn is_recipe(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["dockerfile", "containerfile"].iter().any(|kind| match name.strip_prefix(kind) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('.').is_some_and(|rest| {
            !rest.ends_with('~') && rest.rsplit('.').next().is_some_and(|end| !NO_RECIPES.contains(&end))
        }),
        None => name.strip_suffix(kind).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
    })
}

/// Whether a file that was read is a Dockerfile and not of another language.
pub fn is_dockerfile(file: &SourceFile) -> bool {
    !rbc_lsp::is_bake(file.name()) && Frontend::of(file).name == "dockerfile"
}

/// Whether a file of this name is a bake file of the native syntax, which bake finds by itself.
pub fn is_bake(name: &str) -> bool {
    ["docker-bake.hcl", "docker-bake.override.hcl"].contains(&&*name.to_ascii_lowercase())
}

/// Whether a file of this name is one of the other languages: a bake file of the native syntax, or a Mockerfile.
pub fn is_other(name: &str) -> bool {
    is_bake(name) || ["mockerfile", "mockerfile.yaml", "mockerfile.yml"].contains(&&*name.to_ascii_lowercase())
}

fn matching(pattern: &str) -> Result<Vec<Named>, Diagnostic> {
    let glob = GlobBuilder::new(pattern.strip_prefix("./").unwrap_or(pattern)).literal_separator(true).build();
    let glob = glob.map_err(|e| Diagnostic::new(lower::OPTION, format!("`{pattern}` is no pattern: {}", e.kind())))?;
    let matcher = glob.compile_matcher();
    let plain = pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '{']));
    let base = plain.collect::<Vec<_>>().join("/");
    let base = match base.as_str() {
        "" if pattern.starts_with('/') => Path::new("/"),
        "" => Path::new("."),
        base => Path::new(base),
    };
    let found = if base.is_dir() { search(base, &|path| matcher.is_match(path))? } else { Vec::new() };
    if found.is_empty() {
        return Err(Diagnostic::new(environment::READ, format!("no file fits the pattern `{pattern}`")));
    }
    Ok(found)
}

fn search(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<Named>, Diagnostic> {
    let walk = WalkBuilder::new(dir)
        .hidden(false)
        .require_git(false)
        .follow_links(false)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let mut found = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|e| Diagnostic::new(environment::READ, format!("`{}`: {e}", dir.display())))?;
        let path = entry.path().strip_prefix("./").unwrap_or(entry.path());
        if entry.file_type().is_some_and(|kind| kind.is_file()) && wanted(path) {
            found.push(Named { path: path.to_path_buf(), searched: true });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_recipes() {
        for name in ["Dockerfile", "dockerfile", "Containerfile", "Dockerfile.dev", "a.Dockerfile", "x.y.containerfile"]
        {
            assert!(is_recipe(name), "{name}");
        }
        for name in [
            "Dockerfile.dockerignore",
            "Dockerfile.md",
            "Dockerfiles",
            "Dockerfile.j2",
            ".dockerfile",
            "a",
            "Dockerfile.a~",
        ] {
            assert!(!is_recipe(name), "{name}");
        }
    }
}
