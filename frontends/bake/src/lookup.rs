//! Which files a run reads.

/// The files that are read when none is named: all that exist and are not empty, in this order.
pub const DEFAULT_FILES: [&str; 8] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
];

/// The files that `BUILDX_BAKE_FILE` names; it counts only when no `-f` is given. Each must exist, `-` is standard input.
/// `separator` is `BUILDX_BAKE_PATH_SEPARATOR`, empty for that of the system.
pub fn files_of_variable(value: &str, separator: &str) -> Vec<String> {
    let separator = match separator {
        "" if cfg!(windows) => ";",
        "" => ":",
        other => other,
    };
    value.split(separator).map(str::trim).filter(|f| !f.is_empty()).map(str::to_owned).collect()
}

/// What the arguments of the command are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// URL of a remote definition.
    pub remote: Option<String>,
    /// URL of the command's context.
    pub context: Option<String>,
    /// Targets, groups and patterns.
    pub targets: Vec<String>,
}

/// Tells a leading URL or two from targets.
pub fn split_arguments<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Arguments {
    let mut out = Arguments::default();
    for arg in args {
        let arg = arg.as_ref();
        if out.targets.is_empty() && is_remote(arg) {
            if out.remote.is_none() {
                out.remote = Some(arg.into());
                continue;
            }
            if out.context.is_none() {
                out.context = Some(arg.into());
                continue;
            }
        }
        out.targets.push(arg.into());
    }
    out
}

/// Whether a text is an HTTP URL or a git reference.
pub(crate) fn is_remote(text: &str) -> bool {
    text.starts_with("https://")
        || text.starts_with("http://")
        || !matches!(rbc_context::git::parse(text), rbc_context::GitParse::NotGit)
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Compose,
    Hcl,
    Json,
    /// Any of them: what can be parsed, in this order.
    Any,
}

/// By the name of a file. Of HCL's endings the case counts, as in the reference.
pub(crate) fn format(name: &str) -> Format {
    let lower = name.to_lowercase();
    if lower.ends_with(".yml") || lower.ends_with(".yaml") {
        Format::Compose
    } else if name.ends_with(".json") {
        Format::Json
    } else if name.ends_with(".hcl") {
        Format::Hcl
    } else {
        Format::Any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let split = split_arguments(["https://github.com/a/b.git", "app"]);
        assert_eq!(split.remote.as_deref(), Some("https://github.com/a/b.git"));
        assert_eq!(split.targets, ["app"]);
        assert_eq!(split_arguments(["app"]).remote, None);
    }

    #[test]
    fn variable() {
        assert_eq!(files_of_variable("a.hcl: b.hcl:", ""), ["a.hcl", "b.hcl"]);
        assert_eq!(files_of_variable("a@b", "@"), ["a", "b"]);
    }
}
