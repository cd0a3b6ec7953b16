//! Reading tar: ustar, the extensions of GNU tar for long names and large numbers, and pax headers.

use std::io::{self, Read};

/// Longest extended header or name.
const EXTENSION_MAX: u64 = 1 << 20;
const BLOCK: usize = 512;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    /// Another name of an earlier entry.
    Link,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

/// What an archive says about an entry. Nothing in it can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: Kind,
    /// Permission bits, with set-user-id and the like.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Seconds and nanoseconds since 1970.
    pub modified: (i64, u32),
    pub device: (u32, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads an archive entry by entry; as a [`Read`] it gives the contents of the entry at hand.
pub(crate) struct Reader<R> {
    inner: R,
    /// What is left of the entry at hand, and of the block that it ends in.
    left: u64,
    padding: u64,
    /// Global extended headers.
    global: Vec<(Vec<u8>, Vec<u8>)>,
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is not a well-formed tar archive: {}", why.into()))
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Reader { inner, left: 0, padding: 0, global: Vec::new() }
    }

    /// What is read from.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }

    /// Goes on to the next entry; `None` after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Header>> {
        let mut local: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let (mut long_path, mut long_link) = (None, None);
        loop {
            self.skip()?;
            let Some(block) = self.block()? else {
                return match local.is_empty() && long_path.is_none() && long_link.is_none() {
                    true => Ok(None),
                    false => Err(bad("it ends after an extended header")),
                };
            };
            if block.iter().all(|b| *b == 0) {
                return Ok(None);
            }
            check_sum(&block)?;
            let size = number(&block[124..136])?;
            let size = u64::try_from(size).map_err(|_| bad("an entry has a negative size"))?;
            match block[156] {
                b'x' => local = records(&self.extension(size)?)?,
                b'g' => {
                    for (key, value) in records(&self.extension(size)?)? {
                        self.global.retain(|(k, _)| *k != key);
                        if !value.is_empty() {
                            self.global.push((key, value));
                        }
                    }
                }
                b'L' => long_path = Some(until_zero(&self.extension(size)?).to_vec()),
                b'K' => long_link = Some(until_zero(&self.extension(size)?).to_vec()),
                _ => {
                    let mut header = plain(&block, size)?;
                    if let Some(path) = long_path {
                        header.path = path;
                    }
                    if let Some(link) = long_link {
                        header.link = link;
                    }
                    for (key, value) in self.global.iter().chain(&local) {
                        extend(&mut header, key, value)?;
                    }
                    let has_data = matches!(header.kind, Kind::File);
                    self.left = if has_data { header.size } else { 0 };
                    self.padding = self.left.wrapping_neg() % BLOCK as u64;
                    if !has_data {
                        // Some write the size of what a link leads to, without contents behind it.
                        header.size = 0;
                    }
                    return Ok(Some(header));
                }
            }
        }
    }

    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(bad("it is cut off")),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Some(block))
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION_MAX {
            return Err(bad(format!("an extended header has {size} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        self.inner.read_exact(&mut bytes).map_err(cut_off)?;
        let padding = size.wrapping_neg() % BLOCK as u64;
        let mut rest = [0; BLOCK];
        self.inner.read_exact(&mut rest[..padding as usize]).map_err(cut_off)?;
        Ok(bytes)
    }

    /// Skips what is left of the entry at hand.
    fn skip(&mut self) -> io::Result<()> {
        let rest = self.left + self.padding;
        let skipped = io::copy(&mut self.inner.by_ref().take(rest), &mut io::sink())?;
        (self.left, self.padding) = (0, 0);
        if skipped == rest { Ok(()) } else { Err(bad("it is cut off")) }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let n = self.inner.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(bad("it is cut off"));
        }
        self.left -= n as u64;
        Ok(n)
    }
}

fn cut_off(e: io::Error) -> io::Error {
    if e.kind() == io::ErrorKind::UnexpectedEof { bad("it is cut off") } else { e }
}

fn check_sum(block: &[u8; BLOCK]) -> io::Result<()> {
    let stated = number(&block[148..156])?;
    let byte = |(at, b): (usize, &u8)| if (148..156).contains(&at) { b' ' } else { *b };
    let unsigned: i64 = block.iter().enumerate().map(|b| i64::from(byte(b))).sum();
    let signed: i64 = block.iter().enumerate().map(|b| i64::from(byte(b) as i8)).sum();
    if stated == unsigned || stated == signed { Ok(()) } else { Err(bad("a header has a wrong check sum")) }
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in binary with the highest bit set.
fn number(field: &[u8]) -> io::Result<i64> {
    if field.first().is_some_and(|b| b & 0x80 != 0) {
        let negative = field[0] & 0x40 != 0;
        let mut value: i64 = if negative { -1 } else { 0 };
        for (at, byte) in field.iter().enumerate() {
            let byte = match at {
                0 if negative => *byte,
                0 => byte & 0x7f,
                _ => *byte,
            };
            let shifted = value.checked_mul(256).ok_or_else(|| bad("a number is too large"))?;
            value = shifted | i64::from(byte);
        }
        return Ok(value);
    }
    let text = until_zero(field).trim_ascii();
    if text.is_empty() {
        return Ok(0);
    }
    let mut value: i64 = 0;
    for digit in text {
        if !(b'0'..=b'7').contains(digit) {
            return Err(bad("a number is not octal"));
        }
        value = value
            .checked_mul(8)
            .and_then(|v| v.checked_add(i64::from(digit - b'0')))
            .ok_or_else(|| bad("a number is too large"))?;
    }
    Ok(value)
}

fn id(value: i64) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| bad(format!("{value} is no user or group")))
}

