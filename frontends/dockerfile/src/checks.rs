//! BuildKit's checks that need only the text. Those that need values are in lowering.
//!
//! Each finding touches the lines that the reference gives, and its message is the reference's.

use std::borrow::Cow;
use std::collections::HashSet;

use rbc_ast::check::CheckConfig;
use rbc_ast::recipe::{Recipe, Stage, StepKind};
use rbc_grammar::{Document, Instruction, Keyword, PieceKind};
use rbc_source::{Applicability, Code, Diagnostic, Edit, Span, lint as rules};
use rbc_word::unicode::{is_lower, is_upper, to_lower, to_upper};

use crate::source::{Places, Source};

/// The checks as configured.
pub(crate) struct Checks<'a> {
    config: &'a CheckConfig,
}

impl<'a> Checks<'a> {
    pub fn new(config: &'a CheckConfig) -> Self {
        Checks { config }
    }

    /// Whether a rule counts for an instruction, whose comments may say otherwise than the file.
    fn allows(&self, rule: &Code, source: &Source<'_>) -> bool {
        self.config.merged_with_comments(&source.instruction.comments).allows(rule)
    }

    /// NoEmptyContinuation.
    pub fn empty_continuation(
        &self,
        document: &Document<'_>,
        instruction: &Instruction<'_>,
        places: Places,
    ) -> Option<Diagnostic> {
        if !instruction.has_blank_lines() || !self.config.allows(rules::NO_EMPTY_CONTINUATION) {
            return None;
        }
        // The reference gives the last line of the instruction.
        let end = instruction.line_end();
        let before = &document.text[..end];
        let content = before.strip_suffix('\n').unwrap_or(before);
        let start = content.rfind('\n').map_or(0, |n| n + 1);
        let last = if start == content.len() { start..end } else { start..content.len() };
        let blank: Vec<Span> = instruction
            .pieces
            .iter()
            .filter(|p| p.kind == PieceKind::Blank)
            .map(|p| places.span(p.range.clone()))
            .collect();
        let mut finding =
            Diagnostic::new(rules::NO_EMPTY_CONTINUATION, "Empty continuation line").at(places.span(last));
        if let Some(first) = blank.first() {
            finding = finding.also(*first, "this line is skipped");
        }
        let edits = blank.into_iter().map(|span| Edit { span, text: String::new() }).collect();
        Some(finding.fix("take the empty lines out", edits, Applicability::Safe))
    }

    /// What is checked before an instruction is read.
    pub fn before(&self, keyword: Keyword, source: &Source<'_>, findings: &mut Vec<Diagnostic>) {
        match keyword {
            Keyword::Maintainer if self.allows(rules::MAINTAINER_DEPRECATED, source) => {
                findings.push(maintainer_deprecated(source));
            }
            Keyword::From => {
                if let Some(finding) = stage_name_casing(source)
                    && self.allows(rules::STAGE_NAME_CASING, source)
                {
                    findings.push(finding);
                }
                if let Some(finding) = from_as_casing(source)
                    && self.allows(rules::FROM_AS_CASING, source)
                {
                    findings.push(finding);
                }
            }
            _ => {}
        }
    }

    /// What is checked once a step is read.
    pub fn after(&self, kind: &StepKind, source: &Source<'_>, findings: &mut Vec<Diagnostic>) {
        if let StepKind::Arg(args) = kind {
            let names: Vec<&str> = args.iter().map(|a| &*a.name.text).collect();
            self.description("ARG", &names, source, findings);
        }
    }

    /// What is checked once a stage's head is read.
    pub fn stage(&self, stage: &Stage, source: &Source<'_>, findings: &mut Vec<Diagnostic>) {
        if let Some(name) = &stage.name {
            self.description("FROM", &[name], source, findings);
        }
    }

    /// InvalidDefinitionDescription.
    fn description(&self, what: &str, names: &[&str], source: &Source<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(comment) = source.instruction.comments.last() else { return };
        let first = comment.split(' ').next().unwrap_or_default();
        let rule = rules::INVALID_DEFINITION_DESCRIPTION;
        if names.contains(&first) || !self.allows(rule, source) {
            return;
        }
        let name = match names {
            [name] => name,
            _ => "<arg_key>",
        };
        let message = format!("Comment for {what} should follow the format: `# {name} <description>`");
        findings.push(source.finding(rule, message, 0..0));
    }

