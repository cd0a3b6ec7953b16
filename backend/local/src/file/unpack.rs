//! Unpacking an archive that is added to a file system.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;

use rbc_ir::Copy;
use rbc_source::{Diagnostic, execute};
use rustix::fs::{FileType, OFlags};

use super::{Owner, Source, kind, make_all, open_resolved, time};
use crate::error::{failure, reason, show};
use crate::fs::{clean, open_beneath, resolve};
use crate::tar::{Apply, Bounded, Reader, apply, decompressed};

/// Unpacks what is at `path` to the destination of the action, if it is an archive; otherwise nothing is done.
pub(super) fn unpack(
    source: &Source,
    path: &Path,
    root: BorrowedFd,
    copy: &Copy,
    owner: Owner,
) -> Result<bool, Box<Diagnostic>> {
    let failed = |e: io::Error| {
        failure(execute::ARCHIVE, format!("cannot unpack `/{}` to `{}`: {}", show(path), show(&copy.dest), reason(&e)))
    };
    let Some(mut file) = open(source, path).map_err(failed)? else { return Ok(false) };
    if !is_archive(&mut file) {
        return Ok(false);
    }
    let unpack = || -> io::Result<()> {
        use std::io::Seek;
        file.rewind()?;
        let size = file.metadata()?.len();
        let dest = resolve(root, &clean(&copy.dest), true)?;
        make_all(root, &dest.path, 0o755, owner, time(copy.timestamp))?;
        let dir = open_resolved(root, &dest.path)?;
        let mut archive = Reader::new(Bounded::of_compressed(decompressed(file)?, size));
        apply(&mut archive, std::os::fd::AsFd::as_fd(&dir), &Apply { layer: false, owner, cancel: &[] })
    };
    unpack().map_err(failed)?;
    Ok(true)
}

/// Opens a regular file of the source; `None` if it is something else or is not there.
fn open(source: &Source, path: &Path) -> io::Result<Option<File>> {
    let found = resolve(source.root, path, true)?;
    let is_file = found.stat.as_ref().is_some_and(|s| kind(s) == FileType::RegularFile);
    if !is_file || !source.has(&found.path) {
        return Ok(None);
    }
    let fd = open_beneath(source.root, &found.path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    Ok(Some(File::from(fd)))
}

/// Whether a file begins as an archive does, whatever it is compressed with.
fn is_archive(file: &mut impl Read) -> bool {
    // A block of zeros alone is the end of an archive, and not one.
    let begin = |file: &mut dyn Read| -> io::Result<bool> {
        let mut bytes = Vec::new();
        file.take(1 << 20).read_to_end(&mut bytes)?;
        let mut data = Vec::new();
        // The end may be missing, as only the beginning was read.
        let _ = decompressed(&bytes[..])?.take(2 << 20).read_to_end(&mut data);
        Ok(Reader::new(&data[..]).next()?.is_some())
    };
    begin(file).unwrap_or(false)
}
