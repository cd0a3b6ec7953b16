//! Stopping a build.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Stops a build when told to: running commands are killed, and nothing new begins. Clones are the same switch.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    on: AtomicBool,
    /// Readable from then on, so that who waits wakes up.
    event: OwnedFd,
}

impl Cancel {
    /// A switch that is off.
    ///
    /// # Errors
    /// If no more files can be opened.
    pub fn new() -> io::Result<Cancel> {
        let event = eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Cancel(Arc::new(Inner { on: AtomicBool::new(false), event })))
    }

    /// Switches it on, for good. May be called from a signal handler.
    pub fn cancel(&self) {
        self.0.on.store(true, Ordering::SeqCst);
        // It cannot be full, and is readable already if it is.
        let _ = rustix::io::write(&self.0.event, &1_u64.to_ne_bytes());
    }

    /// Whether it is on.
    pub fn is_cancelled(&self) -> bool {
        self.0.on.load(Ordering::SeqCst)
    }

    pub(crate) fn event(&self) -> &OwnedFd {
        &self.0.event
    }
}
