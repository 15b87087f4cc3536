//! `job_wait`: waits for turns of jobs to end after a cursor.

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep};

use super::notifications::{MAX_NOTIFICATIONS, cursor_and_jobs, page};
use super::{blocking, schema};
use crate::job::{JobId, Jobs, Mark, POLL_EVERY, Problem, ProcessId, Status};
use crate::model::outcome::FailureKind;
use crate::tool::definition::{Answer, Call, Effect, Tool};
use crate::tool::error::Family;
use crate::tool::plain;
use crate::tool::schema::{closed, integer, merged};

/// The default is less than the 60 s after which the least patient clients time out, the maximum less
/// than the 300 s that Codex allows a tool.
const DEFAULT_MS: u64 = 50_000;
const MAX_MS: u64 = 280_000;

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
                      interrupted). Returns an empty list after timeout_ms: then call it again \
                      with the returned cursor.",
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
        run: |call| Box::pin(wait(call)),
    }
}

async fn wait(Call { mut arguments, services, context }: Call<'_>) -> Answer {
    let jobs = &services.jobs;
    let (mut cursor, wanted) = cursor_and_jobs(&mut arguments)?;
    let timeout = arguments.whole("timeout_ms", 1, MAX_MS)?.unwrap_or(DEFAULT_MS);
    arguments.end();
    let Ok(_open) = OPEN.try_acquire() else {
        return Err(FailureKind::TooManyCalls { running: MAX_OPEN, waiting: 0 }.into());
    };
    let started = Instant::now();
    let until = started + Duration::from_millis(timeout);
    let mut number = 0;
    loop {
        let mark = mark(jobs).await?;
        let only = wanted.clone();
        let (found, seen) =
            blocking(jobs, move |jobs| jobs.notifications(cursor, &only, MAX_NOTIFICATIONS))
                .await?;
        cursor = seen;
        let now = Instant::now();
        if !found.is_empty() || now >= until || context.ct.is_cancelled() {
            return Ok(page(&found, cursor));
        }
        if number > 0 || now.duration_since(started) >= CHECK_JOBS_EVERY {
            number += 1;
            report(number, jobs, &wanted, context).await;
        } else {
            number = 1;
        }
        let only = wanted.clone();
        let runners = blocking(jobs, move |jobs| jobs.runners(&only)).await?;
        let next = until.min(now + CHECK_JOBS_EVERY);
        let mut polls = 0;
        while Instant::now() < next
            && self::mark(jobs).await? == mark
            && !context.ct.is_cancelled()
            && (polls % POLLS_PER_RUNNER_CHECK != 0 || runners.iter().all(ProcessId::is_alive))
        {
            polls += 1;
            sleep(POLL_EVERY).await;
        }
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
