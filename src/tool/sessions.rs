//! The tools that list and read Codex's own sessions. They only read.

pub(super) mod list;
pub(super) mod read;

use std::time::Duration;

use rmcp::service::{RequestContext, RoleServer};
use tokio::time::timeout;

use super::definition::Answer;
use crate::codex::sessions::Store;
use crate::model::outcome::{CancelledBy, FailureKind};

/// How long a call waits for the disk.
const DISK_TIMEOUT: Duration = Duration::from_secs(30);

/// The most entries in one answer.
const MAX_ENTRIES: u64 = 200;

/// Ends a call that its client cancels.
async fn unless_cancelled(
    context: &RequestContext<RoleServer>,
    answer: impl Future<Output = Answer>,
) -> Answer {
    tokio::select! {
        biased;
        () = context.ct.cancelled() => {
            Err(FailureKind::Cancelled { by: CancelledBy::Caller }.into())
        }
        answer = answer => answer,
    }
}

/// Runs blocking work on a thread of its own.
async fn blocking<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> T + Send + 'static,
) -> Result<T, FailureKind> {
    let store = store.clone();
    match timeout(DISK_TIMEOUT, tokio::task::spawn_blocking(move || work(&store))).await {
        Ok(done) => done.map_err(|error| FailureKind::Internal { message: error.to_string() }),
        Err(_) => {
            let message = "the disk with the sessions does not respond".into();
            Err(FailureKind::Internal { message })
        }
    }
}

fn number(value: Option<u64>, default: usize) -> usize {
    value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
}