fn plain(block: &[u8; BLOCK], size: u64) -> io::Result<Header> {
    let mut path = until_zero(&block[..100]).to_vec();
    // GNU tar has something else where ustar has a prefix.
    if &block[257..263] == b"ustar\0" {
        let prefix = until_zero(&block[345..500]);
        if !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
    }
    let kind = match block[156] {
        0 | b'0' | b'7' if path.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' => Kind::File,
        b'1' => Kind::Link,
        b'2' => Kind::Symlink,
        b'3' => Kind::Character,
        b'4' => Kind::Block,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        b'S' => return Err(bad("it has a sparse file, which is not supported")),
        other => return Err(bad(format!("an entry is of the unknown type {:?}", char::from(other)))),
    };
    let device = |field: &[u8]| number(field).ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Ok(Header {
        path,
        link: until_zero(&block[157..257]).to_vec(),
        kind,
        mode: number(&block[100..108])? as u32 & 0o7777,
        uid: id(number(&block[108..116])?)?,
        gid: id(number(&block[116..124])?)?,
        size,
        modified: (number(&block[136..148])?, 0),
        device: (device(&block[329..337]), device(&block[337..345])),
        xattrs: Vec::new(),
    })
}

/// The records of an extended header: `LENGTH KEY=VALUE\n`.
fn records(mut bytes: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let wrong = || bad("an extended header is malformed");
        let space = bytes.iter().position(|b| *b == b' ').ok_or_else(wrong)?;
        let length =
            std::str::from_utf8(&bytes[..space]).ok().and_then(|n| n.parse::<usize>().ok()).ok_or_else(wrong)?;
        let record = bytes.get(space + 1..length).and_then(|r| r.strip_suffix(b"\n")).ok_or_else(wrong)?;
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(wrong)?;
        records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        bytes = &bytes[length..];
    }
    Ok(records)
}

fn extend(header: &mut Header, key: &[u8], value: &[u8]) -> io::Result<()> {
    let text = || std::str::from_utf8(value).map_err(|_| bad("an extended header is not text"));
    let whole = || -> io::Result<i64> { text()?.parse().map_err(|_| bad("an extended header has no number")) };
    match key {
        // One that is empty takes back a global one.
        b"path" if !value.is_empty() => header.path = value.to_vec(),
        b"linkpath" if !value.is_empty() => header.link = value.to_vec(),
        b"size" if !value.is_empty() => {
            header.size = u64::try_from(whole()?).map_err(|_| bad("an entry has a negative size"))?;
        }
        b"uid" if !value.is_empty() => header.uid = id(whole()?)?,
        b"gid" if !value.is_empty() => header.gid = id(whole()?)?,
        b"mtime" if !value.is_empty() => header.modified = time(text()?)?,
        key if key.starts_with(b"GNU.sparse.") => {
            return Err(bad("it has a sparse file, which is not supported"));
        }
        key => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                header.xattrs.retain(|(n, _)| n != name);
                header.xattrs.push((name.to_vec(), value.to_vec()));
            }
        }
    }
    Ok(())
}

/// `SECONDS[.FRACTION]`, which may be negative.
fn time(text: &str) -> io::Result<(i64, u32)> {
    let wrong = || bad("an extended header has no time");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| wrong())?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanos: u32 = digits.parse().map_err(|_| wrong())?;
    Ok(match (whole.starts_with('-'), nanos) {
        (true, 1..) => (seconds.checked_sub(1).ok_or_else(wrong)?, 1_000_000_000 - nanos),
        _ => (seconds, nanos),
    })
}
