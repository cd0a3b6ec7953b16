//! Where files of a stage go, as far as the file tells.

use rbc_grammar::Keyword;

use crate::sheet::{Statement, unquoted};

/// The working directory and the destinations in it.
#[derive(Default)]
pub(super) struct Paths {
    stage: usize,
    /// None while only the base image knows it.
    directory: Option<String>,
}

impl Paths {
    /// Takes in what a statement changes.
    pub fn see(&mut self, statement: &Statement<'_>) {
        if self.stage != statement.stage {
            *self = Paths { stage: statement.stage, directory: None };
        }
        if statement.keyword == Some(Keyword::Workdir) {
            self.directory = statement.text().and_then(|text| self.resolve(&text.text));
        }
    }

    /// The absolute path of what is written, without a slash at its end; none if it holds variables or is relative to what
    /// nobody knows.
    pub fn resolve(&self, path: &str) -> Option<String> {
        let path = unquoted(path);
        if path.contains(['$', '~', '\\', '*', '?', '[']) {
            return None;
        }
        let whole = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{}/{path}", self.directory.as_deref()?),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in whole.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                _ => parts.push(part),
            }
        }
        Some(format!("/{}", parts.join("/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolving() {
        let paths = Paths { stage: 1, directory: Some("/a/b".to_owned()) };
        assert_eq!(paths.resolve("./c/").as_deref(), Some("/a/b/c"));
        assert_eq!(paths.resolve("../../../\"").as_deref(), Some("/"));
        assert_eq!(paths.resolve("/x//y/.").as_deref(), Some("/x/y"));
        assert_eq!(paths.resolve("$x"), None);
        assert_eq!(Paths::default().resolve("x"), None);
    }
}
