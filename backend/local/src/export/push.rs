//! Images, to a registry.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use rbc_oci::{Digest, Reference};
use rbc_registry::{Client, Content, Descriptor};
use rbc_source::{environment, execute};

use super::Exported;
use crate::Cancel;
use crate::error::{Fail, Result, failure};
use crate::session::SolveError;
use crate::store::Store;

/// How many blobs are sent at a time.
const AT_ONCE: usize = 4;

impl Store {
    /// Brings an image to a registry, under a name. What the registry has is not sent. `done` is told of each blob that is there.
    ///
    /// # Errors
    /// E0304 and others of the registry, and E0814 if a blob is not in the store.
    pub fn push_image(
        &self,
        image: &Exported,
        name: &Reference,
        client: &Client,
        cancel: Option<&Cancel>,
        done: &(dyn Fn(&Descriptor) + Sync),
    ) -> Result<()> {
        let mut blobs = Vec::new();
        for (_, manifest) in &image.manifests {
            blobs.extend(manifest.layers.iter().chain([&manifest.config]));
        }
        blobs.sort_by(|a, b| a.digest.as_str().cmp(b.digest.as_str()));
        blobs.dedup_by(|a, b| a.digest == b.digest);
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            while let Some(blob) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if cancel.is_some_and(Cancel::is_cancelled) {
                    return Err(SolveError::cancelled().diagnostic);
                }
                client.push_blob(name, blob, Content::File(&self.blob_path(&blob.digest)), None)?;
                done(blob);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..blobs.len().min(AT_ONCE)).map(|_| scope.spawn(work)).collect();
            let mut outcome = work();
            for other in others {
                let lost = |_| Err(failure(environment::INTERNAL, "sending a layer failed"));
                outcome = outcome.and(other.join().unwrap_or_else(lost));
            }
            outcome
        })?;
        let by_digest = name.clone().without_tag_and_digest();
        for (descriptor, _) in &image.manifests {
            if descriptor.digest != image.top.digest {
                self.push_manifest(descriptor, &by_digest, client)?;
                done(descriptor);
            }
        }
        self.push_manifest(&image.top, name, client)?;
        done(&image.top);
        Ok(())
    }

    fn push_manifest(&self, descriptor: &Descriptor, name: &Reference, client: &Client) -> Result<()> {
        client.push_manifest(name, &descriptor.media_type, &self.read_blob(&descriptor.digest)?)?;
        Ok(())
    }

    /// The bytes of a small blob: a config, a manifest, an index.
    ///
    /// # Errors
    /// E0814 if it is not in the store.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        fs::read(self.blob_path(digest)).or_fail(execute::STORE, || format!("read the blob {digest}"))
    }
}
