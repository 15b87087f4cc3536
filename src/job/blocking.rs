//! Work on jobs, for asynchronous callers: on threads, because a disk may never answer.

use std::io;

use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};

use super::commit::Commit;
use super::jobs::Jobs;
use super::problem::{Problem, Result};

/// How long the caller waits for the disk, and how many threads may wait at a time.
const DISK_TIMEOUT: Duration = Duration::from_secs(30);
static THREADS: Semaphore = Semaphore::const_new(128);

/// Runs blocking work on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs) -> Result<T> + Send + 'static,
) -> Result<T> {
    within(jobs, work).await.unwrap_or(Err(Problem::NoAnswer))
}

/// The same for work that must either be done or never be done: once the caller hears that it was not,
/// it can no longer happen.
pub(crate) async fn all_or_nothing<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs, &Commit) -> Result<T> + Send + 'static,
) -> Result<T> {
    let commit = Commit::default();
    let done = commit.clone();
    let answer = within(jobs, move |jobs| work(jobs, &done)).await;
    answer
        .unwrap_or_else(|| Err(if commit.abandon() { Problem::NoAnswer } else { Problem::Unsure }))
}

/// `None` if the disk does not respond in time.
async fn within<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs) -> Result<T> + Send + 'static,
) -> Option<Result<T>> {
    let jobs = jobs.clone();
    let runtime = tokio::runtime::Handle::current();
    let work = async {
        let thread = THREADS.acquire().await;
        let work = move || {
            // Held until the work is done, even if the call has timed out.
            let _thread = thread;
            // The runtime reaps processes that are started here.
            let _runtime = runtime.enter();
            work(&jobs)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(Problem::NotStarted(io::Error::other(error))))
    };
    timeout(DISK_TIMEOUT, work).await.ok()
}
