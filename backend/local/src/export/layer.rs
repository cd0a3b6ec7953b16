//! A layer as a blob: its upper directory as a tar archive, hashed and compressed in one go, once.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use rbc_registry::media;
use rbc_source::execute;
use rustix::fs::{AtFlags, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::rootfs::{capabilities, header, kind_of, modified};
use crate::error::{Fail, Result, failure, reason};
use crate::fs::{DEPTH_MAX, list, open_dir, open_dir_at};
use crate::store::{BlobInfo, BlobWriter, Snapshot, Store, exists_at, is_opaque, is_whiteout};
use crate::tar::{Compression, Gzip, Header, Kind, Writer};

/// How layers become blobs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LayerOptions {
    pub compression: Compression,
    /// Whether layers of base images are compressed anew.
    pub force: bool,
    /// Later times of files become this one.
    pub epoch: Option<i64>,
}

impl LayerOptions {
    /// A name for what the options make of a layer.
    fn name(&self) -> String {
        let compression = match self.compression {
            Compression::None => "tar".to_owned(),
            Compression::Gzip(level) => format!("gzip{level}"),
            Compression::Zstd(level) => format!("zstd{level}"),
        };
        let epoch = self.epoch.map_or_else(String::new, |at| format!("-{at}"));
        format!("blob-{compression}{epoch}.json")
    }
}

impl Store {
    /// The blob of one layer of a snapshot, which is made if it is not here.
    pub(super) fn layer_blob(&self, snapshot: &Snapshot, at: usize, options: &LayerOptions) -> Result<BlobInfo> {
        let Some(layer) = snapshot.layers().get(at) else {
            return Err(failure(rbc_source::environment::INTERNAL, "there is no such layer"));
        };
        let info = self.layer_info(layer)?;
        let here = |blob: &BlobInfo| {
            rbc_oci::Digest::parse(&blob.digest).is_ok_and(|digest| self.has_blob(&digest, blob.size))
        };
        if let Some(blob) = info.blob.filter(|blob| here(blob) && !options.force) {
            return Ok(blob);
        }
        let note = self.layer_path(layer).join(options.name());
        let known = fs::read(&note).ok().and_then(|json| serde_json::from_slice::<BlobInfo>(&json).ok());
        if let Some(blob) = known.filter(here) {
            return Ok(blob);
        }
        let key = rbc_wire::Digest::of(format!("blob\n{}\n{}", layer.id(), options.name()).as_bytes());
        let _lock = self.lock_key(&key, &|| false)?;
        let known = fs::read(&note).ok().and_then(|json| serde_json::from_slice::<BlobInfo>(&json).ok());
        if let Some(blob) = known.filter(here) {
            return Ok(blob);
        }
        let below = Snapshot::new(snapshot.layers()[..at].to_vec());
        let hidden = self.view(&below)?;
        let files =
            open_dir(&self.layer_files(layer)).or_fail(execute::STORE, || format!("read the layer {}", layer.id()))?;
        let to = Packed::new(self.blob_writer()?, options.compression);
        let pack = || -> io::Result<(Packed, String)> {
            let mut diff = Diff {
                writer: Writer::new(Hashed { inner: to?, hash: Sha256::new() }),
                hidden: hidden.root(),
                path: PathBuf::new(),
                links: HashMap::new(),
                epoch: options.epoch,
                whiteout_time: options.epoch.unwrap_or(info.created),
            };
            diff.directory(files.as_fd(), false, 0)?;
            let hashed = diff.writer.finish()?;
            Ok((hashed.inner, rbc_oci::Digest::sha256(hashed.hash.finalize().into()).to_string()))
        };
        let (packed, diff_id) = pack()
            .map_err(|e| failure(execute::EXPORT, format!("cannot pack the layer {}: {}", layer.id(), reason(&e))))?;
        let (digest, size) = packed.finish().or_fail(execute::EXPORT, || "compress a layer".to_owned())?.finish()?;
        let media_type = match options.compression {
            Compression::None => media::OCI_LAYER,
            Compression::Gzip(_) => media::OCI_LAYER_GZIP,
            Compression::Zstd(_) => media::OCI_LAYER_ZSTD,
        };
        let blob = BlobInfo { media_type: media_type.to_owned(), digest: digest.to_string(), size, diff_id };
        let json = serde_json::to_vec(&blob).map_err(|e| failure(execute::STORE, e.to_string()))?;
        self.publish(&note, &json).or_fail(execute::STORE, || format!("write {}", note.display()))?;
        Ok(blob)
    }
}

