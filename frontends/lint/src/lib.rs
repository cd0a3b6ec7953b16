//! Rules over Dockerfiles: hadolint's, under its ids as aliases, and our own.
//!
//! [`check`] reads no more than the file: rules that need the build's graph, its images or its context are the compiler's,
//! as are BuildKit's checks. Rules work on the concrete tree, so a broken file is linted as far as it goes. Each rule is one
//! file in `rules`, an entry of the table there, a code in `rbc-source` and a page in `docs/codes`.

mod config;
pub mod formats;
mod image;
mod pragma;
mod rules;
mod settings;
mod sheet;
mod shell;
pub mod shellcheck;
#[cfg(test)]
mod testing;
mod twins;

pub use config::{ConfigError, LabelType, Level, LintConfig};
pub use pragma::Pragmas;
pub use rules::{RULES, Rule, RuleScope};
pub use settings::Settings;
pub use shell::ScriptCache;
pub use twins::join;

use rbc_grammar::{Document, Item};
use rbc_source::{Diagnostic, SourceFile, Span};

/// What the rules find in a file, in the order of the file.
///
/// `document` is the file's text, read. A finding's place is that of what is wrong; [`line_of`] gives the line of the
/// instruction around it. A rule finds each instruction faulty once, and points at further faults in it by further labels.
pub fn check(file: &SourceFile, document: &Document<'_>, config: &LintConfig) -> Vec<Diagnostic> {
    check_with(file, document, config, None)
}

/// The same as [`check`] for a text that is checked again and again: scripts that it had before are not read again.
pub fn check_again(
    file: &SourceFile,
    document: &Document<'_>,
    config: &LintConfig,
    cache: &mut ScriptCache,
) -> Vec<Diagnostic> {
    cache.begin();
    check_with(file, document, config, Some(cache))
}

fn check_with(
    file: &SourceFile,
    document: &Document<'_>,
    config: &LintConfig,
    cache: Option<&ScriptCache>,
) -> Vec<Diagnostic> {
    let flows = sheet::read(file, document, config, cache);
    let mut findings = Vec::new();
    for rule in RULES {
        let Some(severity) = config.level_of(rule.code, rule.on).severity() else { continue };
        let flows = match rule.scope {
            RuleScope::Build => &flows[..1],
            RuleScope::BuildAndTriggers => &flows[..],
        };
        for flow in flows {
            findings.extend((rule.check)(flow).into_iter().map(|finding| Diagnostic { severity, ..finding }));
        }
    }
    if config.pragmas {
        let pragmas = Pragmas::read(file, document);
        if !pragmas.is_empty() {
            findings.retain(|finding| pragmas.allows(finding.code, line_of(file, document, finding)));
        }
    }
    findings.sort_by_key(|finding| finding.primary.as_ref().map(|label| (label.span.start, label.span.end)));
    findings
}

/// The line (from 0) on which the instruction begins that a finding is about; that of the finding itself if it is in none.
/// It is the line by which comments suppress findings, and by which hadolint reports them.
pub fn line_of(file: &SourceFile, document: &Document<'_>, finding: &Diagnostic) -> usize {
    finding.primary.as_ref().map_or(0, |label| instruction_line(file, document, label.span))
}

fn instruction_line(file: &SourceFile, document: &Document<'_>, span: Span) -> usize {
    let start = span.start as usize;
    let index = document.items.partition_point(|item| item.range().end <= start);
    // An empty place at the end of the file belongs to what is last.
    match document.items.get(index).or(document.items.last()) {
        Some(Item::Instruction(instruction)) => instruction.first_line.saturating_sub(1),
        _ => file.line_of(start),
    }
}
