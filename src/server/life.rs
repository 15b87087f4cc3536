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
use crate::model::settings::Settings;
use crate::system::signals::Signals;
use crate::transport::{LineTransport, Outbox, hung_up};
use crate::turn::Codex;

/// How long a signal leaves: Claude Code kills the server some 400 ms after the first one.
const LEAVE_WITHIN: Duration = Duration::from_millis(300);

/// When the process ends after a signal that nothing of this here came to.
pub(crate) const AT_LAST: Duration = Duration::from_secs(2);

/// How long Codex may take to stop when nobody presses: longer than its ladder of signals.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// How long a client may take nothing of the last answers before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the client on standard input and output until it is gone. Returns the exit status.
pub(crate) async fn serve(settings: Settings, mut signals: Signals) -> u8 {
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
