//! The project's own file, `rbc.toml`: which rules count where.

use globset::{Glob, GlobBuilder, GlobMatcher};
use rbc_source::{CODES, Code, Diagnostic, Parsed, SourceFile, Span, lower};
use rbc_toml::{DeTable, DeValue, Spanned, TomlReader};

use crate::config::{LabelType, Level, LintConfig};

/// What the table `lint` of an `rbc.toml` says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    general: Layer,
    options: Changes,
    /// By patterns of paths, seen from the file's directory; later ones on top of earlier ones.
    per_file: Vec<(GlobMatcher, Layer)>,
    exclude: Vec<GlobMatcher>,
    /// Whether ShellCheck is used where it is installed.
    pub shellcheck: Option<bool>,
}

/// What can be said for all files or some.
#[derive(Clone, Debug, Default)]
struct Layer {
    select: Option<Vec<Selected>>,
    ignore: Vec<Selected>,
    severity: Vec<(Selected, Level)>,
}

/// A rule as a name or pattern chose it.
#[derive(Clone, Debug)]
struct Selected {
    key: Box<str>,
    /// It was chosen by its own name, which also switches on what is off if nobody asks.
    by_name: Option<&'static Code>,
}

/// Options that are not about single rules, where they are set.
#[derive(Clone, Debug, Default)]
struct Changes {
    failure_threshold: Option<Level>,
    shell: Option<bool>,
    pragmas: Option<bool>,
    multi_platform: Option<bool>,
    targets: Option<Vec<Box<str>>>,
    trusted_registries: Option<Vec<Box<str>>>,
    strict_labels: Option<bool>,
    labels: Vec<(Box<str>, LabelType)>,
}

const LAYER: [&str; 3] = ["select", "ignore", "severity"];
const FIELDS: [&str; 14] = [
    "select",
    "ignore",
    "severity",
    "per-file",
    "exclude",
    "failure-threshold",
    "shell",
    "shellcheck",
    "pragmas",
    "multi-platform",
    "targets",
    "trusted-registries",
    "strict-labels",
    "labels",
];

impl Settings {
    /// Reads an `rbc.toml`.
    pub fn read(file: &SourceFile) -> Parsed<Settings> {
        let mut reader = TomlReader::new(file, lower::OPTION);
        let mut settings = Settings::default();
        if let Some(document) = reader.document() {
            reader.check_names(&document, &["lint"]);
            if let Some(table) = table(&mut reader, &document, "lint") {
                settings = read_lint(&mut reader, table);
            }
        }
        Parsed { value: settings, diagnostics: reader.diagnostics }
    }

    /// Whether a file is left alone unless it is named; its path is seen from the directory of the settings.
    pub fn excludes(&self, path: &str) -> bool {
        self.exclude.iter().any(|glob| glob.is_match(path))
    }

    /// The configuration for a file, on top of another; the path is seen from the directory of the settings.
    pub fn apply(&self, mut config: LintConfig, path: &str) -> LintConfig {
        let options = self.options.clone();
        let set = |to: &mut bool, value: Option<bool>| *to = value.unwrap_or(*to);
        set(&mut config.shell, options.shell);
        set(&mut config.pragmas, options.pragmas);
        set(&mut config.strict_labels, options.strict_labels);
        config.failure_threshold = options.failure_threshold.unwrap_or(config.failure_threshold);
        config.multi_platform = options.multi_platform.or(config.multi_platform);
        config.targets = options.targets.or(config.targets);
        config.trusted_registries = options.trusted_registries.unwrap_or(config.trusted_registries);
        config.label_schema.extend(options.labels);
        let layers = self.per_file.iter().filter(|(glob, _)| glob.is_match(path)).map(|(_, layer)| layer);
        for layer in std::iter::once(&self.general).chain(layers) {
            layer.apply(&mut config);
        }
        config
    }
}

