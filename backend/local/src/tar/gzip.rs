//! gzip on several processors: one stream whose blocks are compressed apart from one another.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// How much is compressed at a time. It is part of what the output depends on; the number of threads is not.
const CHUNK: usize = 1 << 20;

/// A chunk and its place, and a compressed one.
type Job = (u64, Vec<u8>);
type Done = io::Result<Job>;

/// Compresses what is written to it.
pub(crate) struct Gzip<W> {
    to: W,
    chunk: Vec<u8>,
    crc: Crc,
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
    /// Places of the next chunk to be sent off, and of the next to be written.
    sent: u64,
    written: u64,
    early: BTreeMap<u64, Vec<u8>>,
}

impl<W: Write> Gzip<W> {
    pub(crate) fn new(mut to: W, level: u32) -> io::Result<Self> {
        // Magic, deflate, no flags, no time, no hints, unknown system.
        to.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
        let count = std::thread::available_parallelism().map_or(1, |n| n.get());
        let (jobs, todo) = sync_channel::<Job>(count);
        let (finished, done) = sync_channel::<Done>(count * 4);
        let todo = Arc::new(Mutex::new(todo));
        let mut threads = Vec::new();
        for _ in 0..count {
            let (todo, finished) = (todo.clone(), finished.clone());
            let work = move || {
                let mut state = Compress::new(Compression::new(level), false);
                loop {
                    let job = todo.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).recv();
                    let Ok((place, bytes)) = job else { return };
                    let compressed = compress(&mut state, &bytes).map(|out| (place, out));
                    if finished.send(compressed).is_err() {
                        return;
                    }
                }
            };
            threads.push(std::thread::Builder::new().name("gzip".to_owned()).spawn(work)?);
        }
        Ok(Gzip {
            to,
            chunk: Vec::with_capacity(CHUNK),
            crc: Crc::new(),
            jobs: Some(jobs),
            done,
            threads,
            sent: 0,
            written: 0,
            early: BTreeMap::new(),
        })
    }

    /// Sends the chunk off, and writes what is done meanwhile.
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.crc.update(&chunk);
        // So many may be on their way as there is room for, or both sides would wait for each other.
        while self.sent - self.written >= 2 * self.threads.len() as u64 {
            self.receive()?;
        }
        let lost = || io::Error::other("a compressing thread has ended");
        self.jobs.as_ref().ok_or_else(lost)?.send((self.sent, chunk)).map_err(|_| lost())?;
        self.sent += 1;
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        let (place, bytes) = self.done.recv().map_err(|_| io::Error::other("a compressing thread has ended"))??;
        self.early.insert(place, bytes);
        while let Some(next) = self.early.remove(&self.written) {
            self.to.write_all(&next)?;
            self.written += 1;
        }
        Ok(())
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.chunk.is_empty() {
            self.send()?;
        }
        self.jobs = None;
        while self.written < self.sent {
            self.receive()?;
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        // A last, empty block; the check sum; the length, of which 32 bits count.
        self.to.write_all(&[3, 0])?;
        self.to.write_all(&self.crc.sum().to_le_bytes())?;
        self.to.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..n]);
        if self.chunk.len() == CHUNK {
            self.send()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A chunk as blocks that are not the last, ended at a byte.
fn compress(state: &mut Compress, bytes: &[u8]) -> io::Result<Vec<u8>> {
    state.reset();
    let mut out = Vec::with_capacity(bytes.len() / 2 + 1024);
    loop {
        let read = state.total_in() as usize;
        let rest = bytes.get(read..).unwrap_or_default();
        let room = out.capacity() - out.len();
        let status = state.compress_vec(rest, &mut out, FlushCompress::Sync).map_err(io::Error::other)?;
        let all_read = state.total_in() as usize == bytes.len();
        // With room left there is nothing more to come.
        if all_read && out.len() < out.capacity() && matches!(status, Status::Ok | Status::BufError) {
            return Ok(out);
        }
        out.reserve(room.max(bytes.len() / 4 + 1024));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn any_gzip_reads_it() {
        let mut state = 1_u32;
        let mut noise = |len: usize| -> Vec<u8> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            (0..len).map(|_| next()).collect()
        };
        for bytes in [vec![], b"hello".to_vec(), noise(CHUNK), noise(3 * CHUNK + 17), vec![7; 5 * CHUNK]] {
            let mut gzip = Gzip::new(Vec::new(), 6).unwrap();
            gzip.write_all(&bytes).unwrap();
            let made = gzip.finish().unwrap();
            let mut again = Vec::new();
            flate2::read::GzDecoder::new(&made[..]).read_to_end(&mut again).unwrap();
            assert!(again == bytes, "{} bytes", bytes.len());
            let mut gzip = Gzip::new(Vec::new(), 6).unwrap();
            bytes.chunks(1000).for_each(|part| gzip.write_all(part).unwrap());
            assert!(gzip.finish().unwrap() == made, "the same whichever thread was faster");
        }
    }
}
