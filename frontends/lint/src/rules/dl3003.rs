//! DL3003: `cd` lasts for one RUN only; WORKDIR is what lasts and is seen.

use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::report::{Fault, Report, edit_span};
use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};
use crate::shell::Script;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3003, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "WORKDIR is the way to change the directory");
    let mut findings = Vec::new();
    for (run, script) in flow.runs() {
        let cds = script.commands.iter().filter(|command| &*command.name == "cd");
        let faults = cds.map(|command| Fault::at(command.range.clone())).collect();
        let Some(mut finding) = report.finding(flow, script, faults) else { continue };
        if let Some(edits) = workdir(flow, run, script) {
            finding = finding.fix("move into the directory by WORKDIR", edits, Applicability::Unsafe);
        }
        findings.push(finding);
    }
    findings
}

/// `RUN cd /a && b` as `WORKDIR /a` and `RUN b`. What follows in the stage is then in that directory, too.
fn workdir(flow: &Flow<'_>, run: &Statement<'_>, script: &Script<'_>) -> Option<Vec<Edit>> {
    let first = script.commands.first()?;
    let [directory] = &*first.args else { return None };
    let plain = directory.text.starts_with('/') && !directory.text.contains(['$', '~', ' ', '*', '\\']);
    let behind = script.text.get(first.range.end..)?;
    let rest = behind.trim_start().strip_prefix("&&")?.trim_start();
    if &*first.name != "cd" || !plain || first.range.start > 0 || script.exec || !run.instruction.heredocs.is_empty() {
        return None;
    }
    let start = script.text.len() - rest.len();
    let cut = edit_span(flow, script, &(first.range.start..start));
    let workdir = Edit {
        span: rbc_source::Span::point(flow.file.id(), run.span().start as usize),
        text: format!("WORKDIR {}\n", directory.text),
    };
    Some(vec![workdir, Edit { span: cut, text: String::new() }])
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn places_and_fix() {
        assert_eq!(places("DL3003", "FROM a:1\nRUN a && \\\n  cd b && \\\n# x\n\tcd c"), [(3, 3), (5, 2)]);
        assert_eq!(
            fixed("DL3003", "FROM a:1\nRUN cd /src && make \\\n && make install\n"),
            "FROM a:1\nWORKDIR /src\nRUN make \\\n && make install\n"
        );
        assert_eq!(fixed("DL3003", "FROM a:1\nRUN cd \"$x\" && make\n"), "FROM a:1\nRUN cd \"$x\" && make\n");
        assert!(places("DL3003", "FROM a:1\nRUN echo cd; echo 'cd x' # cd\n").is_empty());
    }
}
