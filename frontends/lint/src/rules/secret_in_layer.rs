//! W0302: what gets into a layer stays in the image, also if a later layer removes it.

use std::collections::HashSet;

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, Span, practice};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, Mount, Statement, unquoted};
use crate::shell::{Command, Script};

pub(super) const RULE: Rule =
    Rule { code: practice::SECRET_IN_LAYER, on: true, scope: RuleScope::BuildAndTriggers, check };

/// Files that hold secrets, by their names.
const NAMES: [&str; 14] = [
    ".dockercfg",
    ".env",
    ".git-credentials",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".vault-token",
    "_netrc",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    "kubeconfig",
];
/// The same by the ends of their paths.
const PATHS: [&str; 4] = [".aws/credentials", ".docker/config.json", ".kube/config", ".gnupg"];
/// What is behind `.env.` of files that only show which variables there are.
const SAMPLES: [&str; 7] = ["default", "defaults", "dist", "example", "sample", "template", "tpl"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for statement in &flow.statements {
        let found = match statement.keyword {
            Some(Keyword::Copy | Keyword::Add) if statement.from().is_none() => copied(statement),
            Some(Keyword::Run) => in_script(flow, statement),
            _ => None,
        };
        if let Some((message, span)) = found {
            findings.push(Diagnostic::new(RULE.code, message).at(span).note(
                "later layers cannot take it out; `RUN --mount=type=secret` shows it to one step and stores nothing",
            ));
        }
    }
    findings
}

fn copied(statement: &Statement<'_>) -> Option<(String, Span)> {
    let (sources, _) = statement.transfer()?;
    let source = sources.iter().find(|source| is_secret(unquoted(&source.text)))?;
    Some((format!("`{}` gets into the image", unquoted(&source.text)), statement.at(source)))
}

fn is_secret(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or_default();
    let env = name.strip_prefix(".env.").is_some_and(|kind| !SAMPLES.contains(&kind));
    env || NAMES.contains(&name) || PATHS.iter().any(|end| path == *end || path.ends_with(&format!("/{end}")))
}

fn in_script(flow: &Flow<'_>, run: &Statement<'_>) -> Option<(String, Span)> {
    let script = run.script();
    let span = |range| script.span(flow.file.id(), range);
    let mounts = run.mounts();
    let removals = script.commands.iter().filter(|command| &*command.name == "rm");
    let secrets = Secrets {
        targets: mounts.iter().filter(|mount| mount.kind() == "secret").filter_map(Mount::target).collect(),
        removed: removals.flat_map(|command| &command.args).map(|arg| &*arg.text).collect(),
    };
    script.commands.iter().find_map(|command| {
        if let Some(url) = command.args.iter().find(|arg| has_credentials(&arg.text)) {
            return Some(("an URL with credentials gets into the image's history".to_owned(), span(&url.range)));
        }
        let secret = secrets.stored(script, command)?;
        Some((format!("secret `{secret}` is stored in the layer"), span(&command.range)))
    })
}

/// Whether an URL has a user and a password in it, or a variable in their place.
fn has_credentials(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    let password = user.split_once(':').is_some_and(|(_, password)| !password.is_empty()) || user.starts_with('$');
    matches!(scheme, "http" | "https" | "git+https" | "ftp") && password
}

/// What a script does with secrets.
struct Secrets<'s> {
    /// Where they are mounted.
    targets: HashSet<&'s str>,
    /// What the script removes.
    removed: HashSet<&'s str>,
}

impl Secrets<'_> {
    /// The secret that a command copies out of its mount, unless the script removes the copy.
    fn stored<'c>(&self, script: &Script<'_>, command: &'c Command) -> Option<&'c str> {
        let behind = script.text.get(command.range.end..)?.trim_start();
        let written = match &*command.name {
            "cp" | "install" | "mv" => &*command.operands(&["m", "o", "g"]).last()?.text,
            "cat" => {
                let to = behind.strip_prefix('>')?.trim_start_matches('>').trim_start();
                to.split(|c: char| c.is_whitespace() || ";&|".contains(c)).next()?
            }
            _ => return None,
        };
        let is_secret = |path: &str| path.starts_with("/run/secrets/") || self.targets.contains(path);
        let secret = command.operands(&[]).find(|arg| is_secret(&arg.text))?;
        let volatile = written.starts_with("/dev/") || written.starts_with("/run/");
        (!volatile && !self.removed.contains(written)).then_some(&*secret.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::places;

    #[test]
    fn names() {
        assert!(
            [".env", "config/.env.production", "/x/id_rsa", ".aws/credentials", "a/.npmrc"].into_iter().all(is_secret)
        );
        assert!(![".env.example", "env", "id_rsa.pub", ".environment", "x.aws/credentials"].into_iter().any(is_secret));
        assert!(["https://u:p@h/x", "https://${T}@h/x"].into_iter().all(has_credentials));
        assert!(!["https://h/a@b", "ssh://git@h/x", "https://u@h/x", "git@h:x"].into_iter().any(has_credentials));
    }

    #[test]
    fn scripts() {
        let secret = |script: &str| places("W0302", &format!("FROM a:1\nRUN --mount=type=secret,id=x {script}\n"));
        assert_eq!(secret("cp /run/secrets/x /root/x"), [(2, 30)]);
        assert_eq!(secret("cat /run/secrets/x > ~/x && y").len(), 1);
        assert!(secret("cp /run/secrets/x /root/x && y && rm /root/x").is_empty());
        assert!(secret("T=$(cat /run/secrets/x) y").is_empty());
        assert_eq!(places("W0302", "FROM a:1\nRUN git clone https://me:pw@h/x\n"), [(2, 15)]);
    }
}
