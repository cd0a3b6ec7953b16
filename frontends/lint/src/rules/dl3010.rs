//! DL3010: ADD unpacks local archives; copying one and unpacking it stores both.

use std::collections::{BTreeMap, HashMap};

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, Span, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{ARCHIVES, Flow, unquoted};
use crate::shell::Command;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3010, on: true, scope: RuleScope::Build, check };

const UNPACKERS: [&str; 9] = ["unzip", "gunzip", "bunzip2", "unlzma", "unxz", "zgz", "uncompress", "zcat", "gzcat"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    // The copied archives by name: the COPYs, their places, and where each is unpacked.
    let mut archives: HashMap<&str, Vec<(usize, Span)>> = HashMap::new();
    let mut unpacked: BTreeMap<usize, (&str, Span, Span)> = BTreeMap::new();
    for (i, statement) in flow.statements_of(flow.last_stage()).iter().enumerate() {
        match statement.keyword {
            Some(Keyword::Copy) if statement.from().is_none() => {
                let Some((sources, dest)) = statement.transfer() else { continue };
                // By its destination's name it is unpacked, if that is one of a file.
                let named = is_archive(&dest.text).then_some(std::slice::from_ref(dest));
                for word in named.unwrap_or(sources).iter().filter(|word| is_archive(&word.text)) {
                    archives.entry(basename(&word.text)).or_default().push((i, statement.at(word)));
                }
            }
            Some(Keyword::Run) => {
                let script = statement.script();
                for command in script.commands.iter().filter(|command| unpacks(command)) {
                    for arg in command.operands(&[]) {
                        let Some((name, copies)) = archives.remove_entry(basename(&arg.text)) else { continue };
                        let here = script.span(flow.file.id(), &command.range);
                        for (copy, span) in copies {
                            unpacked.entry(copy).or_insert((name, span, here));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let findings = unpacked.into_values().map(|(name, span, here)| {
        Diagnostic::new(RULE.code, format!("`{name}` is copied and then unpacked"))
            .at(span)
            .also(here, "unpacked here")
            .note("ADD unpacks tar archives by itself, compressed or not")
    });
    findings.collect()
}

fn unpacks(command: &Command) -> bool {
    let is_flag = |text: &str| matches!(text, "--extract" | "--get") || (text.starts_with('-') && text.contains('x'));
    let tar = &*command.name == "tar" && command.args.iter().any(|arg| is_flag(&arg.text));
    tar || UNPACKERS.contains(&&*command.name)
}

fn basename(path: &str) -> &str {
    unquoted(path).rsplit(['/', '\\']).next().unwrap_or_default()
}

fn is_archive(path: &str) -> bool {
    ARCHIVES.iter().any(|ending| unquoted(path).ends_with(ending))
}
