//! Stopping a build.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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

/// What signals switch on.
static SIGNALLED: OnceLock<Cancel> = OnceLock::new();

extern "C" fn signalled(_: libc::c_int) {
    if let Some(cancel) = SIGNALLED.get() {
        cancel.cancel();
    }
}

extern "C" fn unheard(_: libc::c_int) {}

fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int), flags: libc::c_int) -> io::Result<()> {
    // SAFETY: the structure is plain data, and the handlers do only what handlers may: set a flag and write.
    let outcome = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | flags;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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

    /// Switches it on when the user interrupts this process or the system ends it (SIGINT, SIGTERM, SIGHUP). A second signal
    /// of the kind ends the process as if nobody listened.
    ///
    /// # Errors
    /// If the system refuses, or this was done before in this process.
    pub fn on_signals(&self) -> io::Result<()> {
        SIGNALLED.set(self.clone()).map_err(|_| io::Error::other("signals have a listener already"))?;
        let signals = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
        signals.into_iter().try_for_each(|signal| handle(signal, signalled, libc::SA_RESETHAND))
    }

    /// From now on an interrupt does nothing to this process; commands that it starts hear it as usual.
    pub(crate) fn deaf() {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTTOU] {
            // Where that fails, an interrupt ends us as well.
            let _ = handle(signal, unheard, 0);
        }
    }

    pub(crate) fn event(&self) -> &OwnedFd {
        &self.0.event
    }
}
