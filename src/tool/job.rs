//! The tools for jobs: work that outlives this server, and is read, answered and stopped later.

pub(super) mod cancel;
pub(super) mod events;
pub(super) mod list;
pub(super) mod notifications;
pub(super) mod reply;
mod schema;
pub(super) mod start;
pub(super) mod wait;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::arguments::{Arguments, Result};
use super::error::Error;
use crate::job::{Commit, JobId, Jobs, POLL_EVERY, Problem, State, snapshot};

/// How long a start waits for the job's session.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a call waits for the disk, and how many threads may wait at a time.
const DISK_TIMEOUT: Duration = Duration::from_secs(30);
static THREADS: Semaphore = Semaphore::const_new(128);

/// The most entries in one answer: events or jobs.
const MAX_ENTRIES: u64 = 200;

/// Runs blocking work on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs) -> std::result::Result<T, Problem> + Send + 'static,
) -> std::result::Result<T, Problem> {
    within(jobs, work).await.unwrap_or(Err(Problem::NoAnswer))
}

/// The same for work that must either be done or never be done: once the caller hears that it was not,
/// it can no longer happen.
pub(super) async fn all_or_nothing<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs, &Commit) -> std::result::Result<T, Problem> + Send + 'static,
) -> std::result::Result<T, Problem> {
    let commit = Commit::default();
    let done = commit.clone();
    let answer = within(jobs, move |jobs| work(jobs, &done)).await;
    answer
        .unwrap_or_else(|| Err(if commit.abandon() { Problem::NoAnswer } else { Problem::Unsure }))
}

/// `None` if the disk does not respond in time.
async fn within<T: Send + 'static>(
    jobs: &Jobs,
    work: impl FnOnce(&Jobs) -> std::result::Result<T, Problem> + Send + 'static,
) -> Option<std::result::Result<T, Problem>> {
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
        done.unwrap_or_else(|error| Err(Problem::NotStarted(std::io::Error::other(error))))
    };
    timeout(DISK_TIMEOUT, work).await.ok()
}

fn with_notification_cursor(state: &State, cursor: u64) -> Map<String, Value> {
    let mut content = snapshot(state);
    content.insert("notification_cursor".into(), cursor.into());
    content
}

/// Reads a job until the condition holds, or the time is over.
pub(super) async fn read_until(
    jobs: &Jobs,
    read: fn(&Jobs, JobId) -> std::result::Result<State, Problem>,
    job: JobId,
    time: Duration,
    holds: impl Fn(&State) -> bool,
) -> std::result::Result<State, Error> {
    let end = Instant::now() + time;
    loop {
        let state = blocking(jobs, move |jobs| read(jobs, job)).await?;
        if holds(&state) || Instant::now() >= end {
            return Ok(state);
        }
        sleep(POLL_EVERY).await;
    }
}

fn job_id(arguments: &mut Arguments) -> Result<JobId> {
    arguments.required("job_id", str::parse::<JobId>)
}
