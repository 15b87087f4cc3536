//! The signals that ask a process to leave.

/// A signal that asks the process to leave.
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    /// What a process exits with that leaves because of it.
    pub(crate) exit_status: u8,
}

/// The signals that ask a process to leave.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From now on these signals do not end the process. Must be called on a Tokio runtime.
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        // Each is cancel-safe. The exit status is 128 and the signal's number, as shells have it.
        tokio::select! {
            _ = self.interrupt.recv() => Signal { name: "SIGINT", exit_status: 130 },
            _ = self.terminate.recv() => Signal { name: "SIGTERM", exit_status: 143 },
            _ = self.hangup.recv() => Signal { name: "SIGHUP", exit_status: 129 },
        }
    }
}

#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// From now on these signals do not end the process. Must be called on a Tokio runtime.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// The next one. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal { name: "Ctrl-C", exit_status: 130 }
    }
}
