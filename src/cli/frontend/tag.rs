//! Tags by which tools know what is wrong with a build.
//!
//! What BuildKit prints of an error is text, and scripts, continuous integration and test suites look into it for a few words.
//! They stand in brackets behind a message, which is rbc's own.

use rbc_source::{Diagnostic, dockerfile, lower};

use super::recipe::Recipe;

/// The tag of an error, if it is of a kind that has one.
pub fn tag(error: &Diagnostic, recipe: Option<&Recipe>) -> Option<String> {
    let near = error.notes.iter().find_map(|note| quoted(note.strip_prefix("did you mean ")?));
    let near = near.map(|near| format!(" (did you mean {}?)", near.trim_start_matches('-')));
    Some(kind(error, recipe)? + &near.unwrap_or_default())
}

fn kind(error: &Diagnostic, recipe: Option<&Recipe>) -> Option<String> {
    let place = error.primary.as_ref().map(|label| label.span);
    let written = || Some(recipe?.file.slice(place?));
    let (code, message) = (error.code, &*error.message);
    if code == dockerfile::UNKNOWN_INSTRUCTION {
        let line = recipe?.file.line_of(place?.start as usize) + 1;
        return Some(format!("dockerfile parse error on line {line}: unknown instruction: {}", written()?));
    }
    if code == dockerfile::UNKNOWN_FLAG {
        return Some(format!("unknown flag: {}", written()?));
    }
    if code == lower::WORD {
        let (name, why) = message.split_once("variable `")?.1.split_once("`: ")?;
        return Some(format!("{name}: {why}"));
    }
    if code == lower::VIOLATION {
        return Some(format!("lint violation found for rules: {}", message.split_once(": ")?.1));
    }
    if message.contains("two values for ref: ") {
        return Some("ref conflicts".to_owned());
    }
    if code == dockerfile::NO_STAGE && message.starts_with("the file has no `FROM`") {
        return Some("dockerfile contains no stages to build".to_owned());
    }
    if code == lower::EPOCH && message.starts_with("this stage gives SOURCE_DATE_EPOCH no time: it has a") {
        return Some("SOURCE_DATE_EPOCH stage does not meet source-only requirements".to_owned());
    }
    if code == lower::OPTION && message.ends_with("has no definition") {
        return Some("invalid nil input definition to definition op".to_owned());
    }
    let name = quoted(message)?;
    if code == lower::STAGE_ORDER {
        Some(format!("cannot copy from stage {name}, which needs to be defined before current stage"))
    } else if code == lower::TARGET {
        Some(format!("target stage \"{name}\" could not be found"))
    } else if code == lower::EPOCH && message.starts_with("SOURCE_DATE_EPOCH is ") {
        Some(format!("invalid SOURCE_DATE_EPOCH: {name}"))
    } else if code == lower::MOUNT && message.ends_with("is no option of a mount") {
        Some(format!("unexpected key '{name}'"))
    } else if code == lower::MOUNT && message.starts_with("there is no mount type ") {
        Some(format!("unsupported mount type \"{name}\""))
    } else {
        None
    }
}

/// What stands between the first two backquotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_errors_without_a_place() {
        let of = |code, message: &str| tag(&Diagnostic::new(code, message), None);
        assert_eq!(of(lower::WORD, "`${A:?why}` cannot be expanded: variable `A`: why").as_deref(), Some("A: why"));
        assert_eq!(of(lower::WORD, "`$` cannot be expanded: it ends"), None);
        assert_eq!(
            of(lower::EPOCH, "SOURCE_DATE_EPOCH is `x`, which says no time").as_deref(),
            Some("invalid SOURCE_DATE_EPOCH: x")
        );
        assert_eq!(of(lower::EPOCH, "this stage gives no time"), None);
        let target = Diagnostic::new(lower::TARGET, "there is no stage `a` to build").note("did you mean `b`?");
        assert_eq!(tag(&target, None).as_deref(), Some("target stage \"a\" could not be found (did you mean b?)"));
        assert_eq!(of(dockerfile::UNKNOWN_FLAG, "`RUN` has no flag `--x`"), None);
        let key = Diagnostic::new(lower::MOUNT, "`typ` is no option of a mount").note("did you mean `type`?");
        assert_eq!(tag(&key, None).as_deref(), Some("unexpected key 'typ' (did you mean type?)"));
    }
}
