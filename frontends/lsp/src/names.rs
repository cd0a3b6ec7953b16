//! Names: where they are declared and used, what they stand for, and giving them another.

use std::ops::Range;

use serde_json::{Value, json};

use crate::syntax::Syntax;

/// All places of the name at an offset.
pub(crate) struct Name {
    /// Where it is declared, in order.
    pub declared: Vec<Range<usize>>,
    /// Where it is used, in order.
    pub used: Vec<Range<usize>>,
    /// The one of them that the offset touches.
    pub at: Range<usize>,
    pub is_stage: bool,
}

fn touches(range: &Range<usize>, offset: usize) -> bool {
    range.start <= offset && offset <= range.end
}

/// The name at an offset: of a stage, a variable or a heredoc.
pub(crate) fn find(syntax: &Syntax<'_>, offset: usize) -> Option<Name> {
    let index = syntax.step_at(offset);
    index
        .and_then(|index| stage(syntax, index, offset))
        .or_else(|| index.and_then(|index| variable(syntax, index, offset)))
        .or_else(|| heredoc(syntax, offset))
}

fn stage(syntax: &Syntax<'_>, index: usize, offset: usize) -> Option<Name> {
    let step = &syntax.steps[index];
    let declared = step.stage_name().filter(|name| touches(&name.range, offset)).cloned();
    let word = declared.clone().or_else(|| step.stage_uses().into_iter().find(|word| touches(&word.range, offset)))?;
    let same = |text: &str| text.eq_ignore_ascii_case(&word.text);
    let number = |index: usize| syntax.stages().position(|(step, _)| step == index);
    let stages: Vec<_> = syntax.stages().filter(|(_, name)| name.is_some_and(|name| same(&name.text))).collect();
    // A name means the last stage before that has it; a number means a stage too.
    let target = match declared {
        Some(_) => Some(index),
        None => stages.iter().rfind(|(stage, _)| *stage < index).map(|(stage, _)| *stage).or_else(|| {
            let by_number = || syntax.stages().nth(word.text.parse().ok()?).map(|(stage, _)| stage);
            by_number().filter(|_| !step.is_from()).filter(|stage| *stage < index)
        }),
    };
    let mut used = Vec::new();
    if let Some(target) = target {
        let later = syntax
            .stages()
            .map(|(stage, _)| stage)
            .find(|stage| *stage > target && stages.iter().any(|(named, _)| named == stage));
        let until = later.unwrap_or(syntax.steps.len());
        for user in syntax.steps.get(target + 1..(until + 1).min(syntax.steps.len())).unwrap_or_default() {
            used.extend(user.stage_uses().into_iter().filter(|word| same(&word.text)).map(|word| word.range));
        }
    } else if step.is_from() {
        // An image.
        return None;
    } else {
        let all = syntax.steps.iter().flat_map(|step| step.stage_uses());
        used.extend(all.filter(|word| same(&word.text)).map(|word| word.range));
    }
    let declared = target.filter(|target| number(*target).is_some()).and_then(|target| {
        let from = &syntax.steps[target];
        from.stage_name().map(|name| name.range.clone()).filter(|_| from.stage_name().is_some_and(|n| same(&n.text)))
    });
    Some(Name { declared: declared.into_iter().collect(), used, at: word.range, is_stage: true })
}

fn variable(syntax: &Syntax<'_>, index: usize, offset: usize) -> Option<Name> {
    let step = &syntax.steps[index];
    let declared = step.declared.iter().map(|d| (&d.name.text, &d.name.range));
    let used = step.variables.iter().map(|v| (&v.name, &v.range));
    let (name, at) = declared.chain(used).find(|(_, range)| touches(range, offset))?;
    let global = syntax.global();
    let scope = syntax.declaring(index);
    let steps = || scope.clone().map(|index| &syntax.steps[index]);
    let all = || steps().flat_map(|step| &step.declared).filter(|d| d.name.text == *name);
    // FROM sees the arguments in front of the first stage, and nothing of its own stage.
    let from = step.is_from();
    let declared = all().filter(|d| !from || !d.env).map(|d| d.name.range.clone()).collect();
    let seen = scope == global && (from || all().any(|d| !d.env));
    let froms = syntax.steps.iter().filter(|step| step.is_from() && seen);
    let users = steps().filter(|step| !step.is_from()).chain(froms);
    let used = users.flat_map(|step| &step.variables).filter(|v| v.name == *name).map(|v| v.range.clone()).collect();
    Some(Name { declared, used, at: at.clone(), is_stage: false })
}

/// A heredoc's delimiter: where it is opened, and where it ends.
fn heredoc(syntax: &Syntax<'_>, offset: usize) -> Option<Name> {
    let text = syntax.document.text;
    for instruction in syntax.document.instructions() {
        for heredoc in &instruction.heredocs {
            let name = &*heredoc.opening.name;
            let line = instruction.line.text();
            let opened = line.match_indices("<<").find_map(|(at, _)| {
                let from = at + 2 + line[at + 2..].find(name)?;
                let before = line[at + 2..from].trim_start_matches('-').trim_matches(['"', '\'']);
                before.is_empty().then(|| instruction.line.in_file(from..from + name.len()))
            })?;
            let end = text[heredoc.end.clone()].find(name).map(|at| {
                let start = heredoc.end.start + at;
                start..start + name.len()
            });
            let places: Vec<_> = std::iter::once(opened.clone()).chain(end.clone()).collect();
            if let Some(at) = places.iter().find(|range| touches(range, offset)) {
                let used = end.into_iter().collect();
                return Some(Name { declared: vec![opened], used, at: at.clone(), is_stage: false });
            }
        }
    }
    None
}

/// `textDocument/documentHighlight`.
pub(crate) fn highlights(syntax: &Syntax<'_>, text: &crate::text::Text, offset: usize) -> Value {
    let Some(name) = find(syntax, offset) else { return json!([]) };
    let place = |kind: u8| move |range: &Range<usize>| json!({"range": text.range(range.clone()), "kind": kind});
    let (write, read) = (place(3), place(2));
    name.declared.iter().map(write).chain(name.used.iter().map(read)).collect()
}

/// The value of the variable at an offset.
pub(crate) fn value(syntax: &Syntax<'_>, offset: usize) -> Option<String> {
    let index = syntax.step_at(offset)?;
    let step = &syntax.steps[index];
    if let Some(declared) = step.declared.iter().find(|d| touches(&d.name.range, offset)) {
        return declared.value.clone();
    }
    let variable = step.variables.iter().find(|v| touches(&v.range, offset))?;
    syntax.value(&variable.name, index)?.map(str::to_owned)
}
