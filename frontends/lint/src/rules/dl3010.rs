//! DL3010: ADD unpacks local archives; copying one and unpacking it stores both.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{ARCHIVES, Flow, unquoted};
use crate::shell::{Command, Script};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3010, on: true, scope: RuleScope::Build, check };

const UNPACKERS: [&str; 9] = ["unzip", "gunzip", "bunzip2", "unlzma", "unxz", "zgz", "uncompress", "zcat", "gzcat"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let stage = flow.last_stage();
    let scripts: Vec<_> = flow.runs().filter(|(run, _)| run.stage == stage).collect();
    let mut findings = Vec::new();
    for copy in flow.of(Keyword::Copy).filter(|copy| copy.stage == stage && copy.from().is_none()) {
        let Some((sources, dest)) = copy.transfer() else { continue };
        // By its destination's name it is unpacked, if that is one of a file.
        let named = is_archive(&dest.text).then_some(std::slice::from_ref(dest));
        for word in named.unwrap_or(sources).iter().filter(|word| is_archive(&word.text)) {
            let name = basename(&word.text);
            let later = scripts.iter().filter(|(run, _)| run.instruction.range.start > copy.instruction.range.start);
            let Some((command, span)) = later.filter_map(|(_, script)| unpacks(flow, script, name)).next() else {
                continue;
            };
            findings.push(
                Diagnostic::new(RULE.code, format!("`{name}` is copied and then unpacked"))
                    .at(copy.at(word))
                    .also(span, "unpacked here")
                    .note(match &*command.name {
                        "tar" => "ADD unpacks tar archives by itself",
                        _ => "ADD unpacks tar archives by itself, compressed or not",
                    }),
            );
            break;
        }
    }
    findings
}

fn unpacks<'s>(flow: &Flow<'_>, script: &'s Script<'_>, archive: &str) -> Option<(&'s Command, rbc_source::Span)> {
    let command = script.commands.iter().find(|command| {
        let tar = &*command.name == "tar"
            && command.args.iter().any(|arg| {
                matches!(&*arg.text, "--extract" | "--get") || (arg.text.starts_with('-') && arg.text.contains('x'))
            });
        (tar || UNPACKERS.contains(&&*command.name)) && command.operands(&[]).any(|arg| basename(&arg.text) == archive)
    })?;
    Some((command, script.span(flow.file.id(), &command.range)))
}

fn basename(path: &str) -> &str {
    unquoted(path).rsplit(['/', '\\']).next().unwrap_or_default()
}

fn is_archive(path: &str) -> bool {
    ARCHIVES.iter().any(|ending| unquoted(path).ends_with(ending))
}
