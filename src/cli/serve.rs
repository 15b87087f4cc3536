//! Serves MCP: on standard input and output, or over HTTP.

use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::runtime::{exit_after_signal, listening};
use crate::model::settings::Settings;
use crate::server::{Server, life};
use crate::system::signals::Signals;
use crate::transport::{FIRST_ANSWER_WITHIN, stdio};
use crate::turn::Codex;

#[cfg(feature = "http")]
mod http;
pub(super) mod refusal;

/// How long after a signal the process exits even if something blocks the service.
const EXIT_WITHIN: Duration = Duration::from_secs(2);

/// Serves clients until they are gone or a signal comes. Returns the exit status.
pub(super) fn run(settings: Settings) -> u8 {
    #[cfg(feature = "http")]
    if http::is_wanted(&settings) {
        return http::run(settings);
    }
    listening(|signals| {
        // Until then nothing here waits for a disk, so the service itself reacts to a signal.
        tokio::spawn(async {
            sleep(FIRST_ANSWER_WITHIN).await;
            exit_after_signal(EXIT_WITHIN);
        });
        // Its thread reads the first request in the meantime.
        let connection = stdio();
        let server = Server::new(Codex::new(settings));
        until_signal(signals, |shutdown| async move {
            life::serve(server, connection, shutdown.cancelled()).await
        })
    })
}

/// Runs a service until it ends or a signal comes, which cancels the token that it gets. The service returns
/// whether every request was answered. Returns the exit status.
async fn until_signal<F: Future<Output = bool>>(
    mut signals: Signals,
    service: impl FnOnce(CancellationToken) -> F,
) -> u8 {
    let shutdown = CancellationToken::new();
    let mut service = pin!(service(shutdown.clone()));
    let signal = tokio::select! {
        biased;
        signal = signals.next() => signal,
        all_answered = &mut service => return u8::from(!all_answered),
    };
    shutdown.cancel();
    tracing::info!(signal = signal.name, "shutting down");
    tokio::select! {
        // The service comes first: it signals Codex when it is polled.
        biased;
        _ = &mut service => {}
        // A second signal means at once.
        _ = signals.next() => {}
    }
    signal.exit_status
}
