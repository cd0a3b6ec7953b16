//! Comments that suppress findings: `# hadolint ignore=...` and its kin, `# check=skip=...`.

use std::borrow::Cow;

use rbc_ast::check::CheckConfig;
use rbc_grammar::{Document, Item};
use rbc_source::{Code, SourceFile};

use crate::config::LintConfig;
use crate::twins::twins;

/// What the comments of a file suppress.
#[derive(Clone, Debug, Default)]
pub struct Pragmas {
    /// Rules ignored in the whole file.
    global: Vec<Box<str>>,
    /// Lines (from 0) whose instruction is spared some rules, ascending.
    lines: Vec<(usize, Vec<Box<str>>)>,
    /// Lines behind which a list of ignored rules replaces the one before, ascending.
    stages: Vec<(usize, Vec<Box<str>>)>,
    /// What the head of the file skips.
    check: CheckConfig,
    /// Lines whose instruction skips more, with all that it skips.
    checks: Vec<(usize, CheckConfig)>,
}

impl Pragmas {
    /// Reads the comments of a file.
    pub fn read(file: &SourceFile, document: &Document<'_>) -> Self {
        let mut pragmas = Pragmas::default();
        for (_, directive) in document.directives().filter(|(_, directive)| directive.name == "check") {
            let value = document.text[directive.value.clone()].split(' ').next().unwrap_or_default();
            pragmas.check = CheckConfig::parse(value).unwrap_or_default();
        }
        for item in &document.items {
            match item {
                Item::Comment(range) => {
                    let next = file.line_of(range.start) + 1;
                    let Some((scope, rules)) = ignore(&document.text[range.clone()]) else { continue };
                    match scope {
                        Scope::Line => pragmas.lines.push((next, rules)),
                        Scope::Stage => pragmas.stages.push((next, rules)),
                        Scope::Global => pragmas.global.extend(rules),
                    }
                }
                Item::Instruction(instruction) => {
                    let line = instruction.first_line.saturating_sub(1);
                    if is_from(instruction.line.text()) && pragmas.stages.last().is_none_or(|(at, _)| *at != line) {
                        pragmas.stages.push((line, Vec::new()));
                    }
                    if !instruction.comments.is_empty() {
                        let comments: Vec<Box<str>> = instruction.comments.iter().map(|c| (*c).into()).collect();
                        if let Cow::Owned(merged) = pragmas.check.merged_with_comments(&comments) {
                            pragmas.checks.push((line, merged));
                        }
                    }
                }
                _ => {}
            }
        }
        pragmas
    }

    /// Whether findings of a rule count for an instruction or comment that begins on this line (from 0). Rules of BuildKit and
    /// hadolint that are one are suppressed by either name.
    pub fn allows(&self, code: &Code, line: usize) -> bool {
        self.allows_key(code.id, line) && twins(code.id).all(|twin| self.allows_key(twin, line))
    }

    /// The same of a rule by what [`LintConfig::key`] makes of its name, as for ShellCheck's.
    pub fn allows_key(&self, key: &str, line: usize) -> bool {
        let has = |rules: &[Box<str>]| rules.iter().any(|rule| **rule == *key);
        let at = |list: &[(usize, Vec<Box<str>>)], index: Result<usize, usize>| {
            index.is_ok_and(|i| list.get(i).is_some_and(|(_, rules)| has(rules)))
        };
        let stage = self.stages.partition_point(|(start, _)| *start < line).checked_sub(1).ok_or(0);
        if has(&self.global)
            || at(&self.lines, self.lines.binary_search_by_key(&line, |(l, _)| *l))
            || at(&self.stages, stage)
        {
            return false;
        }
        let check = self.checks.binary_search_by_key(&line, |(l, _)| *l).ok().and_then(|i| self.checks.get(i));
        let check = check.map_or(&self.check, |(_, check)| check);
        !check.skip_all && !check.skip.iter().any(|name| *LintConfig::key(name) == *key)
    }

    /// Whether nothing is suppressed anywhere.
    pub fn is_empty(&self) -> bool {
        self.global.is_empty()
            && self.lines.is_empty()
            && self.stages.iter().all(|(_, rules)| rules.is_empty())
            && self.checks.is_empty()
            && !self.check.skip_all
            && self.check.skip.is_empty()
    }
}

fn is_from(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("from"))
}

/// What a comment's list of rules is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Line,
    Stage,
    Global,
}

/// Whether a comment tells hadolint to ignore rules on the next line.
pub(crate) fn is_inline_ignore(comment: &str) -> bool {
    matches!(ignore(comment), Some((Scope::Line, _)))
}

