//! Runs commands on a Tokio runtime that receives signals.

use std::time::Duration;

use crate::system::signals::Signals;

/// Exits the process this long after a signal, whatever blocks its runtime. A disk that never answers can
/// block everything else.
pub(super) fn exit_after_signal(within: Duration) {
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let signal = Signals::listen()?.next().await;
            tokio::time::sleep(within).await;
            std::process::exit(i32::from(signal.exit_status))
        })
    };
    let started = std::thread::Builder::new().name("signals".into()).spawn(move || {
        let result: std::io::Result<()> = wait();
        if let Err(error) = result {
            tracing::warn!(%error, "the thread for signals cannot be started");
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "the thread for signals cannot be started");
    }
}

/// Runs `work`, which gets the signals instead of being terminated by them. Returns its exit status, or 1
/// if it cannot start.
pub(super) fn listening<F: Future<Output = u8>>(work: impl FnOnce(Signals) -> F) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the runtime cannot be started");
            return 1;
        }
    };
    let status = runtime.block_on(async {
        match Signals::listen() {
            Ok(signals) => work(signals).await,
            Err(error) => {
                tracing::error!(%error, "signals cannot be received");
                1
            }
        }
    });
    // Does not wait for its threads: one blocks in a read of standard input forever.
    runtime.shutdown_background();
    status
}