/// A blob with a compressor in front.
enum Packed<'s> {
    Plain(BlobWriter<'s>),
    Gzip(Box<Gzip<BlobWriter<'s>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, BlobWriter<'s>>>),
}

impl<'s> Packed<'s> {
    fn new(blob: BlobWriter<'s>, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Packed::Plain(blob),
            Compression::Gzip(level) => Packed::Gzip(Box::new(Gzip::new(blob, level.min(9))?)),
            Compression::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(blob, level.clamp(1, 22))?;
                // What comes out does not depend on how many there are, if there is one at least.
                let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
                encoder.multithread(threads as u32)?;
                Packed::Zstd(Box::new(encoder))
            }
        })
    }

    fn finish(self) -> io::Result<BlobWriter<'s>> {
        match self {
            Packed::Plain(blob) => Ok(blob),
            Packed::Gzip(gzip) => gzip.finish(),
            Packed::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl Write for Packed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(to) => to.write(bytes),
            Packed::Gzip(to) => to.write(bytes),
            Packed::Zstd(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct Diff<'a, W> {
    writer: Writer<W>,
    /// What the layer lies on.
    hidden: BorrowedFd<'a>,
    path: PathBuf,
    links: HashMap<(u64, u64), Vec<u8>>,
    epoch: Option<i64>,
    whiteout_time: i64,
}

/// What is to be said of a name.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Here,
    Gone,
}

impl<W: Write> Diff<'_, W> {
    /// Writes what is in a directory. If it is opaque, what it hides is listed as gone, name by name, as BuildKit does.
    fn directory(&mut self, from: BorrowedFd, opaque: bool, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("directories are nested too deep"));
        }
        let mut names: BTreeMap<CString, Change> = BTreeMap::new();
        if opaque {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            if let Ok(below) = crate::fs::open_beneath(self.hidden, &self.path, flags) {
                names.extend(list(&below)?.into_iter().map(|entry| (entry.name, Change::Gone)));
            }
        }
        names.extend(list(from)?.into_iter().map(|entry| (entry.name, Change::Here)));
        for (name, change) in names {
            self.path.push(std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes()) as &std::ffi::OsStr);
            match change {
                Change::Gone => self.whiteout(&name)?,
                Change::Here => self.entry(from, &name, depth)?,
            }
            self.path.pop();
        }
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        std::os::unix::ffi::OsStrExt::as_bytes(self.path.as_os_str()).to_vec()
    }

    fn whiteout(&mut self, name: &CStr) -> io::Result<()> {
        let mut path = self.bytes();
        path.truncate(path.len() - name.to_bytes().len());
        path.extend(b".wh.");
        path.extend(name.to_bytes());
        let header = Header {
            path,
            link: Vec::new(),
            kind: Kind::File,
            mode: 0,
            uid: 0,
            gid: 0,
            size: 0,
            modified: (self.whiteout_time, 0),
            device: (0, 0),
            xattrs: Vec::new(),
        };
        self.writer.entry(&header, &mut io::empty())
    }

    fn entry(&mut self, from: BorrowedFd, name: &CStr, depth: usize) -> io::Result<()> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if is_whiteout(&stat) {
            return self.whiteout(name);
        }
        let Some(kind) = kind_of(&stat) else { return Ok(()) };
        // Layers count in whole seconds.
        let (seconds, _) = modified(&stat, self.epoch);
        let mut header = header(self.bytes(), &stat, kind, (seconds, 0));
        let mut nothing = io::empty();
        match kind {
            Kind::Directory => {
                header.path.push(b'/');
                self.writer.entry(&header, &mut nothing)?;
                let hides = is_opaque(from, name)? && exists_at(self.hidden, &self.path);
                self.directory(open_dir_at(from, name)?.as_fd(), hides, depth + 1)
            }
            Kind::Symlink => {
                header.link = rustix::fs::readlinkat(from, name, Vec::new())?.into_bytes();
                self.writer.entry(&header, &mut nothing)
            }
            Kind::File => {
                let key = (stat.st_dev, stat.st_ino);
                if let Some(first) = self.links.get(&key).filter(|_| stat.st_nlink > 1) {
                    (header.kind, header.link, header.size) = (Kind::Link, first.clone(), 0);
                    return self.writer.entry(&header, &mut nothing);
                }
                if stat.st_nlink > 1 {
                    self.links.insert(key, self.bytes());
                }
                header.xattrs = capabilities(from, name)?;
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
                self.writer.entry(&header, &mut file)
            }
            _ => self.writer.entry(&header, &mut nothing),
        }
    }
}
