//! Notices the exit of a child process without reaping it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for one child. No other process gets its id before it is reaped.
#[derive(Debug)]
pub(super) struct Exit {
    /// Signalled when any child has exited or stopped.
    children: Signal,
    /// Whether the child was checked since then.
    checked: bool,
    status: Option<ExitStatus>,
}

impl Exit {
    /// Call this before the child starts, so that its exit is not missed.
    pub(super) fn listen() -> io::Result<Self> {
        let children = signal(SignalKind::child())?;
        Ok(Self { children, checked: false, status: None })
    }

    /// Waits for the exit of this child. Cancel-safe, and may be called again.
    pub(super) async fn of(&mut self, pid: u32) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.status {
                return Ok(status);
            }
            if !self.checked {
                self.checked = true;
                self.status = status(pid)?;
                continue;
            }
            self.children.recv().await;
            self.checked = false;
        }
    }
}

/// The exit status of a child, if it has exited.
fn status(pid: u32) -> io::Result<Option<ExitStatus>> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.map(|status| ExitStatus::from_raw(raw(&status))))
}

/// The status as wait(2) encodes it.
fn raw(status: &WaitIdStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal,
        (None, None) => 0,
    }
}
