//! Two RUNs as one.

use rbc_source::{Edit, Span};

use crate::sheet::{Flow, Statement};

/// The edits that join a RUN to the one before, if nothing but white space is between them and both are plain scripts.
pub(super) fn join(flow: &Flow<'_>, before: &Statement<'_>, run: &Statement<'_>) -> Option<Vec<Edit>> {
    let plain = |run: &Statement<'_>| {
        let script = run.script();
        script.readable && !script.exec && run.instruction.heredocs.is_empty() && !script.text.contains('#')
    };
    let (end, start) = (before.line_span().end as usize, run.script_start()?);
    let between = flow.file.text().get(end..run.span().start as usize)?;
    if !plain(before) || !plain(run) || !between.trim().is_empty() || run.flags().next().is_some() {
        return None;
    }
    let span = Span::new(flow.file.id(), end, start);
    Some(vec![Edit { span, text: format!(" {}\n && ", flow.document.escape) }])
}
