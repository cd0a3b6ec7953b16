//! What counts, and how much: the configuration, and how hadolint writes it down.

use std::collections::BTreeMap;
use std::fmt;

use rbc_source::{Code, Severity, by_name};
use serde::Deserialize;

use crate::twins::twins;

/// How much a finding counts, by hadolint's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Level {
    /// Not reported.
    Ignore,
    /// A matter of style.
    Style,
    /// Worth knowing.
    #[default]
    Info,
    /// Most likely a fault.
    Warning,
    /// A fault.
    Error,
}

impl Level {
    /// All, from the least on.
    pub const ALL: [(&'static str, Level); 6] = [
        ("ignore", Level::Ignore),
        ("none", Level::Ignore),
        ("style", Level::Style),
        ("info", Level::Info),
        ("warning", Level::Warning),
        ("error", Level::Error),
    ];

    /// The level of a name.
    pub fn find(name: &str) -> Option<Level> {
        Self::ALL.into_iter().find(|(n, _)| *n == name).map(|(_, level)| level)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }

    /// The severity of a diagnostic of this level; none if it is not reported.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Level::Ignore => None,
            Level::Style => Some(Severity::Hint),
            Level::Info => Some(Severity::Info),
            Level::Warning => Some(Severity::Warning),
            Level::Error => Some(Severity::Error),
        }
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Hint => Level::Style,
            Severity::Info => Level::Info,
            Severity::Warning => Level::Warning,
            Severity::Error => Level::Error,
        }
    }
}

/// What the value of a label must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelType {
    /// Any text.
    Text,
    /// An URL.
    Url,
    /// A time as RFC 3339 writes it.
    Rfc3339,
    /// A licence as SPDX names it.
    Spdx,
    /// A commit of git.
    Hash,
    /// A semantic version.
    SemVer,
    /// A mail address.
    Email,
}

impl LabelType {
    /// The type of a name.
    pub fn find(name: &str) -> Option<LabelType> {
        Some(match name {
            "text" | "" => LabelType::Text,
            "url" => LabelType::Url,
            "rfc3339" => LabelType::Rfc3339,
            "spdx" => LabelType::Spdx,
            "hash" => LabelType::Hash,
            "semver" => LabelType::SemVer,
            "email" => LabelType::Email,
            _ => return None,
        })
    }
}

/// The configuration of the rules. The default is what counts when nobody configured anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintConfig {
    /// Levels that differ from the rules' own, by what [`LintConfig::key`] makes of a rule's name.
    pub levels: BTreeMap<Box<str>, Level>,
    /// Rules that do not count, by the same; stronger than `levels`. ShellCheck's may be named by the beginning of their ids.
    pub ignored: Vec<Box<str>>,
    /// The only rules that count, by the same; all if there is no list.
    pub selected: Option<Vec<Box<str>>>,
    /// Registries that images may come from; all if empty. A `*` at the beginning or end stands for anything.
    pub trusted_registries: Vec<Box<str>>,
    /// Labels that an image must have.
    pub label_schema: BTreeMap<Box<str>, LabelType>,
    /// No other labels are allowed.
    pub strict_labels: bool,
    /// Comments can suppress findings.
    pub pragmas: bool,
    /// Shell scripts in RUN are read. Without it, rules about commands find nothing, and linting is several times as fast.
    pub shell: bool,
    /// The build is for several platforms; unknown: if the file speaks of its target's platform.
    pub multi_platform: Option<bool>,
    /// Stages that are built by name, if that is known: others are reached from those and the last one only.
    pub targets: Option<Vec<Box<str>>>,
    /// The least level at which a finding fails the run.
    pub failure_threshold: Level,
    /// Findings never fail the run.
    pub no_fail: bool,
    /// No colours in the output.
    pub no_color: bool,
    /// Name of the output format, if it is set.
    pub format: Option<Box<str>>,
}

impl Default for LintConfig {
    fn default() -> Self {
        LintConfig {
            levels: BTreeMap::new(),
            ignored: Vec::new(),
            selected: None,
            trusted_registries: Vec::new(),
            label_schema: BTreeMap::new(),
            strict_labels: false,
            pragmas: true,
            shell: true,
            multi_platform: None,
            targets: None,
            failure_threshold: Level::Info,
            no_fail: false,
            no_color: false,
            format: None,
        }
    }
}

