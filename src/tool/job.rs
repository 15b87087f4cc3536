//! The tools for jobs: work that outlives this server, and is read, answered and stopped later.

pub(super) mod cancel;
pub(super) mod client_jobs;
pub(super) mod events;
mod folder;
pub(super) mod jobs;
pub(super) mod list;
pub(super) mod notifications;
pub(super) mod reply;
mod schema;
pub(super) mod send;
pub(super) mod start;
pub(super) mod turn_wait;
mod view;
pub(super) mod wait;

use serde_json::{Map, Value};
use tokio::time::{Duration, Instant, sleep};

use super::arguments::{Arguments, Result};
use super::error::Error;
pub(crate) use crate::job::blocking::{all_or_nothing, blocking};
use crate::job::{JobId, Jobs, POLL_EVERY, Problem, State, snapshot};

/// How long a start waits for the job's session.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(3);

/// The most entries in one answer: events or jobs.
const MAX_ENTRIES: u64 = 200;

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
