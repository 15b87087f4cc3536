//! `job_wait`: what has happened to jobs since a cursor, as soon as there is something.

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep};

use super::{Answer, blocking, notification};
use crate::job::{JobId, Jobs, LOOK_EVERY, Mark, Notification, Problem, ProcessId, Status};
use crate::model::outcome::FailureKind;
use crate::tool::arguments::{Arguments, Result};

/// How many notifications one answer has at most.
pub(super) const MAX_TOLD: usize = 100;

/// How long to wait: less than the 60 s after which the most impatient clients give up, and at most
/// less than the 300 s that Codex gives a tool.
const DEFAULT_MS: u64 = 50_000;
const MAX_MS: u64 = 280_000;

/// Every so many looks for notifications it is looked whether the jobs' processes are still there.
const LOOKS_A_RUNNER: u32 = 5;

/// How often jobs are looked at that may have lost their process, and progress is told.
const LOOK_AT_JOBS: Duration = Duration::from_secs(5);

/// How many may wait at a time in this process: each looks at the disk all the time.
const MAX_OPEN: usize = 100;
static OPEN: Semaphore = Semaphore::const_new(MAX_OPEN);

/// The cursor and the jobs that a call is about.
pub(super) fn which(arguments: &mut Arguments) -> Result<(u64, Vec<JobId>)> {
    let cursor = arguments.whole("cursor", 0, u64::MAX)?.unwrap_or(0);
    let jobs = arguments.texts("job_ids")?;
    let jobs: Result<Vec<JobId>> = jobs
        .iter()
        .map(|job| job.parse().map_err(|problem| super::invalid("job_ids", problem)))
        .collect();
    Ok((cursor, jobs?))
}

/// What was found, as clients see it.
pub(super) fn told(found: &[(u64, Notification)], cursor: u64) -> Map<String, Value> {
    let all: Vec<Value> = found.iter().map(|(cursor, told)| notification(*cursor, told)).collect();
    Map::from_iter([("cursor".to_owned(), cursor.into()), ("notifications".to_owned(), all.into())])
}

pub(super) async fn wait(
    mut arguments: Arguments,
    jobs: &Jobs,
    context: &RequestContext<RoleServer>,
) -> Answer {
    let (mut cursor, wanted) = which(&mut arguments)?;
    let timeout = arguments.whole("timeout_ms", 1, MAX_MS)?.unwrap_or(DEFAULT_MS);
    arguments.end();
    let Ok(_open) = OPEN.try_acquire() else {
        return Err(FailureKind::TooManyCalls { running: MAX_OPEN, waiting: 0 }.into());
    };
    let began = Instant::now();
    let until = began + Duration::from_millis(timeout);
    let mut number = 0;
    loop {
        let mark = mark(jobs).await?;
        let asked = wanted.clone();
        let (found, seen) =
            blocking(jobs, move |jobs| jobs.notifications(cursor, &asked, MAX_TOLD)).await?;
        cursor = seen;
        let now = Instant::now();
        if !found.is_empty() || now >= until || context.ct.is_cancelled() {
            return Ok(told(&found, cursor));
        }
        if number > 0 || now.duration_since(began) >= LOOK_AT_JOBS {
            number += 1;
            tell(number, jobs, &wanted, context).await;
        } else {
            number = 1;
        }
        let asked = wanted.clone();
        let runners = blocking(jobs, move |jobs| jobs.runners(&asked)).await?;
        let next = until.min(now + LOOK_AT_JOBS);
        let mut looks = 0;
        while Instant::now() < next
            && self::mark(jobs).await? == mark
            && !context.ct.is_cancelled()
            && (looks % LOOKS_A_RUNNER != 0 || runners.iter().all(ProcessId::is_alive))
        {
            looks += 1;
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Changes when there is something new.
async fn mark(jobs: &Jobs) -> std::result::Result<Mark, Problem> {
    blocking(jobs, |jobs| Ok(jobs.mark())).await
}

/// Tells what the jobs are at that are waited for.
async fn tell(number: u32, jobs: &Jobs, wanted: &[JobId], context: &RequestContext<RoleServer>) {
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
    // The transport never makes a message wait, so this takes no time.
    drop(context.peer.notify_progress(params).await);
}
