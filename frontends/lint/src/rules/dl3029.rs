//! DL3029: a platform that is written out binds the stage to it, whatever is built for.

use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3029, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (from, base) in flow.stages() {
        let Some(platform) = &base.platform else { continue };
        let value = platform.value.as_deref().unwrap_or_default();
        if ["BUILDPLATFORM", "TARGETPLATFORM"].iter().any(|name| value.contains(name)) {
            continue;
        }
        let edit = Edit { span: from.place(&(platform.range.start..base.text.range.start)), text: String::new() };
        findings.push(
            Diagnostic::new(RULE.code, "the stage is bound to one platform")
                .at(from.place(&platform.range))
                .note("say `$BUILDPLATFORM` for what runs during the build, nothing for what is shipped")
                .fix("take the platform that is built for", vec![edit], Applicability::Unsafe),
        );
    }
    findings
}
