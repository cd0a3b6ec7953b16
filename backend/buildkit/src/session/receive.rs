//! Results from the daemon (`FileSend`): an archive, or the files of a directory.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rbc_proto::session::{Packet, PacketKind, Stat, mode};
use rbc_proto::{BytesMessage, Status};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};

use super::Target;
use super::files::{DEPTH_MAX, list, open_beneath, open_dir, open_dir_at, parts, remove};
use rbc_rpc::{Reply, Request, code, status};

/// How many files are received at a time.
const FILES_MAX: usize = 32;
/// Set by daemons that send all platforms together. Others send one after the other, so that what the first sent would be
/// removed by the second.
const TOGETHER: &str = "buildkit-exporter-multi-platform";

/// Takes a result of the export with this number.
pub(super) async fn receive(
    targets: &Mutex<BTreeMap<usize, Target>>,
    number: usize,
    request: &mut Request,
    reply: &mut Reply,
) -> Result<(), Status> {
    let target = {
        let mut targets = targets.lock().unwrap_or_else(|e| e.into_inner());
        match targets.get(&number) {
            None => return Err(status(code::NOT_FOUND, format!("no result of an export {number} is wanted"))),
            // Each platform may come on its own.
            Some(Target::Directory { path, delete }) => Target::Directory { path: path.clone(), delete: *delete },
            Some(Target::Archive(_)) => targets.remove(&number).unwrap_or(Target::Archive(Box::new(io::sink()))),
        }
    };
    match target {
        Target::Archive(write) => archive(write, request, reply).await,
        Target::Directory { path, delete } => {
            if delete && request.metadata(TOGETHER).first().is_none_or(|value| value != "1") {
                let why =
                    "this BuildKit is too old to remove what a directory has and the result has not (`mode=delete`)";
                return Err(status(code::UNIMPLEMENTED, why));
            }
            let outcome = directory(&path, delete, request, reply).await;
            if let Err(e) = &outcome {
                let data = e.message.clone().into_bytes().into();
                // If the daemon has gone, it need not be told.
                _ = reply.message(&Packet { kind: PacketKind::Err.into(), data, ..Packet::default() }).await;
            }
            outcome
        }
    }
}

async fn archive(mut write: Box<dyn io::Write + Send>, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let failed = |e: io::Error| status(code::INTERNAL, format!("the archive cannot be written: {e}"));
    reply.begin()?;
    while let Some(piece) = request.messages.message::<BytesMessage>().await? {
        write.write_all(&piece.data).map_err(failed)?;
        // Everything else has its turn, too.
        tokio::task::yield_now().await;
    }
    write.flush().map_err(failed)
}

