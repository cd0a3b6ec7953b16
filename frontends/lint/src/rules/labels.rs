//! What the rules about the values of labels have in common.

use rbc_grammar::Keyword;
use rbc_source::{Code, Diagnostic};

use crate::config::LabelType;
use crate::sheet::{Flow, plain};

/// LABELs with a value that is wrong for the schema: of labels of one type, or of all. A finding a label and LABEL.
pub(super) fn labels(
    flow: &Flow<'_>,
    code: &'static Code,
    kind: Option<LabelType>,
    fault: &str,
    is_right: fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let schema = flow.config.label_schema.iter();
    let of_kind: Vec<&str> =
        schema.filter(|(_, k)| kind.is_none_or(|kind| kind == **k)).map(|(name, _)| &**name).collect();
    let mut findings = Vec::new();
    for label in flow.of(Keyword::Label) {
        for name in &of_kind {
            let mut pairs = label.pairs().iter().filter(|pair| *plain(&pair.key.text) == **name);
            // What a variable holds is not known here.
            let wrong = pairs.find(|pair| !pair.value.text.contains('$') && !is_right(&plain(&pair.value.text)));
            if let Some(pair) = wrong {
                let span = if pair.value.text.is_empty() { label.at(&pair.key) } else { label.at(&pair.value) };
                findings.push(Diagnostic::new(code, format!("label `{name}` {fault}")).at(span));
            }
        }
    }
    findings
}
