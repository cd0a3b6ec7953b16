//! `workspace/executeCommand`: the edits by which clients of the widely used server for Dockerfiles mend what it finds.

use serde_json::{Value, json};

/// The commands and what each puts in the place of its range.
const COMMANDS: [(&str, &str); 9] = [
    ("docker.command.directiveToBackslash", "\\"),
    ("docker.command.directiveToBacktick", "`"),
    ("docker.command.flagToHealthcheckInterval", "--interval"),
    ("docker.command.flagToHealthcheckRetries", "--retries"),
    ("docker.command.flagToHealthcheckStartPeriod", "--start-period"),
    ("docker.command.flagToHealthcheckTimeout", "--timeout"),
    ("docker.command.flagToCopyFrom", "--from"),
    ("docker.command.flagToChown", "--chown"),
    ("docker.command.removeEmptyContinuationLine", ""),
];

/// Their names.
pub(crate) fn names() -> Vec<&'static str> {
    COMMANDS.map(|(name, _)| name).to_vec()
}

/// The edits of a command with the arguments document and range; `None` if there is no such command.
pub(crate) fn run(params: &Value) -> Option<Value> {
    let name = params.get("command")?.as_str()?;
    let (_, new) = COMMANDS.iter().find(|(known, _)| *known == name)?;
    let range = params.pointer("/arguments/1")?;
    Some(json!([{"range": range, "newText": new}]))
}
