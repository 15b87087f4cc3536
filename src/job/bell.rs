//! Wakes the process that runs a job when something was put into its inbox, by a
//! [`crate::system::bell`] in the job's folder. Where there can be no bell, the inbox is polled.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::system::bell;

/// How often to check the inbox even with a bell: older versions do not ring it.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// How often to check the inbox without a bell.
const POLL_WITHOUT_BELL_EVERY: Duration = Duration::from_millis(250);

/// Listens to the bell.
#[derive(Debug)]
pub(super) struct Bell {
    rung: Arc<Notify>,
    works: bool,
}

impl Bell {
    /// Listens until this process ends.
    pub(super) fn listen(path: &Path) -> Self {
        let rung = Arc::new(Notify::new());
        let bell = Arc::clone(&rung);
        let listening = bell::listen(path, move || {
            bell.notify_one();
            true
        });
        if let Err(error) = &listening {
            tracing::debug!(%error, "other processes cannot wake this one: polling instead");
        }
        Self { rung, works: listening.is_ok() }
    }

    /// Lets this process wake itself.
    pub(super) fn notifier(&self) -> Arc<Notify> {
        Arc::clone(&self.rung)
    }

    /// Waits until the bell rings or the next check is due. Cancel-safe.
    pub(super) async fn rung(&self) {
        let interval = if self.works { POLL_EVERY } else { POLL_WITHOUT_BELL_EVERY };
        let _whichever = tokio::time::timeout(interval, self.rung.notified()).await;
    }
}
