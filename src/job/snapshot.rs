//! A job as JSON for programs, the same in every answer.

use serde_json::{Map, Value, json};

use super::state::State;
use crate::model::text::head;
use crate::model::time::Time;

/// The longest result that is shown, in characters.
const MAX_RESULT: usize = 400_000;

/// How much of a result a list of jobs shows, in characters.
const LISTED_RESULT: usize = 500;

impl State {
    /// The command with which a user takes over the job's session.
    pub(crate) fn resume_command(&self) -> Option<String> {
        let session = self.session_id.filter(|_| self.has_record())?;
        Some(session.resume_command_in(self.codex_home.as_deref()))
    }
}

/// Everything about a job. Unknown fields are left out.
pub(crate) fn snapshot(state: &State) -> Map<String, Value> {
    excerpt(state, MAX_RESULT)
}

/// A job in a list, with only the start of its result.
pub(crate) fn listed(state: &State) -> Map<String, Value> {
    excerpt(state, LISTED_RESULT)
}

fn excerpt(state: &State, result_chars: usize) -> Map<String, Value> {
    let activity = &state.activity;
    let result = state.result.as_ref().filter(|_| state.error.is_none());
    let error = state.error.clone().map(|mut error| {
        error.partial_reply = error.partial_reply.map(|reply| head(&reply, result_chars));
        error
    });
    let warnings: Vec<String> = state.warnings.iter().cloned().chain(activity.warning()).collect();
    let fields = [
        ("job_id", json!(state.job_id)),
        ("label", json!(state.label)),
        ("status", json!(state.status)),
        ("session_id", json!(state.session_id)),
        ("resume_command", json!(state.resume_command())),
        ("cwd", json!(state.cwd.as_ref().map(|cwd| cwd.to_string_lossy()))),
        ("created_at", json!(state.created_at)),
        ("started_at", json!(state.started_at)),
        ("ended_at", json!(state.ended_at)),
        ("turns", json!(state.turns)),
        ("last_activity_at", json!(activity.last_activity_at)),
        ("last_activity", json!(activity.last_activity)),
        ("prompt", json!(state.prompt)),
        ("result", json!(result.map(|result| head(result, result_chars)))),
        ("output", json!(state.output.as_ref().filter(|_| result_chars == MAX_RESULT))),
        ("effective", json!(state.effective)),
        ("error", json!(error)),
        ("warnings", json!((!warnings.is_empty()).then_some(warnings))),
        ("usage", json!(state.usage)),
        ("session_usage", json!(state.session_usage)),
        ("commands", json!(activity.commands)),
        ("commands_failed", json!(activity.commands_failed)),
        ("files_changed", json!(activity.files_changed)),
        ("stuck", json!(activity.stuck(Time::now()))),
        ("cursor", json!(state.cursor)),
    ];
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
