//! DL3042: what pip downloaded is of no use in an image.

use rbc_grammar::Keyword;
use rbc_source::{Applicability, Diagnostic, hadolint};

use super::inherit::Inherited;
use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement, plain};
use crate::shell::{Command, Script};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3042, on: true, scope: RuleScope::BuildAndTriggers, check };

const VARIABLE: &str = "PIP_NO_CACHE_DIR";
const TRUE: [&str; 10] = ["1", "true", "True", "TRUE", "on", "On", "ON", "yes", "Yes", "YES"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "the cache of pip stays in the layer")
        .fix("say `--no-cache-dir`", Applicability::Unsafe);
    let mut disabled = Inherited::default();
    let mut findings = Vec::new();
    for statement in &flow.statements {
        disabled.see(statement);
        if sets_variable(statement) {
            disabled.set();
        }
        if statement.keyword != Some(Keyword::Run) || disabled.is_set() {
            continue;
        }
        let script = statement.script();
        if is_set_in(script) || statement.has_scratch_mount(".cache/pip") {
            continue;
        }
        let installs = script.commands.iter().filter(|command| command.is_pip_install() && caches(command));
        let faults = installs.map(|c| Fault::of(c, &["install"]).insert_behind(c, &["install"], " --no-cache-dir"));
        findings.extend(report.finding(flow, script, faults.collect()));
    }
    findings
}

fn sets_variable(statement: &Statement<'_>) -> bool {
    let mut pairs = statement.pairs().iter().filter(|_| statement.keyword == Some(Keyword::Env));
    pairs.any(|pair| &*pair.key.text == VARIABLE && TRUE.contains(&&*plain(&pair.value.text)))
}

/// Whether the script itself sets the variable.
fn is_set_in(script: &Script<'_>) -> bool {
    let Some((_, behind)) = script.text.split_once("PIP_NO_CACHE_DIR=") else { return false };
    TRUE.iter().any(|value| behind.starts_with(value))
}

fn caches(command: &Command) -> bool {
    // These make environments of their own, and know no such option.
    let wraps = |tool: &str| {
        command.name.contains(tool) || (command.name.starts_with("python") && command.has_args_in_a_row(&["-m", tool]))
    };
    !command.has_arg(&["--no-cache-dir"]) && !wraps("pipx") && !wraps("pipenv")
}
