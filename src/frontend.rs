//! The languages that recipes are written in. Adding one takes a crate that reads it, and a row here; `docs/frontends.md` is
//! the walk.

use rbc_ast::check::CheckConfig;
use rbc_ast::recipe::Recipe;
use rbc_source::{Parsed, SourceFile};

/// A language of recipes.
pub struct Frontend {
    /// What `--frontend` calls it.
    pub name: &'static str,
    /// Words in the name of the image on a `# syntax=` line.
    syntax: &'static str,
    /// Whether a file is called as its files are; the name is in lower case.
    is_name: fn(&str) -> bool,
    /// Whether a text begins as its files do.
    looks_like: fn(&str) -> bool,
    /// Reads a file.
    pub parse: fn(&SourceFile, &CheckConfig) -> Parsed<Recipe>,
}

impl std::fmt::Debug for Frontend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Frontend {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// All of them; the first is for what nothing tells.
pub static FRONTENDS: [Frontend; 2] = [
    Frontend {
        name: "dockerfile",
        syntax: "dockerfile",
        is_name: |name| name.starts_with("dockerfile") || name.ends_with(".dockerfile"),
        looks_like: |_| false,
        parse: rbc_dockerfile::parse_with,
    },
    Frontend {
        name: "mockerfile",
        syntax: "mocker",
        is_name: |name| name.starts_with("mockerfile") || name.ends_with(".mockerfile"),
        looks_like: rbc_mockerfile::looks_like,
        parse: |file, _| rbc_mockerfile::parse(file),
    },
];

impl Frontend {
    /// The frontend of a file: by its `# syntax=` line, then by its name, then by how it begins.
    pub fn of(file: &SourceFile) -> &'static Frontend {
        let syntax = rbc_grammar::detect_syntax(file.text());
        let image = syntax.as_ref().map(|s| s.first().rsplit('/').next().unwrap_or_default());
        let name = file.name().rsplit('/').next().unwrap_or_default().to_lowercase();
        let by_syntax = image.and_then(|image| FRONTENDS.iter().find(|f| image.contains(f.syntax)));
        let by_name = || FRONTENDS.iter().find(|f| (f.is_name)(&name));
        let by_text = || FRONTENDS.iter().find(|f| (f.looks_like)(file.text()));
        by_syntax.or_else(by_name).or_else(by_text).unwrap_or(&FRONTENDS[0])
    }

    /// The image that the syntax line of a file names, and the line, if it is none of these frontends.
    pub fn foreign(file: &SourceFile) -> Option<(String, String)> {
        let line = rbc_grammar::detect_syntax(file.text())?;
        let image = line.first().rsplit('/').next().unwrap_or_default();
        let known = FRONTENDS.iter().any(|f| image.contains(f.syntax));
        (!known).then(|| (line.first().to_owned(), line.text.to_string()))
    }

    /// The frontend of a name.
    pub fn by_name(name: &str) -> Option<&'static Frontend> {
        FRONTENDS.iter().find(|f| f.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::FileId;

    #[test]
    fn chosen_by_syntax_then_name_then_content() {
        let of = |name: &str, text: &str| Frontend::of(&SourceFile::new(FileId(0), name, text)).name;
        assert_eq!(of("x", "FROM a\n"), "dockerfile");
        assert_eq!(of("x", "#syntax=r2d4/mocker\nimages: []\n"), "mockerfile");
        assert_eq!(of("Mockerfile.yaml", "# syntax=docker/dockerfile:1\n"), "dockerfile");
        assert_eq!(of("dir/Mockerfile.yaml", ""), "mockerfile");
        assert_eq!(of("x.yaml", "# a comment\n\napiVersion: v1\n"), "mockerfile");
        assert_eq!(of("Dockerfile", "apiVersion: v1\n"), "dockerfile");
    }
}
