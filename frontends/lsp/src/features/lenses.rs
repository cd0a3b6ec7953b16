//! `textDocument/codeLens`: a stage can be built from where it is written.

use serde_json::{Value, json};

use crate::syntax::Syntax;
use crate::text::Text;

/// The command of a lens, which the editor runs: its arguments are the document and, but for the last stage, the stage.
const BUILD: &str = "rbc.build";

/// A lens above each stage.
pub(crate) fn all(syntax: &Syntax<'_>, text: &Text, uri: &str) -> Value {
    let stages: Vec<_> = syntax.stages().collect();
    let lenses = stages.iter().enumerate().map(|(number, (index, name))| {
        let is_last = number + 1 == stages.len();
        let target = name.map_or_else(|| number.to_string(), |name| name.text.clone());
        let (title, arguments) = match is_last {
            true => ("Build".to_owned(), json!([uri])),
            false => (format!("Build {target}"), json!([uri, target])),
        };
        let place = text.range(syntax.steps[*index].instruction.span.clone());
        json!({"range": place, "command": {"title": title, "command": BUILD, "arguments": arguments}})
    });
    lenses.collect()
}
