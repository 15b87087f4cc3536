//! The life of the service: what ends it, and the order in which it leaves.
//!
//! 1. Codex gets its first signal. That comes first, because a client may kill the server at any
//!    moment: Codex as a client leaves it some 30 ms.
//! 2. The answers that exist are written.
//! 3. The service ends, within a bound. A Codex that is still alive then gets the remaining signals from
//!    the watchdog.

use std::pin::pin;
use std::time::Duration;

use rmcp::service::{QuitReason, RoleServer, RunningService, serve_directly};
use rmcp::transport::Transport;

use super::Server;
use crate::transport::{Connection, Monitor};
use crate::turn::Codex;

/// How long the service may take to leave once it is shut down: Claude Code kills the server some
/// 400 ms after the first signal.
const LEAVE_WITHIN: Duration = Duration::from_millis(300);

/// How long Codex may take to stop when nothing else ends the server: longer than its ladder of signals.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// How long a client may read nothing of the last answers before the server leaves without it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves a client until it is gone, or until `shutdown` completes. After a shutdown it returns within
/// 300 ms. Returns whether every request was answered.
pub(crate) async fn serve<T>(
    server: Server,
    connection: Connection<T>,
    shutdown: impl Future<Output = ()>,
) -> bool
where
    T: Transport<RoleServer> + 'static,
{
    let codex = server.services.codex.clone();
    let monitor = connection.monitor();
    let service = serve_directly(server, connection, None);
    let mut client_gone = pin!(client_gone(service, &codex, &monitor));
    tokio::select! {
        biased;
        () = shutdown => {}
        () = &mut client_gone => return monitor.all_answered(),
    }
    codex.shutdown();
    let leave = async {
        codex.finished(LEAVE_WITHIN).await;
        monitor.answered().await;
        monitor.flushed().await;
    };
    drop(tokio::time::timeout(LEAVE_WITHIN, leave).await);
    monitor.all_answered()
}

/// Serves clients over HTTP until `shutdown` completes. Then it returns within 300 ms.
#[cfg(feature = "http")]
pub(crate) async fn serve_http(
    server: Server,
    http: crate::transport::HttpServer,
    shutdown: impl Future<Output = ()>,
) {
    let codex = server.services.codex.clone();
    let leaving = tokio_util::sync::CancellationToken::new();
    let mut serving = pin!(http.serve(server, leaving.clone()));
    tokio::select! {
        biased;
        () = shutdown => {}
        () = &mut serving => return,
    }
    codex.shutdown();
    leaving.cancel();
    // Each connection ends with its answer.
    let leave = async { tokio::join!(codex.finished(LEAVE_WITHIN), serving) };
    drop(tokio::time::timeout(LEAVE_WITHIN, leave).await);
}

/// Completes when the input has ended and all answers are written, or when nobody can read them; and
/// then when Codex is gone.
async fn client_gone(
    service: RunningService<RoleServer, Server>,
    codex: &Codex,
    monitor: &Monitor,
) {
    tokio::select! {
        reason = service.waiting() => match reason {
            Ok(QuitReason::Closed) => {}
            other => tracing::warn!(?other, "the service ended unexpectedly"),
        },
        () = monitor.stalled(PATIENCE) => tracing::warn!("the client does not read its answers"),
        () = monitor.closed() => {
            tracing::info!("the output is closed: stopping");
            codex.shutdown();
        }
    }
    if !codex.finished(STOP_WITHIN).await {
        tracing::warn!("Codex does not stop: leaving it to the watchdog");
    }
}

#[cfg(test)]
mod tests;