impl Layer {
    fn apply(&self, config: &mut LintConfig) {
        if let Some(select) = &self.select {
            config.selected = Some(select.iter().map(|rule| rule.key.clone()).collect());
            for code in select.iter().filter_map(|rule| rule.by_name) {
                config.levels.entry(code.id.into()).or_insert(code.severity.into());
            }
        }
        config.ignored.extend(self.ignore.iter().map(|rule| rule.key.clone()));
        config.levels.extend(self.severity.iter().map(|(rule, level)| (rule.key.clone(), *level)));
    }
}

fn table<'t, 'a>(reader: &mut TomlReader<'_>, table: &'t DeTable<'a>, name: &str) -> Option<&'t DeTable<'a>> {
    let value = table.get(name)?;
    let found = value.get_ref().as_table();
    if found.is_none() {
        reader.report(reader.span(value), format!("`{name}` must be a table"));
    }
    found
}

fn read_lint(reader: &mut TomlReader<'_>, lint: &DeTable<'_>) -> Settings {
    reader.check_names(lint, &FIELDS);
    let flag =
        |reader: &mut TomlReader<'_>, name| reader.optional(lint, name, "true or false", |value| value.as_bool());
    let options = Changes {
        failure_threshold: lint.get("failure-threshold").and_then(|value| level(reader, value)),
        shell: flag(reader, "shell"),
        pragmas: flag(reader, "pragmas"),
        multi_platform: flag(reader, "multi-platform"),
        targets: texts(reader, lint, "targets").map(names),
        trusted_registries: texts(reader, lint, "trusted-registries").map(names),
        strict_labels: flag(reader, "strict-labels"),
        labels: labels(reader, lint),
    };
    let mut per_file = Vec::new();
    for (pattern, value) in table(reader, lint, "per-file").into_iter().flatten() {
        let Some(layer) = value.get_ref().as_table() else {
            reader.report(reader.span(value), "this must be a table");
            continue;
        };
        reader.check_names(layer, &LAYER);
        let layer = read_layer(reader, layer);
        per_file.extend(glob(reader, reader.span(pattern), pattern.get_ref()).map(|glob| (glob, layer)));
    }
    let exclude = texts(reader, lint, "exclude").unwrap_or_default();
    Settings {
        general: read_layer(reader, lint),
        options,
        per_file,
        exclude: exclude.into_iter().filter_map(|(text, place)| glob(reader, place, &text)).collect(),
        shellcheck: flag(reader, "shellcheck"),
    }
}

fn read_layer(reader: &mut TomlReader<'_>, from: &DeTable<'_>) -> Layer {
    let mut rules = |name| {
        let list = texts(reader, from, name)?;
        Some(list.into_iter().flat_map(|(text, place)| select(reader, place, &text)).collect::<Vec<_>>())
    };
    let (selected, ignore) = (rules("select"), rules("ignore").unwrap_or_default());
    let mut severity = Vec::new();
    for (name, value) in table(reader, from, "severity").into_iter().flatten() {
        let rules = select(reader, reader.span(name), name.get_ref());
        if let Some(level) = level(reader, value) {
            severity.extend(rules.into_iter().map(|rule| (rule, level)));
        }
    }
    Layer { select: selected, ignore, severity }
}

/// The rules that a name stands for: a rule's name, id or alias, the beginning of ids (`DL3`, `W03`, `SC2`), or `all`.
fn rules_named(name: &str) -> Vec<Selected> {
    if let Some(code) = rules().find(|code| names_of(code).any(|n| n.eq_ignore_ascii_case(name))) {
        return vec![Selected { key: code.id.into(), by_name: Some(code) }];
    }
    let upper = name.to_ascii_uppercase();
    let all = upper == "ALL";
    let is_prefix = !upper.is_empty() && upper.chars().all(|c| c.is_ascii_alphanumeric());
    let ids = |code: &'static Code| std::iter::once(code.id).chain(code.aliases.iter().copied());
    let begins = |code: &&'static Code| all || (is_prefix && ids(code).any(|id| id.starts_with(&*upper)));
    let mut found: Vec<Selected> =
        rules().filter(begins).map(|code| Selected { key: code.id.into(), by_name: None }).collect();
    let is_shellchecks = upper.strip_prefix("SC").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    if all || is_shellchecks {
        found.push(Selected { key: if all { "SC".into() } else { (&*upper).into() }, by_name: None });
    }
    found
}

