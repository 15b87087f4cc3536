//! The exit of a child process, without reaping it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for one child. As long as the child is not reaped, its id is not given to another process.
#[derive(Debug)]
pub(super) struct Exit {
    /// Some child has exited, or stopped.
    children: Signal,
    /// Whether it was looked since then.
    looked: bool,
    status: Option<ExitStatus>,
}

impl Exit {
    /// To be called before the child is started, so that its exit is not missed.
    pub(super) fn listen() -> io::Result<Self> {
        let children = signal(SignalKind::child())?;
        Ok(Self { children, looked: false, status: None })
    }

    /// Waits for the exit of this child. Cancel-safe, and may be called again.
    pub(super) async fn of(&mut self, pid: u32) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.status {
                return Ok(status);
            }
            if !self.looked {
                self.looked = true;
                self.status = look(pid)?;
                continue;
            }
            self.children.recv().await;
            self.looked = false;
        }
    }
}

/// How a child has exited, if it has.
fn look(pid: u32) -> io::Result<Option<ExitStatus>> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.map(|status| ExitStatus::from_raw(raw(&status))))
}

/// The form in which `wait` gives it, see wait(2).
fn raw(status: &WaitIdStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal,
        (None, None) => 0,
    }
}
