//! Questions about a build that a client puts instead of building: BuildKit's subrequests.

use std::collections::BTreeMap;

use rbc_ast::check::CheckConfig;
use rbc_gateway::{Built, Status};
use serde_json::{Value, json};

use super::host::BuildKit;
use super::{Build, answer};
use crate::{Purpose, call};

/// Which stages there are.
pub const TARGETS: &str = "frontend.targets";
const OUTLINE: &str = "frontend.outline";
const LINT: &str = "frontend.lint";
const DESCRIBE: &str = "frontend.subrequests.describe";

/// The version of all of the answers' forms.
const VERSION: &str = "1.0.0";

/// Answers a question.
///
/// # Errors
/// It is not known, or the recipe is at fault and that is not what was asked.
pub fn answer(question: &str, build: &Build<'_>, host: &mut BuildKit<'_>) -> Result<Built, Status> {
    let file = &build.recipe.file;
    match question {
        DESCRIBE => Ok(reply(&describe(), describe_text())),
        TARGETS => {
            let recipe = (build.language().parse)(file, &CheckConfig::default());
            match recipe.diagnostics.iter().find(|d| d.is_error()) {
                Some(error) => Err(answer::status(error, Some(&build.recipe), None)),
                None => Ok(reply(&call::targets(file, &recipe.value), call::targets_text(&recipe.value))),
            }
        }
        OUTLINE => {
            let compiled = build.compile(Purpose::Outline, host);
            match (compiled.outputs.first(), compiled.errors.first()) {
                (Some(output), _) => {
                    let outline = &output.product.outline;
                    Ok(reply(&call::outline(file, outline), call::outline_text(outline)))
                }
                (None, Some(error)) => Err(answer::status(error, Some(&build.recipe), host.refusal(error))),
                (None, None) => Ok(Built::default()),
            }
        }
        LINT => {
            let compiled = build.compile(Purpose::Check, host);
            let error = compiled.errors.first();
            let clean = compiled.warnings.is_empty() && error.is_none();
            // Who prints the text prints the error as well, from the JSON.
            let text = call::check_text(file, &compiled.warnings, None);
            let mut built = reply(&call::check(file, &compiled.warnings, error), text);
            built.metadata.insert("result.statuscode".to_owned(), if clean { "0" } else { "1" }.into());
            Ok(built)
        }
        _ => Err(answer::unknown_question(question)),
    }
}

fn reply(json: &Value, text: String) -> Built {
    let metadata = [("result.json", format!("{json:#}")), ("result.txt", text), ("version", VERSION.to_owned())];
    let metadata: BTreeMap<_, _> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value.into_bytes())).collect();
    Built { metadata, ..Built::default() }
}

/// What can be asked, with what it is.
const QUESTIONS: [(&str, &str); 4] = [
    (OUTLINE, "What the target takes: build arguments, secrets, SSH agents"),
    (TARGETS, "The targets that can be built"),
    (LINT, "What BuildKit's checks find"),
    (DESCRIBE, "What can be asked"),
];

fn describe() -> Value {
    let request = |(name, description): &(&str, &str)| {
        let mut request = json!({
            "name": name,
            "version": VERSION,
            "type": "rpc",
            "description": description,
            "opts": null,
            "metadata": [{ "name": "result.json" }, { "name": "result.txt" }],
        });
        if *name == OUTLINE {
            request["opts"] = json!([{ "name": "target", "description": "The target that is meant" }]);
        }
        request
    };
    QUESTIONS.iter().map(request).collect()
}

fn describe_text() -> String {
    let rows = QUESTIONS.iter().map(|(name, description)| {
        let name = name.strip_prefix("frontend.").unwrap_or(name);
        vec![name.to_owned(), VERSION.to_owned(), (*description).to_owned()]
    });
    let head = ["NAME", "VERSION", "DESCRIPTION"].map(str::to_owned).to_vec();
    call::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), 1)
}
