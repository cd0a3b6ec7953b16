//! DL3006: an image without a tag is whatever `latest` is today.

use rbc_source::{Diagnostic, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3006, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (from, base) in flow.stages() {
        let image = &base.image;
        let is_stage = flow.stage_named(&base.text.text, from.stage).is_some();
        let pinned = image.tag.is_some() || image.digest.is_some();
        // A variable may hold the tag.
        if !pinned && !is_stage && &*base.text.text != "scratch" && !image.name.starts_with('$') {
            let message = format!("image `{}` has no tag", base.text.text);
            findings.push(Diagnostic::new(RULE.code, message).labelled(from.at(&base.text), "means `latest`"));
        }
    }
    findings
}
