//! `rbc inspect`.

use std::io::Read as _;
use std::path::Path;

use rbc_source::{Diagnostic, environment};

use super::args::InspectArgs;
use super::{Failure, write_output};

/// Reads a definition.
pub fn read(path: &Path) -> Result<rbc_wire::Loaded, Diagnostic> {
    let limit = rbc_wire::MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|f| f.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|e| Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", path.display())))?;
    rbc_wire::load(&bytes).map_err(|e| *e)
}

/// Runs the command.
pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let loaded = read(&args.file)?;
    let text = if args.json { rbc_wire::to_json(&loaded) } else { rbc_wire::to_text(&loaded) };
    Ok(write_output(None, text.as_bytes())?)
}
