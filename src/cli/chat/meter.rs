//! How many tokens a turn has used so far, by Codex's record: `codex exec` prints that only at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::codex::home::codex_home;
use crate::codex::rollout;
use crate::model::session_id::SessionId;
use crate::system::bounded::blocking;

/// How often the record is read, and how long a disk may take.
const EVERY: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(5);

/// How often the record is searched for. A session that Codex does not keep has none.
const SEARCHES: usize = 5;

/// Reads the record from time to time until it is dropped.
pub(super) struct Meter {
    used: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Meter {
    /// Counts what this session uses from now on. `is_new`: it has used none so far.
    pub(super) fn start(session: SessionId, is_new: bool) -> Self {
        let used = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(count(session, is_new.then_some(0), Arc::clone(&used)));
        Self { used, task }
    }

    /// Input and output tokens.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn count(session: SessionId, mut before: Option<u64>, used: Arc<AtomicU64>) {
    let mut record = None;
    for _ in 0..SEARCHES {
        record = blocking(WITHIN, move || rollout::find(&codex_home()?, session)).await.flatten();
        if record.is_some() {
            break;
        }
        tokio::time::sleep(EVERY).await;
    }
    let Some(record) = record else { return };
    loop {
        let path = record.clone();
        let read = blocking(WITHIN, move || rollout::tokens_used(&path)).await;
        // A disk that does not answer is not asked again.
        let Some(Ok(now)) = read else { return };
        let now = now.unwrap_or_default();
        used.store(now.saturating_sub(*before.get_or_insert(now)), Ordering::Relaxed);
        tokio::time::sleep(EVERY).await;
    }
}
