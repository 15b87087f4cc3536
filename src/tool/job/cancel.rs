//! `job_cancel`: stops a job.

use serde_json::{Value, json};
use tokio::time::Duration;

use super::{blocking, job_id, read_until, schema};
use crate::job::{JobId, Jobs, State, snapshot};
use crate::tool::definition::{Answer, Call, Effect, Tool};
use crate::tool::error::{Error, Family};
use crate::tool::plain;
use crate::tool::schema::closed;

/// How long to wait for a job to stop: longer than all signals to Codex take.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "job_cancel",
        title: "Cancel a Codex job",
        description: "Cancels a job and its queued prompts. Its session remains: job_reply \
                      resumes it.",
        input: closed(json!({ "job_id": schema::job_id() }), &["job_id"]),
        output: schema::snapshot(),
        effect: Effect::Stops,
        family: Family::Job { not_done: "" },
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(cancel(call)),
    }
}

async fn cancel(Call { mut arguments, services, .. }: Call<'_>) -> Answer {
    let job = job_id(&mut arguments)?;
    arguments.end();
    let (state, had_ended) = cancelled(job, &services.jobs).await?;
    let mut content = snapshot(&state);
    if had_ended {
        content.insert("had_ended".into(), true.into());
    }
    Ok(content)
}

/// Stops a job, and waits for that. Also returns whether there was nothing to stop.
pub(super) async fn cancelled(job: JobId, jobs: &Jobs) -> Result<(State, bool), Error> {
    let before = blocking(jobs, move |jobs| jobs.cancel(job)).await?;
    let state =
        read_until(jobs, Jobs::state, job, STOP_TIMEOUT, |state| state.status.has_ended()).await?;
    Ok((state, before.status.has_ended()))
}
