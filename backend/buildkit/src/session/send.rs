//! Directories for the daemon (`FileSync`).

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rbc_proto::Status;
use rbc_proto::session::{Packet, PacketKind, Stat, mode};
use rustix::fs::{FileType, OFlags};
use tokio::sync::mpsc;

use super::files::{open_beneath, open_dir};
use super::tree::{Filter, walk};
use rbc_rpc::{Reply, Request, code, status};

/// How much of a file is sent at a time.
const PIECE: usize = 128 << 10;
/// How many packets wait to be sent.
const AHEAD: usize = 64;

/// Files that may be asked for, by their numbers; each once.
type Offered = Arc<Mutex<HashMap<u32, PathBuf>>>;

/// Sends the directory that the daemon names, if it was given to it.
pub(super) async fn send(
    local: &BTreeMap<String, PathBuf>,
    request: &mut Request,
    reply: &mut Reply,
) -> Result<(), Status> {
    let name = values(request, "dir-name").into_iter().next().unwrap_or_default();
    let filter = Filter {
        include: values(request, "include-patterns"),
        exclude: values(request, "exclude-patterns"),
        follow: values(request, "followpaths"),
    };
    let Some(root) = local.get(&name).cloned() else {
        return Err(status(code::NOT_FOUND, format!("the directory `{name}` was not given to this build")));
    };
    let (packets, mut ready) = mpsc::channel(AHEAD);
    let (wanted, requests) = std::sync::mpsc::channel();
    let offered = Offered::default();
    tokio::task::spawn_blocking({
        let (offered, packets) = (offered.clone(), packets.clone());
        move || {
            let outcome = describe(&root, &filter, &offered, &packets);
            let outcome = outcome.and_then(|()| contents(&root, &requests, &packets));
            if let Err(e) = outcome {
                // If nobody listens, it need not be said.
                _ = packets.blocking_send(Packet {
                    kind: PacketKind::Err.into(),
                    data: format!("{}: {e}", root.display()).into_bytes().into(),
                    ..Packet::default()
                });
            }
        }
    });
    drop(packets);
    loop {
        tokio::select! {
            Some(packet) = ready.recv() => {
                let failed = packet.kind() == PacketKind::Err;
                reply.message(&packet).await?;
                if failed {
                    return Err(status(code::UNKNOWN, String::from_utf8_lossy(&packet.data)));
                }
            }
            packet = request.messages.message::<Packet>() => {
                let Some(packet) = packet? else { return Ok(()) };
                match packet.kind() {
                    PacketKind::Req => {
                        let path = offered.lock().unwrap_or_else(|e| e.into_inner()).remove(&packet.id);
                        let unknown = || status(code::INVALID, format!("no file has the number {}", packet.id));
                        // If nobody reads any more, the failure is on its way.
                        _ = wanted.send((packet.id, path.ok_or_else(unknown)?));
                    }
                    PacketKind::Fin => {
                        return reply.message(&Packet { kind: PacketKind::Fin.into(), ..Packet::default() }).await;
                    }
                    PacketKind::Err => {
                        return Err(status(code::UNKNOWN, String::from_utf8_lossy(&packet.data)));
                    }
                    PacketKind::Stat | PacketKind::Data => {}
                }
            }
        }
    }
}

/// The values of a key, which are encoded as in a query if the daemon says so.
fn values(request: &Request, key: &str) -> Vec<String> {
    let encoded = request.metadata(&format!("{key}-encoded")).first().is_some_and(|value| value == "1");
    let values = request.metadata(key);
    if encoded { values.iter().map(|value| decoded(value)).collect() } else { values }
}

fn decoded(text: &str) -> String {
    rbc_rpc::percent_decoded(text.replace('+', " ").as_bytes())
}

fn gone<T>(_: T) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the daemon has gone")
}

/// Tells of everything that the filter lets through.
fn describe(root: &Path, filter: &Filter, offered: &Offered, packets: &mpsc::Sender<Packet>) -> io::Result<()> {
    let dir = open_dir(root)?;
    let mut next = 0_u32;
    let stat = |stat: Option<Stat>| Packet { kind: PacketKind::Stat.into(), stat, ..Packet::default() };
    walk(dir.as_fd(), filter, &mut |found| {
        if found.mode & mode::TYPE == 0 {
            offered.lock().unwrap_or_else(|e| e.into_inner()).insert(next, PathBuf::from(&found.path));
        }
        next = next.checked_add(1).ok_or_else(|| io::Error::other("there are too many files"))?;
        packets.blocking_send(stat(Some(found))).map_err(gone)
    })?;
    packets.blocking_send(stat(None)).map_err(gone)
}

/// Sends the files that are asked for, one after the other.
fn contents(
    root: &Path,
    requests: &std::sync::mpsc::Receiver<(u32, PathBuf)>,
    packets: &mpsc::Sender<Packet>,
) -> io::Result<()> {
    let dir = open_dir(root)?;
    let data = |id, bytes: &[u8]| Packet {
        kind: PacketKind::Data.into(),
        id,
        data: bytes.to_vec().into(),
        ..Packet::default()
    };
    let mut buffer = vec![0; PIECE];
    while let Ok((id, path)) = requests.recv() {
        let at = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let fd = open_beneath(&dir, &path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW).map_err(at)?;
        // It may have become something else since it was described.
        if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Err(at(io::Error::other("it is no file any more")));
        }
        let mut file = File::from(fd);
        loop {
            match file.read(&mut buffer) {
                Ok(n) => {
                    packets.blocking_send(data(id, &buffer[..n])).map_err(gone)?;
                    if n == 0 {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(at(e)),
            }
        }
    }
    Ok(())
}
