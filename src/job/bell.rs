//! What wakes the process that runs a job when something was put into its inbox: a [`crate::system::bell`]
//! in the job's folder. Where there can be none, it is looked now and then.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::system::bell;

/// How often the inbox is looked at all the same: an older version puts something into it and does not
/// ring.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked at where there is no bell.
const LOOK_WITHOUT_BELL_EVERY: Duration = Duration::from_millis(250);

/// Hears what is rung.
#[derive(Debug)]
pub(super) struct Bell {
    rung: Arc<Notify>,
    works: bool,
}

impl Bell {
    /// Listens from now on, as long as this process lives.
    pub(super) fn listen(path: &Path) -> Self {
        let rung = Arc::new(Notify::new());
        let bell = Arc::clone(&rung);
        let listening = bell::listen(path, move || {
            bell.notify_one();
            true
        });
        if let Err(error) = &listening {
            tracing::debug!(%error, "nobody can wake this process: it looks now and then");
        }
        Self { rung, works: listening.is_ok() }
    }

    /// By which this process rings for itself.
    pub(super) fn rope(&self) -> Arc<Notify> {
        Arc::clone(&self.rung)
    }

    /// Waits until it is rung or time for a look. Cancel-safe.
    pub(super) async fn rung(&self) {
        let look = if self.works { LOOK_EVERY } else { LOOK_WITHOUT_BELL_EVERY };
        let _whichever = tokio::time::timeout(look, self.rung.notified()).await;
    }
}
