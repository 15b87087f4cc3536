//! `job_wait`: waits for turns of jobs to end after a cursor.

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Duration, Instant, sleep};

use super::notifications::{MAX_NOTIFICATIONS, cursor_and_jobs, page, read};
use super::{blocking, schema};
use crate::job::{JobId, Jobs, Mark, Notification, POLL_EVERY, Problem, ProcessId, Status};
use crate::model::outcome::FailureKind;
use crate::tool::definition::{Answer, Call, Effect, Tool};
use crate::tool::error::{Error, Family};
use crate::tool::plain;
use crate::tool::schema::{closed, integer, merged};

/// The default is less than the 60 s after which the least patient clients time out, the maximum less
/// than the 300 s that Codex allows a tool.
pub(super) const DEFAULT_MS: u64 = 50_000;
pub(super) const MAX_MS: u64 = 280_000;

/// Every so many polls, the loop also checks that the jobs' processes are alive.
const POLLS_PER_RUNNER_CHECK: u32 = 5;

/// How often progress is reported, and jobs are read whose process may be gone.
const CHECK_JOBS_EVERY: Duration = Duration::from_secs(5);

/// How many calls may wait at a time in this process: each polls the disk.
const MAX_OPEN: usize = 100;
static OPEN: Semaphore = Semaphore::const_new(MAX_OPEN);

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "job_wait",
        title: "Wait for Codex jobs",
        description: "Waits until a turn of a job ends (completed, failed, cancelled, timed_out, \
                      interrupted): without a cursor from now on, or, with job_ids, the current \
                      turn of one of them. Returns an empty list after timeout_ms: then call it \
                      again with the returned cursor.",
        input: closed(
            merged(
                schema::notifications_input(),
                json!({ "timeout_ms": integer("1 to 280000. Default 50000.") }),
            ),
            &[],
        ),
        output: schema::notifications_output(),
        effect: Effect::Reads,
        family: Family::Job { not_done: "" },
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(wait(call)),
    }
}

async fn wait(Call { mut arguments, services, context }: Call<'_>) -> Answer {
    let jobs = &services.jobs;
    let (cursor, wanted) = cursor_and_jobs(&mut arguments, services)?;
    let timeout = arguments.whole("timeout_ms", 1, MAX_MS)?.unwrap_or(DEFAULT_MS);
    arguments.end();
    let mut watch = Watch::open(Instant::now() + Duration::from_millis(timeout))?;
    let mut cursor = match cursor {
        Some(cursor) => cursor,
        None => {
            let now = blocking(jobs, |jobs| jobs.last_notification()).await?;
            let ended = last_ends(jobs, wanted.jobs.clone()).await?;
            if !ended.is_empty() {
                return Ok(page(&ended, now));
            }
            now
        }
    };
    loop {
        let mark = watch.mark(jobs).await?;
        let (found, seen) = read(jobs, cursor, &wanted).await?;
        cursor = seen;
        if !found.is_empty() || watch.is_over() || context.ct.is_cancelled() {
            return Ok(page(&found, cursor));
        }
        watch.pause(mark, &wanted.jobs, jobs, context).await?;
    }
}

/// The last notification of each of these jobs that has nothing left to do.
async fn last_ends(jobs: &Jobs, named: Vec<JobId>) -> Result<Vec<(u64, Notification)>, Problem> {
    blocking(jobs, move |jobs| {
        let mut ends: Vec<(u64, Notification)> = Vec::new();
        let mut idle = Vec::new();
        for job in named {
            if jobs.at_rest(job)?.1 {
                idle.push(job);
            }
        }
        let mut cursor = 0;
        while !idle.is_empty() {
            let (found, next) = jobs.notifications(cursor, &idle, None, MAX_NOTIFICATIONS)?;
            if found.is_empty() {
                break;
            }
            cursor = next;
            for (number, end) in found {
                ends.retain(|(_, earlier)| earlier.job_id != end.job_id);
                ends.push((number, end));
            }
        }
        Ok(ends)
    })
    .await
}

/// A call that waits for jobs. There are at most [`MAX_OPEN`] at a time.
pub(super) struct Watch {
    started: Instant,
    until: Instant,
    /// The number of the next progress report, from 1 on.
    number: u32,
    _open: SemaphorePermit<'static>,
}

impl Watch {
    /// Waits until `until` at the latest.
    pub(super) fn open(until: Instant) -> Result<Self, Error> {
        let Ok(open) = OPEN.try_acquire() else {
            return Err(FailureKind::TooManyCalls { running: MAX_OPEN, waiting: 0 }.into());
        };
        Ok(Self { started: Instant::now(), until, number: 0, _open: open })
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// A value that changes when there is something new.
    pub(super) async fn mark(&self, jobs: &Jobs) -> Result<Mark, Problem> {
        mark(jobs).await
    }

    /// Waits until something changes, the call ends, or the jobs must be looked at again anyway. Reports
    /// progress. Without `wanted` all jobs count.
    pub(super) async fn pause(
        &mut self,
        mark: Mark,
        wanted: &[JobId],
        jobs: &Jobs,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), Problem> {
        let now = Instant::now();
        if self.number > 0 || now.duration_since(self.started) >= CHECK_JOBS_EVERY {
            self.number += 1;
            report(self.number, jobs, wanted, context).await;
        } else {
            self.number = 1;
        }
        let only = wanted.to_owned();
        let runners = blocking(jobs, move |jobs| jobs.runners(&only)).await?;
        let next = self.until.min(now + CHECK_JOBS_EVERY);
        let mut polls = 0;
        while Instant::now() < next
            && self::mark(jobs).await? == mark
            && !context.ct.is_cancelled()
            && (polls % POLLS_PER_RUNNER_CHECK != 0 || runners.iter().all(ProcessId::is_alive))
        {
            polls += 1;
            sleep(POLL_EVERY).await;
        }
        Ok(())
    }
}

/// A value that changes when there is something new.
async fn mark(jobs: &Jobs) -> Result<Mark, Problem> {
    blocking(jobs, |jobs| Ok(jobs.mark())).await
}

/// Reports what the awaited jobs are doing.
async fn report(number: u32, jobs: &Jobs, wanted: &[JobId], context: &RequestContext<RoleServer>) {
    let Some(token) = context.meta.get_progress_token() else { return };
    let wanted = wanted.to_owned();
    let running = blocking(jobs, move |jobs| {
        let is_at_work = |status: Status| !status.has_ended();
        jobs.list(20, is_at_work, |state| wanted.is_empty() || wanted.contains(&state.job_id))
    })
    .await;
    let message = match running.as_deref() {
        Ok([state]) => {
            let what = &state.activity.last_activity;
            format!("{}: {what}", state.label.as_deref().unwrap_or("the job"))
        }
        Ok(states) => format!("waiting for {} jobs", states.len()),
        Err(_) => "waiting".into(),
    };
    let params = ProgressNotificationParam::new(token, f64::from(number)).with_message(message);
    // The transport never blocks on a message, so this takes no time.
    drop(context.peer.notify_progress(params).await);
}
