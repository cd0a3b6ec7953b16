//! What the rules about yum and dnf have in common: when a package's version is fixed.

use std::collections::{HashMap, HashSet};

use rbc_grammar::Keyword;
use rbc_source::{Code, Diagnostic};

use super::report::{Fault, Report};
use crate::sheet::{Flow, Statement};
use crate::shell::Command;

/// RUNs that install packages of any version. With one of `not_packages` as an argument, what is installed are not packages;
/// modules among those have a version, too.
pub(super) fn unpinned(
    flow: &Flow<'_>,
    code: &'static Code,
    message: &'static str,
    names: &[&str],
    not_packages: &[&str],
) -> Vec<Diagnostic> {
    let report = Report::new(code, message).note("write `package-version`");
    let mut variables = Variables::default();
    let mut findings = Vec::new();
    for statement in &flow.statements {
        variables.see(statement);
        if statement.keyword != Some(Keyword::Run) {
            continue;
        }
        let script = statement.script();
        let mut faults = Vec::new();
        for command in script.commands.iter().filter(|command| command.is(names, &["install"])) {
            let modules = command.has_arg(&["module"]);
            if !modules && command.has_arg(not_packages) {
                continue;
            }
            let is_pinned = |text: &str| if modules { text.contains(':') } else { variables.pin(text) };
            faults.extend(operands(command).filter(|arg| !is_pinned(&arg.text)).map(Fault::named));
        }
        findings.extend(report.finding(flow, script, faults));
    }
    findings
}

fn operands(command: &Command) -> impl Iterator<Item = &crate::shell::Arg> {
    command.operands(&[]).filter(|arg| !matches!(&*arg.text, "install" | "module"))
}

/// Variables that the file sets: one of those in a package's name counts as its version.
#[derive(Default)]
struct Variables {
    args: HashSet<String>,
    /// Environment of the stage.
    env: HashSet<String>,
    /// Environments of the stages before, by their names.
    stages: HashMap<String, HashSet<String>>,
    /// The stage's name.
    name: Option<String>,
}

impl Variables {
    fn see(&mut self, statement: &Statement<'_>) {
        match statement.keyword {
            Some(Keyword::Arg) => self.args.extend(statement.words().iter().map(|word| {
                let name = word.text.split('=').next().unwrap_or_default();
                name.to_owned()
            })),
            Some(Keyword::Env) => self.env.extend(statement.pairs().iter().map(|pair| pair.key.text.to_string())),
            Some(Keyword::From) => {
                let env = std::mem::take(&mut self.env);
                if let Some(name) = self.name.take() {
                    self.stages.insert(name, env);
                }
                let base = statement.base.as_ref();
                let parent = base.and_then(|base| self.stages.get(&base.text.text.to_lowercase()));
                self.env = parent.cloned().unwrap_or_default();
                self.name = base.and_then(|base| base.name.as_ref()).map(|name| name.text.to_lowercase());
            }
            _ => {}
        }
    }

    /// Whether what is written of a package holds its version.
    fn pin(&self, package: &str) -> bool {
        let Some((_, rest)) = package.split_once('-') else { return false };
        if package.ends_with(".rpm") {
            return true;
        }
        if package.contains('$') {
            let mut known = self.env.iter().chain(&self.args);
            return known.any(|name| package.contains(&format!("${{{name}}}")));
        }
        let is_version = |c: char| c.is_ascii_alphanumeric() || "-.~^_:+".contains(c);
        rest.chars().all(is_version) && rest.split('-').any(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let variables = Variables { args: ["V".to_owned()].into(), ..Variables::default() };
        for pinned in ["a-1", "a-b-1.2-3.el9", "a-b.rpm", "a-1:2~rc1", "a-${V}"] {
            assert!(variables.pin(pinned), "{pinned}");
        }
        for any in ["a", "a-b", "a-devel", "a-${W}", "${V}", "a-1*", "@a-b"] {
            assert!(!variables.pin(any), "{any}");
        }
    }
}
