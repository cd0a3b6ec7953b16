//! Running a command in a world of its own.
//!
//! The world is made of namespaces (processes, mounts, System V IPC, host name, and the network if it shall have none), a
//! root file system that is an overlay, a minimal `/dev`, `/proc` and `/sys` of which dangerous parts are hidden or
//! read-only, the capabilities and the filter of system calls that Docker gives a container, and a first process that
//! buries orphans. It ends when the command ends, when it is cancelled, and when we are killed.

mod child;
mod plan;
mod seccomp;

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions};

pub(crate) use plan::{Plan, PlanMount, Stage, What};

use crate::cancel::Cancel;
use crate::sys;

/// Docker's default capabilities, as bits: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
/// NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP.
pub(crate) const DEFAULT_CAPABILITIES: u64 = 1
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 10
    | 1 << 13
    | 1 << 18
    | 1 << 27
    | 1 << 29
    | 1 << 31;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this status; 128 and the number of a signal if that killed it.
    Status(i32),
    /// It was cancelled, and nothing of it is left.
    Cancelled,
    /// It was not even started: where and why, and at which mount.
    NotStarted(Stage, u32, i32),
}

/// Which of a command's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The outputs of a command: our ends, and its.
pub(crate) struct Pipes {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Pipes for a command's outputs, and an empty input.
pub(crate) fn pipes() -> io::Result<(Pipes, [OwnedFd; 3])> {
    let null = rustix::fs::openat(CWD, c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (stdout, its_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, its_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Pipes { stdout, stderr }, [null, its_stdout, its_stderr]))
}

/// Our own input and outputs, for a command that a user talks to, and pipes that nothing comes out of.
pub(crate) fn ours() -> io::Result<(Pipes, [OwnedFd; 3])> {
    let own = [io::stdin().as_fd().try_clone_to_owned()?, io::stdout().as_fd().try_clone_to_owned()?];
    let error = io::stderr().as_fd().try_clone_to_owned()?;
    let (pipes, _) = pipes()?;
    let [stdin, stdout] = own;
    Ok((pipes, [stdin, stdout, error]))
}

/// Runs a command to its end. `output` is given what it writes, as it comes.
///
/// # Errors
/// If no process can be made or watched.
pub(crate) fn run(
    plan: Plan,
    pipes: Pipes,
    cancel: &[&Cancel],
    output: &mut dyn FnMut(Stream, &[u8]),
) -> io::Result<Ended> {
    let ends = |words: &[CString]| words.iter().map(|w| w.as_ptr()).chain([std::ptr::null()]).collect();
    let words = child::Words { args: ends(&plan.args), env: ends(&plan.env) };
    // Made here, where memory may be allocated.
    if plan.filter {
        seccomp::filter();
    }
    sys::in_user_namespace();
    let (report, its_report) = pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: `child::run` calls only what may be called in such a copy, and never returns.
    let pidfd = match unsafe { sys::clone(plan.namespaces) }? {
        sys::Cloned::Child => child::run(&plan, &words, its_report.as_fd()),
        sys::Cloned::Parent { pidfd } => pidfd,
    };
    let guard = Guard { pidfd };
    drop((plan, its_report));

    let mut streams = [(Stream::Stdout, Some(pipes.stdout)), (Stream::Stderr, Some(pipes.stderr))];
    let mut buffer = vec![0; 64 << 10];
    let mut cancelled = false;
    while streams.iter().any(|(_, fd)| fd.is_some()) {
        let (mut ready, mut stop) = ([false; 2], false);
        {
            let mut fds: Vec<PollFd> = Vec::new();
            for (_, fd) in &streams {
                // A stream that is closed is asked for nothing; its place stays.
                match fd {
                    Some(fd) => fds.push(PollFd::new(fd, PollFlags::IN)),
                    None => fds.push(PollFd::new(&guard.pidfd, PollFlags::empty())),
                }
            }
            if !cancelled {
                fds.extend(cancel.iter().map(|c| PollFd::new(c.event(), PollFlags::IN)));
            }
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                outcome => outcome?,
            };
            for (at, fd) in fds.iter().enumerate() {
                let any = !fd.revents().is_empty();
                match ready.get_mut(at) {
                    Some(ready) => *ready = any,
                    None => stop |= any,
                }
            }
        }
        if stop {
            cancelled = true;
            guard.kill();
        }
        for ((stream, fd), ready) in streams.iter_mut().zip(ready) {
            let Some(open) = fd.as_ref().filter(|_| ready) else { continue };
            match rustix::io::read(open, &mut buffer) {
                Ok(0) => *fd = None,
                Ok(n) => output(*stream, &buffer[..n]),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => *fd = None,
            }
        }
    }
    // Who closes its outputs may go on working.
    let status = loop {
        let mut fds = vec![PollFd::new(&guard.pidfd, PollFlags::IN)];
        if !cancelled {
            fds.extend(cancel.iter().map(|c| PollFd::new(c.event(), PollFlags::IN)));
        }
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            outcome => outcome?,
        };
        if fds[1..].iter().any(|fd| !fd.revents().is_empty()) {
            cancelled = true;
            guard.kill();
            continue;
        }
        break guard.wait()?;
    };
    let mut message = Vec::new();
    File::from(report).read_to_end(&mut message)?;
    if let Some(([stage, part, errno], _)) = message.as_chunks::<4>().0.split_first_chunk::<3>().map(|(a, b)| (*a, b))
        && let Some(stage) = Stage::from_number(u32::from_ne_bytes(stage))
    {
        return Ok(Ended::NotStarted(stage, u32::from_ne_bytes(part), i32::from_ne_bytes(errno)));
    }
    Ok(if cancelled { Ended::Cancelled } else { Ended::Status(status) })
}

/// The first process of a sandbox, which does not outlive this.
struct Guard {
    pidfd: OwnedFd,
}

impl Guard {
    fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    fn wait(&self) -> io::Result<i32> {
        loop {
            match rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) => {}
                Ok(Some(status)) => {
                    let signalled = || status.terminating_signal().map_or(255, |signal| 128 + signal);
                    return Ok(status.exit_status().unwrap_or_else(signalled));
                }
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.kill();
        // Already waited for, or now.
        let _ = self.wait();
    }
}
