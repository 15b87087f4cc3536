//! Jobs as the tools for agents show them: what an agent acts on, each thing once.

use serde_json::{Map, Value, json};

use crate::job::{State, Time};
use crate::model::effective::writes;
use crate::model::outcome::duration;
use crate::model::text::{head, head_on_one_line};
use crate::tool::reply::{MAX_REPLY_CHARS, changed};

/// How much of a prompt or result a row shows, in characters.
const ROW_CHARS: usize = 160;

/// The longest row as a line of text, in characters.
const LINE_CHARS: usize = 1_000;

/// What can be shown of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    /// Its label, else the start of its prompt.
    What,
    Status,
    Turns,
    Session,
    Cwd,
    /// What it does now, and for how long the job has been running.
    Activity,
    Created,
    /// The start of its result or error.
    Outcome,
}

/// A job that is not done.
pub(super) const ACTIVE: [Field; 6] =
    [Field::Id, Field::What, Field::Status, Field::Session, Field::Turns, Field::Activity];

/// A row of a list.
pub(super) const ROW: [Field; 9] = [
    Field::Id,
    Field::What,
    Field::Status,
    Field::Turns,
    Field::Session,
    Field::Cwd,
    Field::Activity,
    Field::Created,
    Field::Outcome,
];

/// These fields of a job. What is not known is left out.
pub(super) fn fields(state: &State, fields: &[Field]) -> Map<String, Value> {
    let mut content = Map::new();
    for field in fields {
        content.extend(field.of(state).into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    content.retain(|_, value| !value.is_null());
    content
}

impl Field {
    fn of(self, state: &State) -> Vec<(&'static str, Value)> {
        let activity = &state.activity;
        match self {
            Self::Id => vec![("job_id", json!(state.job_id))],
            Self::What => {
                let what = state.label.as_ref().unwrap_or(&state.prompt);
                vec![("what", head(what, ROW_CHARS).into())]
            }
            Self::Status => vec![("status", json!(state.status))],
            Self::Turns => vec![("turns", state.turns.into())],
            Self::Session => vec![("session_id", json!(state.session_id))],
            Self::Cwd => vec![("cwd", json!(state.cwd.as_ref().map(|cwd| cwd.to_string_lossy())))],
            Self::Activity if state.status.has_ended() => Vec::new(),
            Self::Activity => vec![
                ("last_activity", json!(activity.last_activity)),
                ("elapsed", duration(state.created_at.elapsed()).into()),
                ("stuck", json!(activity.stuck(Time::now()))),
            ],
            Self::Created => vec![("created_at", json!(state.created_at))],
            Self::Outcome => match (&state.error, &state.result) {
                (Some(error), _) => {
                    vec![(
                        "error",
                        head(&format!("{}: {}", error.kind, error.message), ROW_CHARS).into(),
                    )]
                }
                (None, Some(result)) => vec![("result", head(result, ROW_CHARS).into())],
                (None, None) => Vec::new(),
            },
        }
    }
}

/// The end of a job's last turn, whole.
pub(super) fn ended(state: &State) -> Map<String, Value> {
    let mut content = fields(state, &[Field::Id, Field::Status, Field::Session]);
    content.insert("turn".into(), state.turns.into());
    match (&state.error, &state.result) {
        (Some(error), _) => {
            content.insert("error".into(), json!(error));
        }
        (None, result) => {
            let result = result.as_deref().unwrap_or_default();
            content.insert("result".into(), head(result, MAX_REPLY_CHARS).into());
            content.extend(state.output.clone().map(|output| ("output".to_owned(), output)));
        }
    }
    let may_write = state.effective.as_ref().is_some_and(writes);
    content.extend(changed(&state.files_changed, state.cwd.as_deref(), may_write));
    if !state.warnings.is_empty() {
        content.insert("warnings".into(), state.warnings.clone().into());
    }
    content.extend(state.resume_command().map(|resume| ("resume_command".into(), resume.into())));
    content.extend(fields(state, &[Field::Cwd]));
    if let Some(usage) = state.usage {
        content.insert("usage".into(), json!(usage));
    }
    content
}

/// A row as a line of text.
pub(super) fn line(row: &Value) -> String {
    let text = |name: &str| row[name].as_str();
    let parts = ["job_id", "status", "what", "last_activity", "error", "result"].map(text);
    head_on_one_line(&parts.into_iter().flatten().collect::<Vec<_>>().join(" · "), LINE_CHARS)
}