fn rules() -> impl Iterator<Item = &'static Code> {
    CODES.iter().copied().flatten().copied().filter(|code| code.id.starts_with('W'))
}

fn names_of(code: &'static Code) -> impl Iterator<Item = &'static str> {
    [code.id, code.name].into_iter().chain(code.aliases.iter().copied())
}

impl LintConfig {
    /// What [`LintConfig::ignored`] holds for the rules that a name stands for: a rule's name, id or alias, the beginning of ids
    /// (`DL3`, `W03`, `SC2`), or `all`. Nothing if there is no such rule.
    pub fn named(name: &str) -> Vec<Box<str>> {
        rules_named(name).into_iter().map(|rule| rule.key).collect()
    }

    /// Lets only those rules count that such names stand for. What is called by its own name is switched on, too.
    pub fn select(&mut self, names: &[String]) {
        let select = names.iter().flat_map(|name| rules_named(name)).collect();
        Layer { select: Some(select), ..Layer::default() }.apply(self);
    }
}

fn select(reader: &mut TomlReader<'_>, place: Span, name: &str) -> Vec<Selected> {
    let found = rules_named(name);
    if found.is_empty() {
        let finding = Diagnostic::new(reader.code, format!("there is no rule `{name}`")).at(place);
        reader
            .diagnostics
            .push(finding.suggest(name, rules().flat_map(names_of)).note("`rbc explain` lists the rules"));
    }
    found
}

fn level(reader: &mut TomlReader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Level> {
    let found = value.get_ref().as_str().and_then(Level::find);
    if found.is_none() {
        reader
            .report(reader.span(value), "a level is one of \"error\", \"warning\", \"info\", \"style\" and \"ignore\"");
    }
    found
}

fn labels(reader: &mut TomlReader<'_>, lint: &DeTable<'_>) -> Vec<(Box<str>, LabelType)> {
    let mut found = Vec::new();
    for (name, value) in table(reader, lint, "labels").into_iter().flatten() {
        match value.get_ref().as_str().and_then(LabelType::find) {
            Some(kind) => found.push((name.get_ref().as_ref().into(), kind)),
            None => reader.report(
                reader.span(value),
                "the type of a label is one of \"text\", \"url\", \"rfc3339\", \"spdx\", \"hash\", \"semver\" and \"email\"",
            ),
        }
    }
    found
}

/// A list of strings with their places.
fn texts(reader: &mut TomlReader<'_>, table: &DeTable<'_>, name: &str) -> Option<Vec<(String, Span)>> {
    let value = table.get(name)?;
    let Some(list) = value.get_ref().as_array() else {
        reader.report(reader.span(value), format!("`{name}` must be a list of strings"));
        return None;
    };
    let mut texts = Vec::new();
    for item in list {
        match item.get_ref().as_str() {
            Some(text) => texts.push((text.to_owned(), reader.span(item))),
            None => reader.report(reader.span(item), "this must be a string"),
        }
    }
    Some(texts)
}

fn names(list: Vec<(String, Span)>) -> Vec<Box<str>> {
    list.into_iter().map(|(text, _)| text.into()).collect()
}

/// A pattern of paths. Without a slash it is for names in any directory, as in `.gitignore`.
fn glob(reader: &mut TomlReader<'_>, place: Span, pattern: &str) -> Option<GlobMatcher> {
    let anywhere = if pattern.contains('/') { pattern.to_owned() } else { format!("**/{pattern}") };
    let glob: Result<Glob, _> = GlobBuilder::new(&anywhere).literal_separator(true).build();
    match glob {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(error) => {
            reader.report(place, format!("`{pattern}` is no pattern: {}", error.kind()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::FileId;

    fn read(text: &str) -> Parsed<Settings> {
        Settings::read(&SourceFile::new(FileId(0), "rbc.toml", text))
    }

    fn config(text: &str, path: &str) -> LintConfig {
        let read = read(text);
        assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
        read.value.apply(LintConfig::default(), path)
    }

    fn level_in(config: &LintConfig, rule: &str) -> Level {
        config.level(&LintConfig::key(rule), Level::Warning)
    }

    #[test]
    fn rules_are_selected_by_name_and_prefix() {
        let text = "[lint]\nselect = ['DL3', 'StageNameCasing', 'SC20']\nignore = ['DL3008', 'untagged-image']\n";
        let config = config(text, "Dockerfile");
        for (rule, level) in [
            ("DL3007", Level::Warning),
            ("DL3008", Level::Ignore),
            ("DL3006", Level::Ignore),
            ("DL4006", Level::Ignore),
            ("StageNameCasing", Level::Warning),
            ("SC2086", Level::Warning),
            ("SC1090", Level::Ignore),
        ] {
            assert_eq!(level_in(&config, rule), level, "{rule}");
        }
    }

    #[test]
    fn what_is_named_is_switched_on() {
        let code = rbc_source::hadolint::DL3057;
        let on = |text: &str| config(text, "Dockerfile").level_of(code, false);
        assert_eq!(on("[lint]\nselect = ['DL3']"), Level::Ignore);
        assert_eq!(on("[lint]\nselect = ['DL3', 'DL3057']"), Level::Style);
        assert_eq!(on("[lint.severity]\nDL3057 = 'error'"), Level::Error);
    }

    #[test]
    fn files_have_settings_of_their_own() {
        let text = "[lint]\nexclude = ['vendor/**']\n[lint.per-file.'*.test']\nignore = ['all']\n\
                    [lint.per-file.'a/*']\nseverity = { DL3008 = 'error' }\n";
        assert_eq!(level_in(&config(text, "b/Dockerfile.test"), "DL3008"), Level::Ignore);
        assert_eq!(level_in(&config(text, "b/Dockerfile.test"), "SC2086"), Level::Ignore);
        assert_eq!(level_in(&config(text, "a/Dockerfile"), "DL3008"), Level::Error);
        assert_eq!(level_in(&config(text, "a/b/Dockerfile"), "DL3008"), Level::Warning);
        let settings = read(text).value;
        assert!(settings.excludes("vendor/a/Dockerfile") && !settings.excludes("a/Dockerfile"));
    }

    #[test]
    fn options() {
        let text = "[lint]\nfailure-threshold = 'error'\nshell = false\nshellcheck = false\npragmas = false\n\
                    multi-platform = true\ntargets = ['a']\ntrusted-registries = ['docker.io']\nstrict-labels = true\n\
                    labels = { version = 'semver' }\n";
        let config = config(text, "Dockerfile");
        assert!(!config.shell && !config.pragmas && config.strict_labels && config.multi_platform == Some(true));
        assert_eq!(config.failure_threshold, Level::Error);
        assert_eq!(config.targets.as_deref(), Some(&["a".into()][..]));
        assert_eq!(config.trusted_registries, ["docker.io".into()]);
        assert_eq!(config.label_schema.get("version"), Some(&LabelType::SemVer));
        assert_eq!(read(text).value.shellcheck, Some(false));
    }

    #[test]
    fn faults_have_their_places() {
        for (text, place, says) in [
            ("[lint]\nselct = []", "selct", "no field"),
            ("[lint]\nignore = ['DL3008x']", "'DL3008x'", "no rule"),
            ("[lint.severity]\nDL3008 = 'high'", "'high'", "level"),
            ("[lint]\nshell = 1", "1", "true or false"),
            ("[lint.per-file.'[']\nignore = []", "'['", "no pattern"),
            ("[lint.labels]\na = 'b'", "'b'", "type of a label"),
            ("lint = 1", "1", "a table"),
            ("[lint\n", "", "not TOML"),
        ] {
            let file = SourceFile::new(FileId(0), "rbc.toml", text);
            let found = Settings::read(&file).diagnostics;
            assert!(!found.is_empty() && found[0].message.contains(says), "{text}: {found:?}");
            let span = found[0].primary.as_ref().unwrap().span;
            assert!(place.is_empty() || file.slice(span) == place, "{text}: {}", file.slice(span));
        }
    }
}
