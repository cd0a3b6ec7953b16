//! DL3064: build arguments and environment are stored with the image, for all to read.

use rbc_grammar::{Keyword, Text};
use rbc_source::{Diagnostic, Span, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3064, on: true, scope: RuleScope::BuildAndTriggers, check };

/// What secrets are called.
const PARTS: [&str; 7] = ["api_key", "client_key", "password", "private", "secret", "token", "username"];
/// Names used by well-known services that hold none of those.
const NAMES: [&str; 12] = [
    "APPLICATION_KEY",
    "AWS_ACCESS_KEY_ID",
    "CI_DEPLOY_USER",
    "DOCKER_EMAIL",
    "FACEBOOK_APP_ID",
    "HEROKU_API_USER",
    "OKTA_AUTHN_GROUPID",
    "OKTA_CLIENT_ORGURL",
    "OKTA_OAUTH2_CLIENTID",
    "STRIPE_DEVICE_NAME",
    "TRAVIS_OS_NAME",
    "TRAVIS_SUDO",
];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let found = flow.statements.iter().filter_map(|statement| {
        let secrets = secrets(statement);
        let (first, others) = secrets.split_first()?;
        let message = format!("`{}` looks like a secret, and is stored with the image", first.0);
        let finding = Diagnostic::new(RULE.code, message).at(first.1);
        let finding =
            others.iter().fold(finding, |finding, (name, span)| finding.also(*span, format!("and so does `{name}`")));
        Some(
            finding.note("hand secrets to the build by `RUN --mount=type=secret`, and to the container when it starts"),
        )
    });
    found.collect()
}

fn secrets(statement: &Statement<'_>) -> Vec<(String, Span)> {
    let named = |name: &str, text: &Text<'_>, range: std::ops::Range<usize>| {
        is_secret(name).then(|| (name.to_owned(), statement.place(&text.part(range))))
    };
    match statement.keyword {
        Some(Keyword::Arg) => statement
            .words()
            .iter()
            .filter_map(|word| {
                let name = word.text.split('=').next().unwrap_or_default();
                named(name, word, 0..name.len())
            })
            .collect(),
        Some(Keyword::Env) => statement
            .pairs()
            .iter()
            .filter_map(|pair| named(&pair.key.text, &pair.key, 0..pair.key.text.len()))
            .collect(),
        _ => Vec::new(),
    }
}

fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    PARTS.iter().any(|part| lower.contains(part)) || NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}
