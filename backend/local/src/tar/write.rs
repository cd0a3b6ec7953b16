//! Writing tar: pax, with extended headers only where a field needs one, as the reference's library does.

use std::io::{self, Read, Write};

use super::{Header, Kind};

const BLOCK: u64 = 512;
/// Largest numbers that fit a field in octal digits.
const ID_MAX: u64 = 0o7_777_777;
const SIZE_MAX: u64 = 0o77_777_777_777;

/// Writes an archive entry by entry.
pub(crate) struct Writer<W> {
    inner: W,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(inner: W) -> Self {
        Writer { inner }
    }

    /// Adds an entry. `data` must have as many bytes as the header says.
    pub(crate) fn entry(&mut self, header: &Header, data: &mut dyn Read) -> io::Result<()> {
        let mut records = Vec::new();
        let mut text = |key: &str, value: &[u8], most: usize| {
            if value.len() > most || !value.is_ascii() {
                records.push((key.as_bytes().to_vec(), value.to_vec()));
            }
        };
        text("path", &header.path, 100);
        text("linkpath", &header.link, 100);
        let (seconds, nanos) = header.modified;
        if nanos != 0 || !(0..=SIZE_MAX as i64).contains(&seconds) {
            records.push((b"mtime".to_vec(), time(seconds, nanos).into_bytes()));
        }
        for (key, value, most) in
            [("size", header.size, SIZE_MAX), ("uid", header.uid.into(), ID_MAX), ("gid", header.gid.into(), ID_MAX)]
        {
            if value > most {
                records.push((key.as_bytes().to_vec(), value.to_string().into_bytes()));
            }
        }
        for (key, value) in &header.xattrs {
            records.push(([b"SCHILY.xattr.", &key[..]].concat(), value.clone()));
        }
        if !records.is_empty() {
            records.sort();
            let body: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
            let extended = Header {
                path: pax_name(&header.path),
                link: Vec::new(),
                kind: Kind::File,
                mode: 0,
                uid: 0,
                gid: 0,
                size: body.len() as u64,
                modified: (0, 0),
                device: (0, 0),
                xattrs: Vec::new(),
            };
            self.inner.write_all(&block(&extended, b'x'))?;
            self.inner.write_all(&body)?;
            self.pad(body.len() as u64)?;
        }
        let kind = match header.kind {
            Kind::File => b'0',
            Kind::Link => b'1',
            Kind::Symlink => b'2',
            Kind::Character => b'3',
            Kind::Block => b'4',
            Kind::Directory => b'5',
            Kind::Fifo => b'6',
        };
        self.inner.write_all(&block(header, kind))?;
        if header.size > 0 {
            let copied = io::copy(&mut data.take(header.size), &mut self.inner)?;
            if copied != header.size {
                return Err(io::Error::other("a file became shorter while it was read"));
            }
            self.pad(header.size)?;
        }
        Ok(())
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.inner.write_all(&[0; 2 * BLOCK as usize])?;
        Ok(self.inner)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = size.wrapping_neg() % BLOCK;
        self.inner.write_all(&[0; BLOCK as usize][..padding as usize])
    }
}

/// `a/PaxHeaders.0/b` for `a/b`.
fn pax_name(path: &[u8]) -> Vec<u8> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let (dir, base) = match path.iter().rposition(|b| *b == b'/') {
        Some(at) => path.split_at(at + 1),
        None => (&b""[..], path),
    };
    let mut name = [dir, b"PaxHeaders.0/", base].concat();
    name.retain(u8::is_ascii);
    name.truncate(100);
    name
}

/// `LENGTH KEY=VALUE\n`, whose length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() + rest != length {
        length = rest + length.to_string().len();
    }
    [format!("{length} ").as_bytes(), key, b"=", value, b"\n"].concat()
}

fn time(seconds: i64, nanos: u32) -> String {
    let (sign, seconds, nanos) = match (seconds < 0, nanos) {
        (true, 1..) => ("-", -(i128::from(seconds) + 1), 1_000_000_000 - nanos),
        (true, _) => ("-", -i128::from(seconds), 0),
        _ => ("", i128::from(seconds), nanos),
    };
    let fraction = format!("{nanos:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{seconds}"),
        fraction => format!("{sign}{seconds}.{fraction}"),
    }
}