fn ignore(comment: &str) -> Option<(Scope, Vec<Box<str>>)> {
    let text = hadolint(comment)?;
    let (scope, text) = match (word(text, "stage"), word(text, "global")) {
        (Some(rest), _) => (Scope::Stage, rest),
        (_, Some(rest)) => (Scope::Global, rest),
        _ => (Scope::Line, text),
    };
    let list = setting(text, "ignore")?;
    // A reason may follow the rules.
    let list = list.split('#').next().unwrap_or_default();
    let rules: Vec<&str> = list.split(',').map(|rule| rule.trim_matches(BLANKS)).collect();
    let is_name = |rule: &&str| !rule.is_empty() && rule.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    rules.iter().all(is_name).then(|| (scope, rules.into_iter().map(LintConfig::key).collect()))
}

/// The shell that a comment `# hadolint shell=...` names.
pub(crate) fn shell(comment: &str) -> Option<&str> {
    let value = setting(hadolint(comment)?, "shell")?;
    let (shell, rest) = value.split_once(BLANKS).unwrap_or((value, ""));
    let rest = rest.trim_start_matches(BLANKS);
    (!shell.is_empty() && (rest.is_empty() || rest.starts_with('#'))).then_some(shell)
}

const BLANKS: [char; 2] = [' ', '\t'];

/// What follows `# hadolint`.
fn hadolint(comment: &str) -> Option<&str> {
    let text = comment.trim_start().strip_prefix('#')?.trim_end_matches(['\n', '\r']);
    word(text.trim_start_matches(BLANKS), "hadolint")
}

/// What follows a word and the blanks behind it.
fn word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(word)?;
    let trimmed = rest.trim_start_matches(BLANKS);
    (trimmed.len() < rest.len()).then_some(trimmed)
}

/// What follows `name =`.
fn setting<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(name)?.trim_start_matches(BLANKS);
    Some(rest.strip_prefix('=')?.trim_start_matches(BLANKS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::{FileId, by_name};

    fn allows(text: &str, rule: &str, line: usize) -> bool {
        let file = SourceFile::new(FileId(0), "Dockerfile", text);
        let document = Document::parse(file.text());
        Pragmas::read(&file, &document).allows(by_name(rule).unwrap(), line)
    }

    #[test]
    fn comments() {
        let rules = |text| ignore(text).map(|(scope, rules)| (scope, rules.join(" ")));
        assert_eq!(rules("# hadolint ignore=DL3006"), Some((Scope::Line, "W0206".into())));
        assert_eq!(rules("#hadolint\tignore = DL3006 ,SC2086 # why\n"), Some((Scope::Line, "W0206 SC2086".into())));
        assert_eq!(rules("# hadolint global ignore=untagged-image"), Some((Scope::Global, "W0206".into())));
        assert_eq!(rules("# hadolint stage ignore=W0206"), Some((Scope::Stage, "W0206".into())));
        for none in
            ["# hadolintignore=A", "# hadolint ignore DL1", "# hadolint ignore=", "# hadolint ignore=A b", "# x"]
        {
            assert_eq!(rules(none), None, "{none}");
        }
        assert_eq!(shell("# hadolint shell=/bin/bash # x"), Some("/bin/bash"));
        assert_eq!(shell("# hadolint shell = pwsh"), Some("pwsh"));
        assert_eq!(shell("# hadolint shell=a b"), None);
    }

    #[test]
    fn scopes() {
        let line = "# hadolint ignore=DL3006\nFROM a\nFROM b\n";
        assert!(!allows(line, "DL3006", 1) && allows(line, "DL3006", 2) && allows(line, "DL3007", 1));
        let far = "# hadolint ignore=DL3006\n\nFROM a\n";
        assert!(allows(far, "DL3006", 2));
        let global = "FROM a\n# hadolint global ignore=DL3006, DL3007\n";
        assert!(!allows(global, "DL3006", 0) && !allows(global, "DL3007", 0) && allows(global, "DL3008", 0));
        let stage = "# hadolint stage ignore=DL3003\nFROM a\nRUN cd x\nFROM b\nRUN cd x\n";
        assert!(!allows(stage, "DL3003", 2) && allows(stage, "DL3003", 4));
    }

    #[test]
    fn checks() {
        let head = "# check=skip=DL3006,StageNameCasing\nFROM a\n# check=skip=DL3007\nFROM b\nFROM c";
        assert!(!allows(head, "DL3006", 1) && !allows(head, "StageNameCasing", 1) && allows(head, "DL3007", 1));
        assert!(!allows(head, "DL3006", 3) && !allows(head, "DL3007", 3) && allows(head, "DL3007", 4));
        assert!(!allows("# check=skip=all\nFROM a", "DL3006", 1));
    }
}
