//! Whether a plan may do what it needs.

use std::path::{Path, PathBuf};

use rbc_bake::{Planned, Rights};
use rbc_source::{Diagnostic, execute, go_bool};

use super::load::Loaded;

/// Refuses a plan that needs more than flags and the working directory grant.
///
/// # Errors
/// It does; the finding names the flags that would grant it.
pub fn check(loaded: &Loaded, planned: &Planned) -> Result<(), Diagnostic> {
    let mut granted = loaded.rights.clone();
    granted.read.insert(".".to_owned());
    granted.write.insert(".".to_owned());
    let files = loaded.env.process.get("BUILDX_BAKE_ENTITLEMENTS_FS").and_then(|v| go_bool(v));
    if files == Some(false) {
        granted.read.insert("*".to_owned());
        granted.write.insert("*".to_owned());
    }
    let missing = Rights::needed(&planned.plan).missing(&granted, &planned.allowed, within);
    if missing.is_empty() {
        return Ok(());
    }
    let mut found = Diagnostic::new(execute::NOT_ALLOWED, "the targets need what they were not allowed");
    for (flag, about) in missing.flags() {
        found = found.note(format!("{about}: `{flag}`"));
    }
    Err(found)
}

/// Whether a path lies in a directory, links followed.
fn within(path: &str, directory: &str) -> bool {
    real(Path::new(path)).starts_with(real(Path::new(directory)))
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for base in whole.ancestors() {
        if let (Ok(real), Ok(rest)) = (base.canonicalize(), whole.strip_prefix(base)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    whole
}
