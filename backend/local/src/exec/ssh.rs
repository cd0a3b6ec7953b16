//! An ssh agent inside a sandbox: a socket of its own whose connections are passed to the agent's.

use std::io;
use std::net::Shutdown;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A socket that is served until this is dropped.
pub(super) struct Forward {
    stop: Arc<AtomicBool>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Forward {
    /// Begins to serve a socket at `path`, which a user, a group and a mode may connect to.
    pub(super) fn start(path: &Path, agent: &Path, (uid, gid, mode): (u32, u32, u32)) -> io::Result<Forward> {
        // To say now that there is no agent, and not when a command asks it.
        UnixStream::connect(agent)?;
        let listener = UnixListener::bind(path)?;
        chown(path, Some(uid), Some(gid))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (agent, stopped) = (agent.to_owned(), stop.clone());
        let thread = std::thread::Builder::new().name("ssh".to_owned()).spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                // A command whose connection fails is told so by its being closed.
                if let Ok(client) = client {
                    let _ = UnixStream::connect(&agent).and_then(|agent| join(client, agent));
                }
            }
        })?;
        Ok(Forward { stop, path: path.to_owned(), thread: Some(thread) })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread up.
        if UnixStream::connect(&self.path).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Copies both ways until both ends are closed.
fn join(a: UnixStream, b: UnixStream) -> io::Result<()> {
    for (mut from, mut to) in [(a.try_clone()?, b.try_clone()?), (b, a)] {
        std::thread::Builder::new().name("ssh".to_owned()).spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })?;
    }
    Ok(())
}
