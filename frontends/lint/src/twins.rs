//! What both BuildKit and hadolint find is one finding.

use rbc_grammar::Document;
use rbc_source::{Code, Diagnostic, Severity, SourceFile, hadolint, lint};

use crate::config::{Level, LintConfig};
use crate::line_of;
use crate::pragma::Pragmas;

/// Checks of BuildKit with the rules of hadolint that find the same.
const TWINS: &[(&Code, &Code)] = &[
    (lint::DUPLICATE_STAGE_NAME, hadolint::DL3024),
    (lint::RESERVED_STAGE_NAME, hadolint::DL3063),
    (lint::JSON_ARGS_RECOMMENDED, hadolint::DL3025),
    (lint::MAINTAINER_DEPRECATED, hadolint::DL4000),
    (lint::WORKDIR_RELATIVE_PATH, hadolint::DL3000),
    (lint::MULTIPLE_INSTRUCTIONS_DISALLOWED, hadolint::DL4003),
    (lint::MULTIPLE_INSTRUCTIONS_DISALLOWED, hadolint::DL4004),
    (lint::MULTIPLE_INSTRUCTIONS_DISALLOWED, hadolint::DL3012),
    (lint::REDUNDANT_TARGET_PLATFORM, hadolint::DL3065),
    (lint::SECRETS_USED_IN_ARG_OR_ENV, hadolint::DL3064),
    (lint::FROM_PLATFORM_FLAG_CONST_DISALLOWED, hadolint::DL3029),
];

/// Rules about what no build accepts: where the compiler refuses an instruction, they have nothing to add.
const REFUSALS: &[&Code] = &[hadolint::DL3011, hadolint::DL3021, hadolint::DL3023, hadolint::DL3043, hadolint::DL3061];

/// The rules that are one with a rule, by id. A check that is one with several is ignored by itself only: its twins speak of
/// one instruction each.
pub(crate) fn twins(id: &str) -> impl Iterator<Item = &'static str> {
    let of_rule = TWINS.iter().filter(move |(_, rule)| rule.id == id).map(|(check, _)| check.id);
    let mut rules: Vec<&str> = TWINS.iter().filter(|(check, _)| check.id == id).map(|(_, rule)| rule.id).collect();
    if rules.len() > 1 {
        rules.clear();
    }
    of_rule.chain(rules)
}

/// The findings of the compiler and of the rules in one list, as the configuration and the file's comments want them.
///
/// What both find in one instruction is said once: by the compiler's name, which every build shows too, with the graver of the
/// two severities and the fixes of whichever has some. Warnings of the compiler follow the configuration like the rules.
pub fn join(
    file: &SourceFile,
    document: &Document<'_>,
    config: &LintConfig,
    compiler: Vec<Diagnostic>,
    mut rules: Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let pragmas = if config.pragmas { Pragmas::read(file, document) } else { Pragmas::default() };
    let line = |finding: &Diagnostic| line_of(file, document, finding);
    let mut joined = Vec::new();
    for mut finding in compiler {
        let here = line(&finding);
        if finding.severity == Severity::Error {
            rules.retain(|rule| !REFUSALS.contains(&rule.code) || line(rule) != here);
            joined.push(finding);
            continue;
        }
        let Some(severity) = config.level(finding.code.id, finding.severity.into()).severity() else { continue };
        if !pragmas.allows(finding.code, here) {
            continue;
        }
        finding.severity = severity;
        let is_twin = |rule: &Diagnostic| TWINS.contains(&(finding.code, rule.code)) && line(rule) == here;
        while let Some(at) = rules.iter().position(is_twin) {
            let rule = rules.remove(at);
            if Level::from(rule.severity) > Level::from(finding.severity) {
                finding.severity = rule.severity;
            }
            if finding.fixes.is_empty() {
                finding.fixes = rule.fixes;
            }
            finding.notes.extend(rule.code.aliases.iter().map(|alias| format!("hadolint calls this {alias}")));
        }
        joined.push(finding);
    }
    joined.extend(rules);
    joined.sort_by_key(|finding| finding.primary.as_ref().map(|label| (label.span.start, label.span.end)));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use rbc_source::FileId;

    fn joined(text: &str, code: &'static Code, at: &str, config: &LintConfig) -> Vec<(&'static str, Severity)> {
        let file = SourceFile::new(FileId(0), "Dockerfile", text);
        let document = Document::parse(file.text());
        let start = text.find(at).expect("it is there");
        let compiler = vec![Diagnostic::new(code, "x").at(file.span(start, start + at.len()))];
        let rules = check(&file, &document, config);
        join(&file, &document, config, compiler, rules).into_iter().map(|d| (d.code.id, d.severity)).collect()
    }

    #[test]
    fn one_fault_is_one_finding() {
        let text = "FROM a:1\nMAINTAINER me\n";
        let config = LintConfig::default();
        let check = lint::MAINTAINER_DEPRECATED;
        assert_eq!(joined(text, check, "MAINTAINER", &config), [("W0108", Severity::Error)]);
        for name in ["DL4000", "MaintainerDeprecated"] {
            let ignored = LintConfig { ignored: vec![LintConfig::key(name)], ..LintConfig::default() };
            assert_eq!(joined(text, check, "MAINTAINER", &ignored), []);
            let comment = format!("FROM a:1\n# hadolint ignore={name}\nMAINTAINER me\n");
            assert_eq!(joined(&comment, check, "MAINTAINER", &config), []);
        }
        // Elsewhere the rule speaks for itself.
        assert_eq!(joined(text, check, "FROM", &config).len(), 2);
    }

    #[test]
    fn a_check_with_several_twins_is_not_ignored_by_one() {
        let text = "FROM a:1\nCMD [\"b\"]\nCMD [\"c\"]\n";
        let config = LintConfig { ignored: vec![LintConfig::key("DL4004")], ..LintConfig::default() };
        let found = joined(text, lint::MULTIPLE_INSTRUCTIONS_DISALLOWED, "CMD [\"c", &config);
        assert_eq!(found, [("W0112", Severity::Warning)]);
    }

    #[test]
    fn a_refused_instruction_needs_no_rule() {
        let text = "FROM a:1\nEXPOSE 80000\n";
        let found = joined(text, rbc_source::lower::PORT, "80000", &LintConfig::default());
        assert_eq!(found, [("E0220", Severity::Error)]);
    }
}
