//! A call to `codex_chat` as a task (MCP's tasks extension, 2026-07-28). The task is a job, and its id is
//! the job's, so any server can answer for a task that an earlier one started.

use rmcp::model::{
    CallToolResponse, CreateTaskResult, DetailedTask, ErrorData, GetTaskResult, JsonObject, Task,
    TaskPayload, TaskStatus,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::job::{JobId, Jobs, Problem, State, Status};
use crate::model::text::excerpt;
use crate::tool::{self, Services, Tool};

/// How often a client should poll, in milliseconds.
const POLL_EVERY_MS: u64 = 1_000;

/// Whether the client accepts a task as the answer to this call. Claude Code does in its terminal, but
/// not for calls of its sub-agents in the same session.
pub(super) fn is_accepted(context: &RequestContext<RoleServer>) -> bool {
    context.meta.client_capabilities().is_some_and(|client| client.supports_tasks())
}

/// Starts a job for a call to `codex_chat`, and answers with a task unless the job has ended already.
pub(super) async fn start(
    tool: &Tool,
    arguments: JsonObject,
    services: &Services,
    context: &RequestContext<RoleServer>,
) -> CallToolResponse {
    let jobs = &services.jobs;
    let is_structured = tool::takes_structured_errors(context);
    let state = match tool::start_chat(tool, arguments, services, is_structured).await {
        Ok(state) => state,
        Err(error) => return error.into(),
    };
    if context.ct.is_cancelled() {
        // Nobody will poll a task that the client never heard of.
        drop(with_job(jobs, state.job_id, Jobs::cancel).await);
    }
    if state.status.has_ended() {
        return tool::chat_result(&state, is_structured).into();
    }
    CallToolResponse::Task(CreateTaskResult::new(task(&state)))
}

/// The state of a task.
pub(super) async fn get(
    jobs: &Jobs,
    id: &str,
    context: &RequestContext<RoleServer>,
) -> Result<GetTaskResult, ErrorData> {
    let state = with_job(jobs, job_id(id)?, Jobs::first_turn_state).await?;
    let payload = match state.status {
        Status::Queued | Status::Running => TaskPayload::Working,
        Status::Cancelled => TaskPayload::Cancelled,
        Status::Completed | Status::Failed | Status::TimedOut | Status::Interrupted => {
            let result = tool::chat_result(&state, tool::takes_structured_errors(context));
            match serde_json::to_value(result) {
                Ok(Value::Object(result)) => TaskPayload::Completed { result },
                _ => return Err(ErrorData::internal_error("the result is not an object", None)),
            }
        }
    };
    Ok(GetTaskResult::new(DetailedTask::new(task(&state), payload)))
}

/// Does nothing but check the id: a task never requests input from the client.
pub(super) async fn update(jobs: &Jobs, id: &str) -> Result<(), ErrorData> {
    with_job(jobs, job_id(id)?, Jobs::state).await.map(drop)
}

/// Cancels a task. Clients may send this more than once.
pub(super) async fn cancel(jobs: &Jobs, id: &str) -> Result<(), ErrorData> {
    with_job(jobs, job_id(id)?, Jobs::cancel_first_turn).await.map(drop)
}

fn job_id(id: &str) -> Result<JobId, ErrorData> {
    id.parse()
        .map_err(|_| ErrorData::invalid_params(format!("there is no task {}", excerpt(id)), None))
}

async fn with_job(
    jobs: &Jobs,
    job: JobId,
    action: fn(&Jobs, JobId) -> Result<State, Problem>,
) -> Result<State, ErrorData> {
    tool::blocking(jobs, move |jobs| action(jobs, job)).await.map_err(|problem| match problem {
        Problem::NotFound(_) | Problem::Refused(_) => {
            ErrorData::invalid_params(problem.to_string(), None)
        }
        _ => ErrorData::internal_error(problem.to_string(), None),
    })
}

fn task(state: &State) -> Task {
    let (created, updated) = (state.created_at, state.activity.last_activity_at);
    let message = match state.session_id {
        Some(session) => format!("{} (session {session})", state.activity.last_activity),
        None => state.activity.last_activity.clone(),
    };
    // Without a time to live: the settings decide how long a job is kept.
    Task::new(
        state.job_id.to_string(),
        TaskStatus::Working,
        created.to_string(),
        updated.to_string(),
    )
    .with_status_message(message)
    .with_poll_interval_ms(POLL_EVERY_MS)
}
