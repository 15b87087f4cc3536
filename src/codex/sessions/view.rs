//! A listed session as JSON. Pure.

use serde_json::{Map, Value, json};

use super::Session;
use crate::model::text::head;

/// Maximum length of the first prompt, in characters.
const PROMPT_CHARS: usize = 300;

/// The fields of a session. `busy`: whether a process is writing to it now, if known.
pub(crate) fn session_fields(session: &Session, busy: Option<bool>) -> Map<String, Value> {
    let Session { id, is_archived, summary } = session;
    let fields = [
        ("session_id", json!(id)),
        ("cwd", json!(summary.cwd().map(|cwd| cwd.to_string_lossy()))),
        ("first_prompt", json!(summary.prompt.as_ref().map(|prompt| head(prompt, PROMPT_CHARS)))),
        ("created_at", json!(summary.created)),
        ("updated_at", json!(summary.updated)),
        ("model", json!(summary.model)),
        ("turns", json!(summary.turns)),
        ("usage", json!(summary.usage)),
        ("source", json!(summary.source)),
        ("tool", json!(summary.tool)),
        ("forked_from", json!(summary.forked_from)),
        ("archived", json!(is_archived.then_some(true))),
        ("busy", json!(busy)),
        ("resume_command", json!(session.resume_command())),
    ];
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
