//! W0308: a cached layer with package lists is as old as its cache; what is installed from it may be gone.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, practice};

use super::join::join;
use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;
use crate::shell::{Command, Script};

pub(super) const RULE: Rule = Rule { code: practice::STALE_PACKAGE_LISTS, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "the package lists of this layer grow old in the cache")
        .note("install packages in the RUN that fetches the lists");
    let mut findings = Vec::new();
    for (i, run) in flow.statements.iter().enumerate().filter(|(_, s)| s.keyword == Some(Keyword::Run)) {
        let script = run.script();
        let kept = ["/var/lib/apt", "/var/cache/apk"].iter().any(|place| run.has_scratch_mount(place));
        if installs(script) || kept {
            continue;
        }
        let faults = script.commands.iter().filter(|c| fetches(c)).map(|c| Fault::of(c, &["update"])).collect();
        let Some(mut finding) = report.finding(flow, script, faults) else { continue };
        let next =
            flow.statements.get(i + 1).filter(|next| next.keyword == Some(Keyword::Run) && installs(next.script()));
        if let Some(edits) = next.and_then(|next| join(flow, run, next)) {
            finding = finding.fix("do it in the next RUN", edits, Applicability::Unsafe);
        }
        findings.push(finding);
    }
    findings
}

fn installs(script: &Script<'_>) -> bool {
    const COMMANDS: [&str; 6] = ["install", "upgrade", "dist-upgrade", "full-upgrade", "add", "build-dep"];
    script.commands.iter().any(|command| command.has_arg(&COMMANDS))
}

fn fetches(command: &Command) -> bool {
    command.is(&["apt-get", "apt", "apk", "aptitude"], &["update"])
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn lists() {
        assert_eq!(
            fixed("W0308", "FROM a:1\nRUN apt-get update\nRUN apt-get install -y x\n"),
            "FROM a:1\nRUN apt-get update \\\n && apt-get install -y x\n"
        );
        assert!(places("W0308", "FROM a:1\nRUN apt-get update && apt-get install -y x\n").is_empty());
    }
}
