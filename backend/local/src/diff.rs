//! Diff ops: what one file system adds to another.

use rbc_source::execute;

use crate::error::{Fail, Result};
use crate::store::{Layer, Snapshot, Store};

/// What `upper` adds to `lower`, as something that can be put on anything.
pub(crate) fn diff(store: &Store, lower: &Snapshot, upper: &Snapshot, description: &str) -> Result<Snapshot> {
    if lower.layers().is_empty() {
        return Ok(upper.clone());
    }
    if upper.layers().starts_with(lower.layers()) {
        return Ok(Snapshot::new(store.loosened(upper, lower.layers().len())?));
    }
    // They have other histories, so that only looking at the files tells.
    let (from, to) = (store.view(lower)?, store.view(upper)?);
    let draft = store.draft(Snapshot::default())?;
    let view = draft.view()?;
    crate::changes::write(from.root(), to.root(), view.root())
        .or_fail(execute::FILES, || "compare two file systems".to_owned())?;
    drop(view);
    let made = draft.commit_as(
        Layer::random().loosened(),
        crate::LayerInfo { description: description.to_owned(), ..Default::default() },
    )?;
    Ok(made)
}
