//! Archives: reading those of others with care, writing ours as the reference does.

mod apply;
mod compress;
mod gzip;
mod read;
mod write;

pub(crate) use apply::{Apply, apply};
pub use compress::Compression;
pub(crate) use compress::{Bounded, decompressed};
pub(crate) use gzip::Gzip;
pub(crate) use read::{Header, Kind, Reader};
pub(crate) use write::Writer;

/// When the newest file in an archive was changed, in seconds since 1970; none if it is no archive or has no files.
pub fn newest_in_archive(bytes: &[u8]) -> Option<i64> {
    let size = u64::try_from(bytes.len()).ok()?;
    let mut archive = Reader::new(Bounded::of_compressed(decompressed(bytes).ok()?, size));
    let mut newest = None;
    while let Some(header) = archive.next().ok()? {
        if header.kind == Kind::File {
            newest = newest.max(Some(header.modified.0));
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file() {
        // One file and one directory, which counts for nothing.
        let mut archive = Vec::new();
        for (name, kind, time) in [("a", b'0', 5), ("b", b'0', 7), ("c", b'5', 9)] {
            let mut block = [0; 512];
            block[..1].copy_from_slice(name.as_bytes());
            block[100..107].copy_from_slice(b"0000644");
            block[124..135].copy_from_slice(b"00000000000");
            block[136..147].copy_from_slice(format!("{time:011o}").as_bytes());
            block[148..156].copy_from_slice(b"        ");
            block[156] = kind;
            block[257..263].copy_from_slice(b"ustar\0");
            let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
            archive.extend(block);
        }
        archive.extend([0; 1024]);
        assert_eq!(newest_in_archive(&archive), Some(7));
        assert_eq!(newest_in_archive(b"FROM scratch\n"), None);
        assert_eq!(newest_in_archive(b""), None);
    }
}
