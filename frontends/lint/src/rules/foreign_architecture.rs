//! W0307: a program for one architecture does not run on the others that an image is built for.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, Span, practice};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};

pub(super) const RULE: Rule = Rule { code: practice::FOREIGN_ARCHITECTURE, on: true, scope: RuleScope::Build, check };

/// Names of architectures in file names.
const ARCHITECTURES: [&str; 13] = [
    "aarch64", "amd64", "arm64", "armhf", "armv6", "armv7", "i386", "i686", "ppc64le", "riscv64", "s390x", "x64",
    "x86_64",
];
/// What a file says that is built for several platforms.
const SIGNS: [&str; 5] = ["TARGETPLATFORM", "TARGETARCH", "TARGETOS", "BUILDPLATFORM", "BUILDARCH"];
/// What a script asks that fits its download to the machine.
const QUESTIONS: [&str; 7] =
    ["TARGETARCH", "TARGETPLATFORM", "BUILDARCH", "uname", "arch)", "print-architecture", "case "];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let text = flow.file.text();
    if !flow.config.multi_platform.unwrap_or_else(|| SIGNS.iter().any(|sign| text.contains(sign))) {
        return Vec::new();
    }
    // A stage that is bound to a platform has no other.
    let bound: Vec<usize> = flow
        .stages()
        .filter(|(_, base)| base.platform.as_ref().and_then(|p| p.value.as_deref()).is_some_and(|v| !v.contains('$')))
        .map(|(from, _)| from.stage)
        .collect();
    let mut findings = Vec::new();
    for statement in flow.statements.iter().filter(|statement| !bound.contains(&statement.stage)) {
        if let Some((architecture, span)) = download(flow, statement) {
            findings.push(
                Diagnostic::new(RULE.code, format!("this is for {architecture}, whatever the image is built for"))
                    .at(span)
                    .note("declare `ARG TARGETARCH` and use it in the name of what is downloaded"),
            );
        }
    }
    findings
}

/// The architecture of what a statement downloads, if it is written out.
fn download(flow: &Flow<'_>, statement: &Statement<'_>) -> Option<(&'static str, Span)> {
    match statement.keyword? {
        Keyword::Add => {
            let (sources, _) = statement.transfer()?;
            sources.iter().find_map(|source| Some((architecture(&source.text)?, statement.at(source))))
        }
        Keyword::Run => {
            let script = statement.script();
            if QUESTIONS.iter().any(|question| script.text.contains(question)) {
                return None;
            }
            let loads = script.commands.iter().filter(|command| matches!(&*command.name, "curl" | "wget"));
            let mut args = loads.flat_map(|command| &command.args);
            args.find_map(|arg| Some((architecture(&arg.text)?, script.span(flow.file.id(), &arg.range))))
        }
        _ => None,
    }
}

/// The architecture that stands in an URL as a word of its own.
fn architecture(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    let is_sign = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    ARCHITECTURES.into_iter().find(|name| {
        rest.match_indices(name)
            .any(|(at, _)| is_sign(rest[..at].chars().next_back()) && is_sign(rest[at + name.len()..].chars().next()))
    })
}

#[cfg(test)]
mod tests {
    use super::architecture;
    use crate::testing::places;

    #[test]
    fn urls() {
        assert_eq!(architecture("https://h/x-linux-amd64.tar.gz"), Some("amd64"));
        assert_eq!(architecture("https://h/x_x86_64"), Some("x86_64"));
        assert_eq!(architecture("https://h/x-${TARGETARCH}.tar.gz"), None);
        assert_eq!(architecture("https://h/armored-x64x"), None);
        assert_eq!(architecture("x-amd64"), None);
    }

    #[test]
    fn builds() {
        let run = "RUN curl -O https://h/x-amd64.tar\n";
        assert!(places("W0307", &format!("FROM a:1\n{run}")).is_empty());
        assert_eq!(places("W0307", &format!("FROM a:1\nARG TARGETOS\n{run}")), [(3, 13)]);
        assert!(places("W0307", &format!("FROM --platform=linux/amd64 a:1\nARG TARGETOS\n{run}")).is_empty());
        let case = "RUN case $(uname -m) in x86_64) curl -O https://h/x-amd64.tar;; esac\n";
        assert!(places("W0307", &format!("FROM a:1\nARG TARGETOS\n{case}")).is_empty());
    }
}
