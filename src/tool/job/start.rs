//! `job_start`: starts a job, and waits briefly for its session.

use serde_json::{Value, json};
use tokio::time::Duration;

use super::view::{self, Field};
use super::{SESSION_TIMEOUT, all_or_nothing, read_until, schema, with_notification_cursor};
use crate::job::{Jobs, State, Status, check_label};
use crate::model::limits::MAX_LIMIT;
use crate::tool::arguments::{self, Arguments, invalid};
use crate::tool::definition::{Answer, Call, Effect, JOB_IDLE, JOB_TOTAL, Services, Tool};
use crate::tool::error::{Error, Family, NOT_STARTED};
use crate::tool::plain;
use crate::tool::schema::{closed, merged, string};
use crate::tool::{chat_request, turn};

/// How long a start waits for its place in the queue.
const PLACE_TIMEOUT: Duration = Duration::from_secs(1);

pub(in crate::tool) fn tool() -> Tool {
    Tool {
        name: "job_start",
        title: "Start a Codex job",
        description: "Starts Codex on a long task in the background and returns a job_id at once. \
                      The job outlives this call, the client and the server. Wait for it with \
                      job_wait (pass notification_cursor as cursor), follow it with job_events, \
                      reply with job_reply.",
        input: closed(properties(), &["prompt"]),
        output: schema::snapshot_with_cursor(),
        effect: Effect::Works,
        family: Family::Job { not_done: NOT_STARTED },
        plain: plain::json,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(start(call)),
    }
}

fn properties() -> Value {
    let most = MAX_LIMIT.as_millis();
    let turn = turn::properties(
        &format!("Timeout of a turn in ms, 1 to {most}. Default {JOB_TOTAL}."),
        &format!("Idle timeout in ms, 1 to {most}. Default {JOB_IDLE}."),
    );
    merged(merged(chat_request::properties(), turn), json!({ "label": label() }))
}

/// The schema of a job's name.
pub(in crate::tool) fn label() -> Value {
    string("A name for users to see, at most 200 characters.")
}

async fn start(Call { arguments, services, .. }: Call<'_>) -> Answer {
    let (state, cursor) = started(arguments, services).await?;
    Ok(with_notification_cursor(&state, cursor))
}

/// The name that a call gives its job.
pub(in crate::tool) fn label_of(arguments: &mut Arguments) -> arguments::Result<Option<String>> {
    let label = arguments.optional_text("label")?;
    label.as_deref().map_or(Ok(()), check_label).map_err(|problem| invalid("label", problem))?;
    Ok(label)
}

/// Starts a job for a call to `codex_chat`.
pub(in crate::tool) async fn in_background(arguments: Arguments, services: &Services) -> Answer {
    let (state, _) = started(arguments, services).await?;
    if state.status.has_ended() {
        services.client_jobs.told(state.job_id, state.to_announce);
        return Ok(view::ended(&state));
    }
    let mut content = view::fields(&state, &[Field::Id, Field::Status, Field::Session]);
    content.insert("next".into(), "codex_job_wait with this job_id returns the answer.".into());
    Ok(content)
}

/// Starts a job, and waits briefly for its session. Also returns the cursor of the last notification before it.
pub(in crate::tool) async fn started(
    mut arguments: Arguments,
    services: &Services,
) -> Result<(State, u64), Error> {
    let Services { codex, jobs, .. } = services;
    let label = label_of(&mut arguments)?;
    let origin = &codex.settings().origin;
    let (request, text) = chat_request::request_and_text(arguments, origin)?;
    let request = codex.vet(request, None).await?;
    let order = jobs.before_start().await;
    let (job, cursor) = all_or_nothing(jobs, move |jobs, commit| {
        let cursor = jobs.last_notification()?;
        Ok((jobs.start(request, &text, label, commit)?, cursor))
    })
    .await?;
    drop(order);
    services.client_jobs.add(job, 0);
    // A job that waits behind others has no session yet.
    read_until(jobs, Jobs::state_unscoped, job, PLACE_TIMEOUT, |state| {
        state.status != Status::Queued
    })
    .await?;
    let state = read_until(jobs, Jobs::state_unscoped, job, SESSION_TIMEOUT, |state| {
        state.session_id.is_some()
            || matches!(state.status, Status::Queued)
            || state.status.has_ended()
    })
    .await?;
    Ok((state, cursor))
}