    /// Checks of all stages together.
    pub fn stages(&self, recipe: &Recipe, findings: &mut Vec<Diagnostic>) {
        let mut seen = HashSet::new();
        for stage in &recipe.stages {
            let Some(name) = &stage.name else { continue };
            if matches!(&**name, "context" | "scratch") && self.config.allows(rules::RESERVED_STAGE_NAME) {
                let message = format!("Stage name should not use the same name as reserved stage {name:?}");
                findings.push(at_name(stage, Diagnostic::new(rules::RESERVED_STAGE_NAME, message)));
            }
            if !seen.insert(name) && self.config.allows(rules::DUPLICATE_STAGE_NAME) {
                let message = format!("Duplicate stage name {name:?}, stage names should be unique");
                findings.push(at_name(stage, Diagnostic::new(rules::DUPLICATE_STAGE_NAME, message)));
            }
        }
        if self.config.allows(rules::CONSISTENT_INSTRUCTION_CASING) {
            instruction_casing(recipe, findings);
        }
    }
}

fn at_name(stage: &Stage, finding: Diagnostic) -> Diagnostic {
    let finding = finding.at(stage.head.span);
    match stage.name_span {
        Some(span) => finding.also(span, "the name"),
        None => finding,
    }
}

fn maintainer_deprecated(source: &Source<'_>) -> Diagnostic {
    let message = "Maintainer instruction is deprecated in favor of using label";
    let finding = source.finding(rules::MAINTAINER_DEPRECATED, message, 0..0);
    match source.words() {
        [name] if !name.text.contains(['"', '\'', '\\', '`', '$']) => {
            let text = format!("LABEL org.opencontainers.image.authors=\"{}\"", name.text);
            let edit = Edit { span: source.whole(), text };
            finding.fix("use a label", vec![edit], Applicability::Unsafe)
        }
        _ => finding,
    }
}

fn stage_name_casing(source: &Source<'_>) -> Option<Diagnostic> {
    let [_, _, name] = source.words() else { return None };
    let lower = to_lower(&name.text);
    // What stands for bytes that are no text has no lower case in the reference.
    if lower == name.text && !lower.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let message = format!("Stage name '{}' should be lowercase", name.text);
    let finding = source.finding(rules::STAGE_NAME_CASING, message, name.range.clone());
    let edit = Edit { span: source.span(name.range.clone()), text: lower.into_owned() };
    Some(finding.fix("write the name in lower case", vec![edit], Applicability::Safe))
}

fn from_as_casing(source: &Source<'_>) -> Option<Diagnostic> {
    let [_, r#as, _, ..] = source.words() else { return None };
    let from = source.keyword();
    let expected = if is_lower(from) {
        to_lower(&r#as.text)
    } else if is_upper(from) {
        to_upper(&r#as.text)
    } else {
        return None;
    };
    if expected == r#as.text {
        return None;
    }
    let message = format!("'{}' and '{from}' keywords' casing do not match", r#as.text);
    let finding = source.finding(rules::FROM_AS_CASING, message, r#as.range.clone());
    let edit = Edit { span: source.span(r#as.range.clone()), text: expected.clone().into_owned() };
    Some(finding.fix(format!("write `{expected}`"), vec![edit], Applicability::Safe))
}

/// ConsistentInstructionCasing. Global arguments do not count.
fn instruction_casing(recipe: &Recipe, findings: &mut Vec<Diagnostic>) {
    let heads = || {
        recipe.stages.iter().flat_map(|stage| {
            let steps = stage.steps.iter().filter(|step| !matches!(step.kind, StepKind::Error));
            std::iter::once(&stage.head).chain(steps.map(|step| &step.head))
        })
    };
    let (mut lower, mut upper) = (0, 0);
    for head in heads() {
        if is_lower(&head.keyword) {
            lower += 1;
        } else if is_upper(&head.keyword) {
            upper += 1;
        }
    }
    let (case, is_right, right): (_, fn(&str) -> bool, fn(&str) -> Cow<'_, str>) =
        if lower > upper { ("lowercase", is_lower, to_lower) } else { ("uppercase", is_upper, to_upper) };
    for head in heads() {
        if is_right(&head.keyword) {
            continue;
        }
        let right = right(&head.keyword);
        let message = format!("Command '{}' should match the case of the command majority ({case})", head.keyword);
        let edit = Edit { span: head.keyword_span, text: right.clone().into_owned() };
        findings.push(
            Diagnostic::new(rules::CONSISTENT_INSTRUCTION_CASING, message)
                .at(head.span)
                .also(head.keyword_span, "the instruction")
                .fix(format!("write `{right}`"), vec![edit], Applicability::Safe),
        );
    }
}
