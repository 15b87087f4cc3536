//! `codex_chat` as a job, for clients that accept a task as the answer.

use rmcp::model::{CallToolResult, JsonObject};
use serde_json::Map;

use super::arguments::Arguments;
use super::chat;
use super::chat_request::request_and_text;
use super::definition::{Services, Tool};
use super::details::Details;
use super::error::{Error, answer, render, structure};
use super::job::{SESSION_TIMEOUT, all_or_nothing, read_until, start};
use super::plain;
use super::reply::changed;
use super::size_limit::structured;
use crate::job::{Jobs, State, snapshot};
use crate::model::effective::writes;
use crate::model::text::{LineBreaks, sanitize};

/// Starts a job for a call to `codex_chat`, and waits up to [`SESSION_TIMEOUT`] for its session.
/// `is_structured`: an error has structured content, too.
///
/// # Errors
///
/// The answer to the call, if the job could not be started.
pub(crate) async fn start_chat(
    tool: &Tool,
    arguments: JsonObject,
    services: &Services,
    is_structured: bool,
) -> Result<State, CallToolResult> {
    let started = start_job(tool, arguments, services).await;
    started.map_err(|error| error.result(tool.name, tool.family, is_structured))
}

async fn start_job(
    tool: &Tool,
    arguments: JsonObject,
    services: &Services,
) -> Result<State, Error> {
    let Services { codex, jobs, .. } = services;
    let mut arguments = Arguments::new(tool.name, &tool.input, &tool.unlisted, arguments)?;
    // Not set, otherwise this is no task.
    arguments.drop_argument(chat::BACKGROUND);
    let label = start::label_of(&mut arguments)?;
    let (mut request, text) = request_and_text(arguments, &codex.settings().origin)?;
    // The timeouts of a call apply, although a job runs it.
    let limits = codex.settings().limits;
    request.total.get_or_insert(limits.total);
    request.idle.get_or_insert(limits.idle);
    let request = codex.vet(request, None).await?;
    let order = jobs.before_start().await;
    let job =
        all_or_nothing(jobs, move |jobs, commit| jobs.start(request, &text, label, commit)).await?;
    drop(order);
    read_until(jobs, Jobs::state_unscoped, job, SESSION_TIMEOUT, |state| {
        state.session_id.is_some() || state.status.has_ended()
    })
    .await
}

/// The answer of `codex_chat`, from the job that ran it. `is_structured`: an error has structured content, too.
pub(crate) fn chat_result(state: &State, is_structured: bool) -> CallToolResult {
    let Some(session) = state.session_id.filter(|_| state.error.is_none()) else {
        let (mut text, mut fields) = match &state.error {
            Some(error) => {
                // An older version may have recorded it unescaped.
                let message = sanitize(&error.message, LineBreaks::Keep);
                (
                    render(&error.kind, &message, &error.next),
                    structure(&error.kind, &message, &error.next),
                )
            }
            None => (format!("{}.\n", state.status.as_str()), Map::new()),
        };
        let details = Details::from(state);
        text += &details.text("session_id");
        fields.extend(details.fields());
        return answer(text, is_structured.then_some(fields));
    };
    let shown = snapshot(state);
    let reply = shown.get("result").cloned().unwrap_or_else(|| "".into());
    let mut content = Map::new();
    content.insert("session_id".into(), session.to_string().into());
    content.insert("reply".into(), reply);
    let take = |field: &str| shown.get(field).map(|value| (field.to_owned(), value.clone()));
    content.extend(take("output"));
    let may_write = state.effective.as_ref().is_some_and(writes);
    for (field, value) in changed(&state.files_changed, state.cwd.as_deref(), may_write) {
        content.insert(field, value);
    }
    content.extend(["warnings", "resume_command", "cwd"].into_iter().filter_map(take));
    if let Some((name, mut effective)) = take("effective") {
        let is_there = shown.get("cwd") == effective.get("cwd");
        effective.as_object_mut().filter(|_| is_there).map(|fields| fields.shift_remove("cwd"));
        content.insert(name, effective);
    }
    content.extend(take("usage"));
    let is_more = shown.get("session_usage") != shown.get("usage");
    content.extend(take("session_usage").filter(|_| is_more));
    content.extend(take("job_id"));
    structured(content, plain::turn)
}
