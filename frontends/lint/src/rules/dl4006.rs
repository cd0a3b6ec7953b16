//! DL4006: of a pipe only the last command's status counts, unless the shell is told otherwise.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, Span, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};

pub(super) const RULE: Rule = Rule { code: hadolint::DL4006, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut told = false;
    for statement in &flow.statements {
        match statement.keyword {
            Some(Keyword::From) => told = false,
            Some(Keyword::Shell) => told = has_pipefail(statement),
            Some(Keyword::Run) if !told => {
                let script = statement.script();
                let Some(pipe) = script.pipes.first() else { continue };
                let shell = Edit {
                    span: Span::point(flow.file.id(), statement.span().start as usize),
                    text: "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\n".to_owned(),
                };
                findings.push(
                    Diagnostic::new(RULE.code, "what fails in front of the pipe goes unnoticed")
                        .at(script.span(flow.file.id(), pipe))
                        .note("tell the shell by `SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]` (on Alpine `/bin/ash`)")
                        .fix("use bash with pipefail from here on", vec![shell], Applicability::Unsafe),
                );
            }
            _ => {}
        }
    }
    findings
}

/// Whether SHELL sets a shell with `-o pipefail`, or one that has no such thing.
fn has_pipefail(shell: &Statement<'_>) -> bool {
    let script = shell.script();
    let foreign = ["pwsh", "powershell", "cmd"].iter().any(|name| script.text.starts_with(name));
    foreign
        || script.commands.iter().any(|command| {
            let name = command.name.rsplit('/').next().unwrap_or_default();
            matches!(name, "bash" | "zsh" | "ash") && command.has_flag(&["o"]) && command.has_arg(&["pipefail"])
        })
}
