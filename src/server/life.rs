//! The life of the server process: what ends it, and in which order it then leaves.
//!
//! 1. Codex gets its first signal. That comes first, because a client may kill the server at any
//!    moment: Codex as a client leaves it some 30 ms.
//! 2. The answers that are there are written.
//! 3. The process leaves, at the latest when its time is over. What is alive then gets the rest of
//!    the signals from the watchdog.

use std::pin::pin;
use std::time::Duration;

use rmcp::service::{QuitReason, RoleServer, RunningService, serve_directly};

use super::Server;
use crate::config::Settings;
use crate::transport::{LineTransport, Outbox, hung_up};
use crate::turn::Codex;

/// How long a signal leaves: Claude Code kills the server some 400 ms after the first one.
const LEAVE_WITHIN: Duration = Duration::from_millis(300);

/// How long Codex may take to stop when nobody presses: longer than its ladder of signals.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// How long a client may take nothing of the last answers before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the client on standard input and output until it is gone. Returns the exit status.
pub(crate) async fn serve(settings: Settings) -> u8 {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be received");
            return 1;
        }
    };
    let codex = Codex::new(settings);
    let transport = LineTransport::new(std::io::stdin(), std::io::stdout());
    let mut unanswered = transport.unanswered();
    let outbox = transport.outbox();
    let service = serve_directly(Server::new(codex.clone()), transport, None);
    let mut client_gone = pin!(client_gone(service, &codex, &outbox));
    let signal = tokio::select! {
        biased;
        signal = signals.next() => signal,
        () = &mut client_gone => return 0,
    };
    codex.shutdown();
    tracing::info!(signal = signal.name, "leaving");
    let leave = async {
        codex.finished(LEAVE_WITHIN).await;
        drop(unanswered.wait_for(|count| *count == 0).await);
        outbox.flushed(LEAVE_WITHIN).await;
    };
    tokio::select! {
        // Who asks twice means at once.
        _ = signals.next() => {}
        _ = tokio::time::timeout(LEAVE_WITHIN, leave) => {}
    }
    signal.exit_status
}

/// Completes when the input has ended and all is answered, or nobody can read the answers; and then
/// Codex is gone.
async fn client_gone(service: RunningService<RoleServer, Server>, codex: &Codex, outbox: &Outbox) {
    let answered = async {
        match service.waiting().await {
            Ok(QuitReason::Closed) => {}
            other => tracing::warn!(?other, "the service broke off"),
        }
        outbox.flushed(PATIENCE).await;
    };
    tokio::select! {
        () = answered => {}
        () = unreadable(outbox) => {
            tracing::info!("nobody reads the answers any more: stopping");
            codex.shutdown();
        }
    }
    if !codex.finished(STOP_WITHIN).await {
        tracing::warn!("Codex does not stop: leaving it to the watchdog");
    }
}

/// Completes when nobody can read standard output any more.
async fn unreadable(outbox: &Outbox) {
    let hung_up = hung_up();
    tokio::select! {
        () = hung_up.cancelled() => {}
        () = outbox.broken() => {}
    }
}

/// A signal that asks the server to leave.
struct Signal {
    name: &'static str,
    exit_status: u8,
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        // Each is cancel-safe. The exit status is 128 and the signal's number, as shells have it.
        tokio::select! {
            _ = self.interrupt.recv() => Signal { name: "SIGINT", exit_status: 130 },
            _ = self.terminate.recv() => Signal { name: "SIGTERM", exit_status: 143 },
            _ = self.hangup.recv() => Signal { name: "SIGHUP", exit_status: 129 },
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal { name: "Ctrl-C", exit_status: 130 }
    }
}
