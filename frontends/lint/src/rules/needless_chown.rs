//! W0305: to change a file's owner or mode a layer stores all of the file again.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, Edit, Span, practice};

use super::paths::Paths;
use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};
use crate::shell::Command;

pub(super) const RULE: Rule = Rule { code: practice::NEEDLESS_CHOWN, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut paths = Paths::default();
    let mut copy: Option<(&Statement<'_>, String)> = None;
    for statement in &flow.statements {
        paths.see(statement);
        match statement.keyword {
            Some(Keyword::Copy | Keyword::Add) => {
                let dest = statement.transfer().and_then(|(_, dest)| paths.resolve(&dest.text));
                copy = dest.map(|dest| (statement, dest));
            }
            Some(Keyword::Run) => {
                let Some((copy, dest)) = copy.take() else { continue };
                let script = statement.script();
                let Some((command, value)) = script.commands.iter().find_map(|c| Some((c, changes(c, &paths, &dest)?)))
                else {
                    continue;
                };
                let flag = if &*command.name == "chown" { "chown" } else { "chmod" };
                let mut finding = Diagnostic::new(RULE.code, "this stores the copied files a second time")
                    .at(script.span(flow.file.id(), &command.range))
                    .also(copy.keyword_span(), format!("`--{flag}` does the same here"));
                let alone = script.commands.len() == 1 && statement.flags().next().is_none();
                if alone && copy.flag(flag).is_none() {
                    let id = flow.file.id();
                    let insert = Edit {
                        span: Span::point(id, copy.keyword_span().end as usize),
                        text: format!(" --{flag}={value}"),
                    };
                    let range = statement.instruction.range.clone();
                    let remove = Edit { span: Span::new(id, range.start, range.end), text: String::new() };
                    finding = finding.fix(
                        format!("say `--{flag}={value}` and leave the RUN out"),
                        vec![insert, remove],
                        Applicability::Unsafe,
                    );
                }
                findings.push(finding);
            }
            // These make no files.
            Some(Keyword::Env | Keyword::Label | Keyword::Expose | Keyword::User) => {}
            _ => copy = None,
        }
    }
    findings
}

/// The owner or mode that a command gives to what was copied to `dest`.
fn changes(command: &Command, paths: &Paths, dest: &str) -> Option<String> {
    let operands: Vec<_> = command.operands(&[]).collect();
    let [value, path] = &*operands else { return None };
    let is_value = match &*command.name {
        "chown" => {
            !value.text.is_empty() && value.text.chars().all(|c| c.is_ascii_alphanumeric() || ":_-.".contains(c))
        }
        "chmod" => matches!(value.text.len(), 3 | 4) && value.text.bytes().all(|b| matches!(b, b'0'..=b'7')),
        _ => return None,
    };
    (is_value && paths.resolve(&path.text)? == dest && dest != "/").then(|| value.text.to_string())
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn owners() {
        assert_eq!(
            fixed("W0305", "FROM a:1\nWORKDIR /x\nCOPY . .\nRUN chown -R app:app /x\nUSER app\n"),
            "FROM a:1\nWORKDIR /x\nCOPY --chown=app:app . .\nUSER app\n"
        );
        assert_eq!(places("W0305", "FROM a:1\nCOPY a /b\nRUN chmod 755 /b && x\n").len(), 2);
        assert!(places("W0305", "FROM a:1\nCOPY a /b\nRUN chmod +x /b\n").is_empty());
        assert!(places("W0305", "FROM a:1\nCOPY a /b\nRUN chown x /c\n").is_empty());
        assert!(places("W0305", "FROM a:1\nCOPY a /b\nRUN y\nRUN chown x /b\n").is_empty());
    }
}
