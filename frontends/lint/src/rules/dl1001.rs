//! DL1001: a comment `# hadolint ignore=...`, for those who want exceptions to be configured in one place. Off unless asked for.

use rbc_grammar::Item;
use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::pragma::is_inline_ignore;
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL1001, on: false, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let comments = flow.document.items.iter().filter_map(|item| match item {
        Item::Comment(range) => Some(range),
        _ => None,
    });
    let ignores = comments.filter(|range| is_inline_ignore(&flow.document.text[(*range).clone()]));
    ignores
        .map(|range| {
            let end = range.start + flow.document.text[range.clone()].trim_end().len();
            let remove = Edit { span: flow.file.span(range.start, range.end), text: String::new() };
            Diagnostic::new(RULE.code, "rules are ignored by a comment").at(flow.file.span(range.start, end)).fix(
                "remove the comment",
                vec![remove],
                Applicability::Unsafe,
            )
        })
        .collect()
}