async fn directory(path: &Path, delete: bool, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
    let failed = |at: &str, e: io::Error| {
        status(code::INTERNAL, format!("`{}` cannot be written: {e}", path.join(at).display()))
    };
    std::fs::create_dir_all(path).map_err(|e| failed("", e))?;
    let mut tree = Tree::new(open_dir(path).map_err(|e| failed("", e))?);
    reply.begin()?;
    let mut next = 0_u32;
    let mut all = false;
    while let Some(packet) = request.messages.message::<Packet>().await? {
        match (packet.kind(), packet.stat) {
            (PacketKind::Stat, Some(stat)) => {
                tree.entry(next, &stat).map_err(|e| failed(&stat.path, e))?;
                next = next.checked_add(1).ok_or_else(|| status(code::INVALID, "there are too many files"))?;
            }
            (PacketKind::Stat, None) => all = true,
            (PacketKind::Data, _) => tree.data(packet.id, &packet.data).map_err(|(at, e)| failed(&at, e))?,
            (PacketKind::Err, _) => return Err(status(code::UNKNOWN, String::from_utf8_lossy(&packet.data))),
            (PacketKind::Fin, _) => return Ok(()),
            (PacketKind::Req, _) => {}
        }
        for id in tree.wanted().map_err(|(at, e)| failed(&at, e))? {
            reply.message(&Packet { kind: PacketKind::Req.into(), id, ..Packet::default() }).await?;
        }
        if all && tree.is_whole() {
            all = false;
            tree.finish(delete).map_err(|e| failed("", e))?;
            reply.message(&Packet { kind: PacketKind::Fin.into(), ..Packet::default() }).await?;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// A directory that is being received.
struct Tree {
    root: OwnedFd,
    /// What has been told of, by path.
    known: HashSet<PathBuf>,
    /// Directories, whose permissions and times are set at last, since they may forbid to write.
    directories: Vec<Stat>,
    /// Names of files that are written: each is linked when all is there.
    links: Vec<Stat>,
    /// Files that were not asked for yet.
    waiting: VecDeque<(u32, Stat)>,
    /// Files that are being written.
    open: HashMap<u32, (File, Stat)>,
}

impl Tree {
    fn new(root: OwnedFd) -> Self {
        Tree {
            root,
            known: HashSet::new(),
            directories: Vec::new(),
            links: Vec::new(),
            waiting: VecDeque::new(),
            open: HashMap::new(),
        }
    }

    /// The directory of a path and its name there. Only what was told of before can be a directory on the way.
    fn place(&self, path: &str) -> io::Result<(OwnedFd, CString)> {
        let bad = || io::Error::new(io::ErrorKind::InvalidInput, "it leads out of the directory");
        let (above, name) = parts(path).ok_or_else(bad)?;
        let known = above.as_os_str().is_empty() || self.known.contains(above);
        if !known || above.components().count() > DEPTH_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "its directory was not sent before"));
        }
        Ok((open_beneath(&self.root, above, OFlags::RDONLY | OFlags::DIRECTORY)?, name))
    }

    fn entry(&mut self, id: u32, stat: &Stat) -> io::Result<()> {
        let (dir, name) = self.place(&stat.path)?;
        let kind = stat.mode & mode::TYPE;
        match kind {
            mode::DIR => {
                if open_dir_at(&dir, &name).is_err() {
                    remove(&dir, &name, 0)?;
                    rustix::fs::mkdirat(&dir, &name, Mode::RWXU)?;
                } else {
                    // Ours may forbid what has to be done in it.
                    let own = Mode::from_raw_mode(mode::permissions(stat.mode)) | Mode::RWXU;
                    rustix::fs::chmodat(&dir, &name, own, AtFlags::empty())?;
                }
                self.directories.push(stat.clone());
            }
            mode::SYMLINK => {
                remove(&dir, &name, 0)?;
                rustix::fs::symlinkat(stat.linkname.as_str(), &dir, &name)?;
                set_times(&dir, &name, stat)?;
            }
            mode::NAMED_PIPE => {
                remove(&dir, &name, 0)?;
                let permissions = Mode::from_raw_mode(mode::permissions(stat.mode));
                rustix::fs::mknodat(&dir, &name, FileType::Fifo, permissions, 0)?;
                set_times(&dir, &name, stat)?;
            }
            0 if stat.linkname.is_empty() => self.waiting.push_back((id, stat.clone())),
            0 => self.links.push(stat.clone()),
            // Devices are not made on this machine.
            _ => return Ok(()),
        }
        self.known.insert(PathBuf::from(&stat.path));
        Ok(())
    }

    /// The numbers of files to be asked for now.
    fn wanted(&mut self) -> Result<Vec<u32>, (String, io::Error)> {
        let mut ids = Vec::new();
        while self.open.len() < FILES_MAX
            && let Some((id, stat)) = self.waiting.pop_front()
        {
            let file = self.create(&stat).map_err(|e| (stat.path.clone(), e))?;
            self.open.insert(id, (file, stat));
            ids.push(id);
        }
        Ok(ids)
    }

    fn create(&self, stat: &Stat) -> io::Result<File> {
        let (dir, name) = self.place(&stat.path)?;
        remove(&dir, &name, 0)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&dir, &name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// A piece of a file; an empty one ends it.
    fn data(&mut self, id: u32, bytes: &[u8]) -> Result<(), (String, io::Error)> {
        let Some((file, stat)) = self.open.get_mut(&id) else {
            return Err((String::new(), io::Error::other(format!("a file {id} was not asked for"))));
        };
        let at = |e: io::Error| (stat.path.clone(), e);
        if !bytes.is_empty() {
            return file.write_all(bytes).map_err(at);
        }
        rustix::fs::fchmod(&*file, Mode::from_raw_mode(mode::permissions(stat.mode))).map_err(|e| at(e.into()))?;
        rustix::fs::futimens(&*file, &times(stat)).map_err(|e| at(e.into()))?;
        self.open.remove(&id);
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// Does what can be done when all files are there.
    fn finish(&mut self, delete: bool) -> io::Result<()> {
        for stat in std::mem::take(&mut self.links) {
            let target = Path::new(&stat.linkname);
            if !self.known.contains(target) {
                return Err(io::Error::other(format!("{} is a link to something that was not sent", stat.path)));
            }
            let (from, old) = self.place(&stat.linkname)?;
            let (to, new) = self.place(&stat.path)?;
            remove(&to, &new, 0)?;
            rustix::fs::linkat(&from, &old, &to, &new, AtFlags::empty())?;
        }
        if delete {
            self.remove_others(&self.root, Path::new(""), 0)?;
        }
        for stat in self.directories.iter().rev() {
            let (dir, name) = self.place(&stat.path)?;
            let own = open_dir_at(&dir, &name)?;
            rustix::fs::fchmod(&own, Mode::from_raw_mode(mode::permissions(stat.mode)))?;
            rustix::fs::futimens(&own, &times(stat))?;
        }
        Ok(())
    }

    /// Removes what was not sent.
    fn remove_others(&self, dir: &OwnedFd, path: &Path, depth: usize) -> io::Result<()> {
        for entry in list(dir.as_fd())? {
            let path = path.join(entry.name());
            if !self.known.contains(&path) {
                remove(dir, &entry.name, depth)?;
            } else if entry.kind == FileType::Directory {
                self.remove_others(&open_dir_at(dir, &entry.name)?, &path, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn times(stat: &Stat) -> Timestamps {
    const SECOND: i64 = 1_000_000_000;
    let time = Timespec { tv_sec: stat.mod_time.div_euclid(SECOND), tv_nsec: stat.mod_time.rem_euclid(SECOND) };
    Timestamps { last_access: time, last_modification: time }
}

fn set_times(dir: &OwnedFd, name: &CString, stat: &Stat) -> io::Result<()> {
    Ok(rustix::fs::utimensat(dir, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)?)
}
