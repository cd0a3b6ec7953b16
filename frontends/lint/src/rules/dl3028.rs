//! DL3028: without a version gem installs the newest there is, which is not what was tested.

use rbc_source::{Diagnostic, hadolint};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3028, on: true, scope: RuleScope::BuildAndTriggers, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "`gem install` of any version").note("write `gem:version`");
    report.commands_many(flow, |command| {
        let versioned =
            command.has_arg(&["-v", "--version"]) || command.args.iter().any(|a| a.text.starts_with("--version="));
        if !command.is(&["gem"], &["install", "i"]) || versioned {
            return Vec::new();
        }
        let mut gems = Vec::new();
        // Every option is taken to have a value; what is behind `--` is for the build of an extension.
        let mut args = command.args.iter().take_while(|arg| &*arg.text != "--");
        while let Some(arg) = args.next() {
            if arg.text.starts_with('-') {
                args.next();
            } else if !matches!(&*arg.text, "install" | "i") && !arg.text.contains(':') {
                gems.push(Fault::named(arg));
            }
        }
        gems
    })
}
