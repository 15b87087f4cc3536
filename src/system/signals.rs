//! The signals that terminate a process.

/// A signal that the process received.
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    /// The exit status of a process that leaves because of it.
    pub(crate) exit_status: u8,
}

/// Receives the signals that would terminate the process.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From now on these signals do not terminate the process. Must be called on a Tokio runtime.
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        // Each branch is cancel-safe. The exit status is 128 plus the signal's number, as in shells.
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
    /// From now on these signals do not terminate the process. Must be called on a Tokio runtime.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next signal. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal { name: "Ctrl-C", exit_status: 130 }
    }
}
