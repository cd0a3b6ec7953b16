//! Blobs, by their digests.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use rbc_oci::Digest;
use rbc_source::execute;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Store;
use crate::error::{Fail, Result};

/// A layer as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobInfo {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of what it holds, uncompressed.
    pub diff_id: String,
}

/// A blob that is being written; it is gone unless it is finished.
pub(crate) struct BlobWriter<'s> {
    store: &'s Store,
    path: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
}

impl Store {
    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm()).join(digest.hex())
    }

    /// Whether a blob is here with its size.
    pub(crate) fn has_blob(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.blob_path(digest)).is_ok_and(|m| m.is_file() && m.len() == size)
    }

    /// Opens a blob. What is read from it is to be checked by who reads it.
    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.blob_path(digest);
        File::open(&path).or_fail(execute::STORE, || format!("read the blob {digest}"))
    }

    /// Begins a blob.
    pub(crate) fn blob_writer(&self) -> Result<BlobWriter<'_>> {
        let path = self.scratch();
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.or_fail(execute::STORE, || format!("write {}", path.display()))?;
        Ok(BlobWriter { store: self, path, file, hash: Sha256::new(), size: 0 })
    }

    /// Adds a blob.
    pub(crate) fn put_blob(&self, bytes: &[u8]) -> Result<(Digest, u64)> {
        let mut writer = self.blob_writer()?;
        writer.write_all(bytes).or_fail(execute::STORE, || "write a blob".to_owned())?;
        writer.finish()
    }
}

impl BlobWriter<'_> {
    /// Puts the blob into its place, and gives its digest and size.
    pub(crate) fn finish(mut self) -> Result<(Digest, u64)> {
        let digest = Digest::sha256(std::mem::take(&mut self.hash).finalize().into());
        let place = self.store.blob_path(&digest);
        fs::rename(&self.path, &place).or_fail(execute::STORE, || format!("keep the blob {digest}"))?;
        Ok((digest, self.size))
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BlobWriter<'_> {
    fn drop(&mut self) {
        // After it was finished there is nothing under this name.
        let _ = fs::remove_file(&self.path);
    }
}

impl rbc_registry::Sink for BlobWriter<'_> {
    fn restart(&mut self) -> io::Result<()> {
        use std::io::Seek;
        self.file.rewind()?;
        self.file.set_len(0)?;
        (self.hash, self.size) = (Sha256::new(), 0);
        Ok(())
    }
}
