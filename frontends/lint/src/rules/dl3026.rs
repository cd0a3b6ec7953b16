//! DL3026: images are to come from registries that one trusts. Finds nothing unless some are configured.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, Span, hadolint};

use super::{Rule, RuleScope};
use crate::image::Image;
use crate::sheet::{Flow, Mount};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3026, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let trusted = &flow.config.trusted_registries;
    let mut findings = Vec::new();
    if trusted.is_empty() {
        return findings;
    }
    for statement in &flow.statements {
        let mut images: Vec<(String, Span)> = Vec::new();
        match statement.keyword {
            Some(Keyword::From) => {
                images.extend(statement.base.iter().map(|base| (base.text.text.to_string(), statement.at(&base.text))));
            }
            Some(Keyword::Copy) => images.extend(statement.from().map(|(from, span)| (from.to_string(), span))),
            Some(Keyword::Run) => {
                for flag in statement.flags().filter(|flag| flag.name == "mount") {
                    let mount = Mount::parse(flag.value.as_deref().unwrap_or_default());
                    images.extend(mount.from().map(|from| (from.to_owned(), statement.place(&flag.range))));
                }
            }
            _ => {}
        }
        for (image, span) in images {
            let is_stage = flow.stage_referred(&image, statement.stage).is_some();
            if !is_stage && !is_trusted(&Image::parse(&image), trusted) {
                let message = format!("image `{image}` is of a registry that is not trusted");
                findings.push(Diagnostic::new(RULE.code, message).at(span));
                break;
            }
        }
    }
    findings
}

fn is_trusted(image: &Image<'_>, trusted: &[Box<str>]) -> bool {
    let any = |registry: &str| trusted.iter().any(|pattern| matches(pattern, registry));
    match image.registry {
        Some(registry) => any(registry),
        None => image.name == "scratch" || any("docker.io") || any("hub.docker.com"),
    }
}

fn matches(pattern: &str, registry: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => registry.ends_with(end),
        (None, Some(start)) => registry.starts_with(start),
        (None, None) => registry == pattern,
    }
}
