//! W0304: a layer hides files of those below and makes nothing smaller.

use std::collections::HashSet;

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, practice};

use super::join::join;
use super::paths::Paths;
use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};
use crate::shell::Command;

pub(super) const RULE: Rule = Rule { code: practice::LATE_REMOVAL, on: true, scope: RuleScope::Build, check };

/// Where package managers and builds leave what nobody needs.
const CACHES: [&str; 7] =
    ["/var/lib/apt/lists", "/var/cache/", "/tmp/", "/var/tmp/", "/root/.cache", "/root/.npm", "${HOME}/.cache"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut paths = Paths::default();
    // Destinations of COPY and ADD in the stage, and whether anything filled a layer of it.
    let mut copied: HashSet<String> = HashSet::new();
    let mut filled = false;
    let mut before: Option<&Statement<'_>> = None;
    for statement in &flow.statements {
        if before.is_none_or(|before| before.stage != statement.stage) {
            (copied, filled) = (HashSet::new(), false);
        }
        paths.see(statement);
        match statement.keyword {
            Some(Keyword::Copy | Keyword::Add) => {
                copied.extend(statement.transfer().and_then(|(sources, dest)| target(&paths, sources, dest)));
                filled = true;
            }
            Some(Keyword::Run) => {
                let script = statement.script();
                let mut commands = script.commands.iter();
                let cleans = !script.commands.is_empty() && commands.all(|c| is_cleanup(c, &paths, &copied));
                if cleans && filled && flow.ships(statement.stage) && statement.mounts().is_empty() {
                    let range = script.commands[0].range.clone();
                    let mut finding =
                        Diagnostic::new(RULE.code, "this hides files and does not make the image smaller")
                            .at(script.span(flow.file.id(), &range))
                            .note("remove files in the RUN that makes them, or make them in another stage");
                    let run = before.filter(|before| before.keyword == Some(Keyword::Run));
                    if let Some(edits) = run.and_then(|run| join(flow, run, statement)) {
                        finding = finding.fix("do it in the RUN before", edits, Applicability::Unsafe);
                    }
                    findings.push(finding);
                }
                filled = true;
            }
            _ => {}
        }
        before = Some(statement);
    }
    findings
}

/// The one file that a COPY makes, if its name is known.
fn target(paths: &Paths, sources: &[rbc_grammar::Text<'_>], dest: &rbc_grammar::Text<'_>) -> Option<String> {
    let [source] = sources else { return None };
    let path = paths.resolve(&dest.text)?;
    let name = source.text.rsplit('/').next().filter(|name| !name.is_empty() && *name != ".")?;
    Some(if dest.text.ends_with(['/', '.']) { format!("{}/{name}", path.trim_end_matches('/')) } else { path })
}

fn is_cleanup(command: &Command, paths: &Paths, copied: &HashSet<String>) -> bool {
    match &*command.name {
        "rm" => {
            let mut operands = command.operands(&[]).peekable();
            operands.peek().is_some()
                && operands.all(|path| {
                    CACHES.iter().any(|cache| path.text.starts_with(cache))
                        || paths.resolve(&path.text).is_some_and(|path| copied.contains(&path))
                })
        }
        "apt-get" | "apt" | "yum" | "dnf" | "microdnf" | "zypper" => {
            command.has_arg(&["clean", "autoclean", "cc"]) && !command.has_arg(&["install", "update"])
        }
        "yarn" | "npm" | "pip" | "pip3" | "go" => {
            command.has_arg(&["cache", "-modcache"]) && command.has_arg(&["clean", "purge"])
        }
        "set" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn removals() {
        let found = |rest: &str| places("W0304", &format!("FROM a:1\n{rest}\n"));
        assert_eq!(found("RUN x\nRUN rm -rf /var/lib/apt/lists/*"), [(3, 5)]);
        assert_eq!(found("WORKDIR /x\nCOPY a.tar .\nRUN y\nRUN rm a.tar").len(), 1);
        assert!(found("RUN x\nRUN rm /etc/nginx/conf.d/default.conf").is_empty());
        assert!(found("RUN x\nRUN rm -rf /tmp/x && y").is_empty());
        assert!(found("RUN rm -rf /tmp/x").is_empty());
        assert!(found("RUN x\nRUN rm -rf /tmp/x\nFROM b:1").is_empty());
        assert_eq!(fixed("W0304", "FROM a:1\nRUN x\nRUN rm -rf /tmp/y\n"), "FROM a:1\nRUN x \\\n && rm -rf /tmp/y\n");
    }
}
