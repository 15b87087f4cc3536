//! The runtime on which commands run, and signals.

use std::time::Duration;

use crate::system::signals::Signals;

/// Ends the process so long after a signal, whatever its runtime waits for: a disk that never answers
/// can be in the way of everything else.
pub(super) fn leave_at_last(after: Duration) {
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let signal = Signals::listen()?.next().await;
            tokio::time::sleep(after).await;
            std::process::exit(i32::from(signal.exit_status))
        })
    };
    let started = std::thread::Builder::new().name("signals".into()).spawn(move || {
        let waited: std::io::Result<()> = wait();
        if let Err(error) = waited {
            tracing::warn!(%error, "signals are not received in a thread of their own");
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "signals are not received in a thread of their own");
    }
}

/// Runs something that signals do not end.
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
    // Its threads are left behind: one is in a read of standard input, for ever.
    runtime.shutdown_background();
    status
}
