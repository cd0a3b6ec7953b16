//! W0312: a script that is run as it comes is run half, if the rest does not come, and unseen.

use rbc_source::{Diagnostic, practice};

use super::report::{Fault, Report};
use super::{Rule, RuleScope};
use crate::sheet::Flow;
use crate::shell::Command;

pub(super) const RULE: Rule =
    Rule { code: practice::PIPED_INSTALLER, on: true, scope: RuleScope::BuildAndTriggers, check };

const LOADERS: [&str; 2] = ["curl", "wget"];
const RUNNERS: [&str; 10] = ["ash", "bash", "dash", "ksh", "node", "perl", "php", "ruby", "sh", "zsh"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let report = Report::new(RULE.code, "a script is run as it is downloaded")
        .note("download it, compare its checksum, and then run it");
    report.runs(flow, |_, script| {
        // The commands by where they begin, and by where they end.
        let (mut starts, mut ends): (Vec<&Command>, Vec<&Command>) = script.commands.iter().map(|c| (c, c)).unzip();
        starts.sort_by_key(|command| command.range.start);
        ends.sort_by_key(|command| command.range.end);
        let piped = script.pipes.iter().filter_map(|pipe| {
            let before = ends.partition_point(|command| command.range.end <= pipe.start).checked_sub(1)?;
            let behind = starts.get(starts.partition_point(|command| command.range.start <= pipe.start))?;
            (LOADERS.contains(&&*ends.get(before)?.name) && runs(behind)).then_some(*behind)
        });
        let substituted = script.commands.iter().filter(|command| {
            let mut args = command.args.iter();
            runs(command) && args.any(|arg| LOADERS.iter().any(|loader| arg.text.starts_with(&format!("${{{loader} "))))
        });
        piped.chain(substituted).map(|command| Fault::at(command.name_range.clone())).collect()
    })
}

fn runs(command: &Command) -> bool {
    let name = command.name.rsplit('/').next().unwrap_or_default();
    let of_sudo = || command.args.iter().any(|arg| RUNNERS.contains(&&*arg.text));
    RUNNERS.contains(&name) || name.starts_with("python") || (name == "sudo" && of_sudo())
}

#[cfg(test)]
mod tests {
    use crate::testing::places;

    #[test]
    fn installers() {
        let found = |script: &str| places("W0312", &format!("FROM a:1\nRUN {script}\n")).len();
        assert_eq!(found("curl -fsSL https://h/x | bash -"), 1);
        assert_eq!(found("wget -qO- https://h/x | sudo -E bash"), 1);
        assert_eq!(found("sh -c \"$(curl -fsSL https://h/x)\""), 1);
        assert_eq!(found("curl https://h/x | tar x"), 0);
        assert_eq!(found("echo x | sh && curl https://h/y"), 0);
    }
}
