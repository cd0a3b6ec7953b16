//! Compression of archives.

use std::io::{self, BufReader, Read};

/// How a layer or an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// With gzip, at a level from 0 to 9.
    Gzip(u32),
    /// With zstd, at a level from 1 to 22.
    Zstd(i32),
}

impl Default for Compression {
    fn default() -> Self {
        Compression::Gzip(6)
    }
}

/// Decompresses whatever it is, by its first bytes; what is not compressed is given as it is.
pub(crate) fn decompressed<'r>(from: impl Read + Send + 'r) -> io::Result<Box<dyn Read + Send + 'r>> {
    let mut from = BufReader::with_capacity(128 << 10, from);
    let mut first = Vec::new();
    // A reader may give less than there is, and the mark is not looked for in less.
    from.by_ref().take(6).read_to_end(&mut first)?;
    let kind = first.clone();
    let from = io::Cursor::new(first).chain(from);
    Ok(match &kind[..] {
        [0x1f, 0x8b, 0x08, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(from)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(from)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(lzma_rust2::XzReader::new(from, true)),
        // Frames of zstd that hold no data may come first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(from)?),
        _ => Box::new(from),
    })
}

/// A reader that fails when more is read than was to be expected: a few bytes can decompress to terabytes.
pub(crate) struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Bounded<R> {
    /// At most `most` bytes.
    pub(crate) fn new(inner: R, most: u64) -> Self {
        Bounded { inner, left: most }
    }

    /// What `compressed` bytes may decompress to: 4 GiB and 250 times as much.
    pub(crate) fn of_compressed(inner: R, compressed: u64) -> Self {
        Bounded::new(inner, (4 << 30) + compressed.saturating_mul(250))
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it decompresses to so much that it may be meant to fill the disk",
            )
        })?;
        Ok(n)
    }
}