fn block(header: &Header, kind: u8) -> [u8; BLOCK as usize] {
    let mut block = [0; BLOCK as usize];
    let mut put = |at: usize, most: usize, bytes: &[u8]| {
        let len = bytes.len().min(most);
        block[at..at + len].copy_from_slice(&bytes[..len]);
    };
    let ascii = |bytes: &[u8]| bytes.iter().copied().filter(u8::is_ascii).collect::<Vec<u8>>();
    put(0, 100, &ascii(&header.path));
    let octal = |value: u64, width: usize| format!("{value:0width$o}").into_bytes();
    let fits = |value: u64, most: u64| if value > most { 0 } else { value };
    put(100, 8, &octal(header.mode.into(), 7));
    put(108, 8, &octal(fits(header.uid.into(), ID_MAX), 7));
    put(116, 8, &octal(fits(header.gid.into(), ID_MAX), 7));
    put(124, 12, &octal(fits(header.size, SIZE_MAX), 11));
    let seconds = u64::try_from(header.modified.0).unwrap_or(0);
    put(136, 12, &octal(fits(seconds, SIZE_MAX), 11));
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, 100, &ascii(&header.link));
    put(257, 8, b"ustar\x0000");
    put(329, 8, &octal(header.device.0.into(), 7));
    put(337, 8, &octal(header.device.1.into(), 7));
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::Reader;

    #[test]
    fn what_is_written_is_read() {
        let plain = Header {
            path: b"dir/file".to_vec(),
            link: Vec::new(),
            kind: Kind::File,
            mode: 0o4755,
            uid: 1000,
            gid: 5,
            size: 5,
            modified: (1_700_000_000, 0),
            device: (0, 0),
            xattrs: Vec::new(),
        };
        let headers = [
            plain.clone(),
            Header { path: "d\u{e4}r/".repeat(60).into_bytes(), kind: Kind::Directory, size: 0, ..plain.clone() },
            Header {
                kind: Kind::Symlink,
                link: vec![b'x'; 300],
                size: 0,
                modified: (-3, 250_000_000),
                ..plain.clone()
            },
            Header {
                uid: 3_000_000_000,
                modified: (5, 1),
                xattrs: vec![(b"security.capability".to_vec(), vec![1, 0, b'\n', b'='])],
                ..plain.clone()
            },
            Header { kind: Kind::Block, device: (8, 1), size: 0, ..plain.clone() },
        ];
        let mut writer = Writer::new(Vec::new());
        for header in &headers {
            writer.entry(header, &mut &b"hello"[..]).unwrap();
        }
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes.len() % 512, 0);
        let mut reader = Reader::new(&bytes[..]);
        for header in &headers {
            assert_eq!(reader.next().unwrap().as_ref(), Some(header));
            if header.size > 0 {
                let mut data = String::new();
                reader.read_to_string(&mut data).unwrap();
                assert_eq!(data, "hello");
            }
        }
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn lengths_count_themselves() {
        for len in [1, 5, 85, 86, 87, 90, 91, 92, 980, 981, 982, 985, 990, 991, 992, 10_000] {
            let made = record(b"k", &vec![b'v'; len]);
            let space = made.iter().position(|b| *b == b' ').unwrap();
            assert_eq!(std::str::from_utf8(&made[..space]).unwrap(), made.len().to_string(), "{len}");
        }
    }

    #[test]
    fn damaged_archives_are_refused() {
        let header = Header {
            path: b"f".to_vec(),
            link: Vec::new(),
            kind: Kind::File,
            mode: 0,
            uid: 0,
            gid: 0,
            size: 3,
            modified: (0, 0),
            device: (0, 0),
            xattrs: vec![(b"user.x".to_vec(), b"1".to_vec())],
        };
        let mut writer = Writer::new(Vec::new());
        writer.entry(&header, &mut &b"abc"[..]).unwrap();
        let good = writer.finish().unwrap();
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            while reader.next()?.is_some() {
                io::copy(&mut reader, &mut io::sink())?;
            }
            io::Result::Ok(())
        };
        assert!(read(&good).is_ok());
        for cut in [1, 511, 513, 1000, 1100, 1537, 1540] {
            assert!(read(&good[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x80;
            // It must end, in whatever way.
            let _ = read(&bad);
        }
    }
}