/// Why a `.hadolint.yaml` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// Line and column from 1, if known.
    pub place: Option<(usize, usize)>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// The file as hadolint defines it. Keys that it does not know are left alone, as hadolint does.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    ignored: Option<Vec<String>>,
    r#override: Option<Overrides>,
    #[serde(rename = "trustedRegistries")]
    trusted_registries: Option<OneOrMore>,
    label_schema: Option<BTreeMap<String, String>>,
    strict_labels: Option<bool>,
    disable_ignore_pragma: Option<bool>,
    failure_threshold: Option<String>,
    no_fail: Option<bool>,
    no_color: Option<bool>,
    format: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Overrides {
    style: Option<Vec<String>>,
    info: Option<Vec<String>>,
    warning: Option<Vec<String>>,
    error: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl LintConfig {
    /// Reads the text of a `.hadolint.yaml`.
    ///
    /// # Errors
    /// If it is no YAML, or a value is not of its key's type.
    pub fn from_hadolint_yaml(text: &str) -> Result<Self, ConfigError> {
        let file: Option<File> = serde_yaml::from_str(text).map_err(|error| ConfigError {
            place: error.location().map(|l| (l.line(), l.column())),
            message: error.to_string(),
        })?;
        let file = file.unwrap_or_default();
        let fault = |message: String| ConfigError { message, place: None };
        let mut config = LintConfig::default();
        let overrides = file.r#override.unwrap_or_default();
        // A rule under several levels has the gravest.
        for (level, rules) in [
            (Level::Style, overrides.style),
            (Level::Info, overrides.info),
            (Level::Warning, overrides.warning),
            (Level::Error, overrides.error),
        ] {
            for rule in rules.unwrap_or_default() {
                config.levels.insert(Self::key(&rule), level);
            }
        }
        config.ignored = file.ignored.unwrap_or_default().iter().map(|rule| Self::key(rule)).collect();
        config.trusted_registries = match file.trusted_registries {
            None => Vec::new(),
            Some(OneOrMore::One(one)) => vec![one.into()],
            Some(OneOrMore::More(more)) => more.into_iter().map(Into::into).collect(),
        };
        for (label, kind) in file.label_schema.unwrap_or_default() {
            let kind = LabelType::find(&kind).ok_or_else(|| {
                fault(format!(
                    "label `{label}` cannot be of type `{kind}`: types are text, url, rfc3339, spdx, hash, semver and email"
                ))
            })?;
            config.label_schema.insert(label.into(), kind);
        }
        if let Some(threshold) = file.failure_threshold {
            config.failure_threshold = Level::find(&threshold).ok_or_else(|| {
                fault(format!("`{threshold}` is no threshold: those are error, warning, info, style, ignore and none"))
            })?;
        }
        config.strict_labels = file.strict_labels.unwrap_or(false);
        config.pragmas = !file.disable_ignore_pragma.unwrap_or(false);
        config.no_fail = file.no_fail.unwrap_or(false);
        config.no_color = file.no_color.unwrap_or(false);
        config.format = file.format.map(Into::into);
        Ok(config)
    }

    /// What a rule goes by here: our code's id if we have the rule, else (for ShellCheck's) the name in upper case.
    pub fn key(name: &str) -> Box<str> {
        by_name(name).map_or_else(|| name.to_ascii_uppercase().into(), |code| code.id.into())
    }

    /// The level of a rule that counts at `default` if nothing is configured. Rules of BuildKit and of hadolint that are one
    /// are ignored together.
    pub fn level(&self, key: &str, default: Level) -> Level {
        let names = |list: &[Box<str>], key: &str| list.iter().any(|name| **name == *key || is_shellchecks(name, key));
        let or_twin = |list: &[Box<str>]| names(list, key) || twins(key).any(|twin| names(list, twin));
        if or_twin(&self.ignored) || self.selected.as_ref().is_some_and(|selected| !or_twin(selected)) {
            return Level::Ignore;
        }
        self.levels.get(key).copied().unwrap_or(default)
    }

    /// The level of one of our rules.
    pub(crate) fn level_of(&self, code: &Code, on: bool) -> Level {
        self.level(code.id, if on { code.severity.into() } else { Level::Ignore })
    }

    /// Whether a finding of this level fails the run.
    pub fn fails(&self, level: Level) -> bool {
        !self.no_fail && level != Level::Ignore && level >= self.failure_threshold
    }
}

/// Whether a name in a list is the beginning of a ShellCheck rule's id.
fn is_shellchecks(name: &str, key: &str) -> bool {
    key.strip_prefix("SC").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        && name.starts_with("SC")
        && key.starts_with(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml() {
        let config = LintConfig::from_hadolint_yaml(
            "failure-threshold: warning\nformat: json\nignored: [DL3006, SC2086]\noverride:\n  info: [DL3059, DL3000]\n  \
             error:\n    - DL3059\ntrustedRegistries: docker.io\nlabel-schema:\n  version: semver\n  author: text\n\
             strict-labels: true\ndisable-ignore-pragma: true\nno-fail: true\nno-color: true\nunknown: 1\n",
        )
        .unwrap();
        assert_eq!(config.level("W0206", Level::Warning), Level::Ignore);
        assert_eq!(config.level("SC2086", Level::Info), Level::Ignore);
        assert_eq!(config.level(&LintConfig::key("dl3059"), Level::Info), Level::Error);
        assert_eq!(config.level("W0200", Level::Error), Level::Info);
        assert_eq!(config.level("W0201", Level::Info), Level::Info);
        assert_eq!(config.trusted_registries, ["docker.io".into()]);
        assert_eq!(config.label_schema.get("version"), Some(&LabelType::SemVer));
        assert!(config.strict_labels && !config.pragmas && config.no_fail && config.no_color);
        assert_eq!(config.format.as_deref(), Some("json"));
        assert_eq!(config.failure_threshold, Level::Warning);
        assert!(!config.fails(Level::Error));
    }

    #[test]
    fn thresholds() {
        let config = LintConfig::default();
        assert!(config.fails(Level::Info) && !config.fails(Level::Style) && !config.fails(Level::Ignore));
        for (name, level) in Level::ALL {
            assert_eq!(Level::find(name), Some(level));
        }
        assert_eq!(Level::Ignore.name(), "ignore");
    }

    #[test]
    fn faults() {
        assert_eq!(LintConfig::from_hadolint_yaml(""), Ok(LintConfig::default()));
        assert_eq!(LintConfig::from_hadolint_yaml("# nothing\n---\n"), Ok(LintConfig::default()));
        for text in ["ignored: 1", "label-schema: {a: b}", "failure-threshold: high", "a: [", "- x"] {
            assert!(LintConfig::from_hadolint_yaml(text).is_err(), "{text}");
        }
        assert_eq!(LintConfig::from_hadolint_yaml("ignored: 1").unwrap_err().place, Some((1, 10)));
    }
}
