//! Build ops: a graph in a graph.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use rbc_ir::{Build, Ref};
use rbc_source::execute;
use rustix::fs::OFlags;

use crate::error::{Fail, failure, show};
use crate::fs::{clean, open_in};
use crate::session::SolveError;
use crate::store::{Snapshot, Store};

/// The input that holds the definition.
const DEFINITION: &str = "buildkit.llb.definition";
/// The option that names the file in it, and the file if none is named.
const FILE_OPTION: &str = "llb.filename";
const FILE: &str = "buildkit.llb.definition";

/// The bytes of the definition that a build op runs.
pub(crate) fn definition(
    store: &Store,
    op: &Build,
    snapshot: &dyn Fn(Ref) -> Result<Snapshot, SolveError>,
) -> Result<Vec<u8>, SolveError> {
    if op.builder.is_some() {
        return Err(failure(execute::UNSUPPORTED, "a build by another builder than LLB's own is not supported").into());
    }
    if let Some(bytes) = &op.def {
        return Ok(bytes.clone());
    }
    let input = op.inputs.get(DEFINITION).copied().flatten();
    let input = input.ok_or_else(|| failure(execute::UNSUPPORTED, "a build has no definition"))?;
    let view = store.view(&snapshot(input)?)?;
    let name = op.attrs.get(FILE_OPTION).map_or(FILE, String::as_str);
    let mut bytes = Vec::new();
    let read = open_in(view.root().as_fd(), &clean(name), OFlags::RDONLY | OFlags::NONBLOCK)
        .and_then(|fd| File::from(fd).take(rbc_wire::MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.or_fail(execute::FILES, || format!("read the definition `{}`", show(Path::new(name))))?;
    Ok(bytes)
}
