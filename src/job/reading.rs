//! The lines of a job's log as entries for a reader. Pure.

use serde_json::Value;

use super::record::JobEvent;
use super::status::Status;
use crate::codex::reading::entry::{Entry, What, name, text};
use crate::codex::reading::exec;
use crate::model::error_code::headline;
use crate::model::time::Time;

/// The entries of a line. `None` if it is no line of a job's log.
pub(crate) fn entries(line: &Value) -> Option<Vec<Entry>> {
    let at = Some(Time(line["at"].as_u64()?));
    let turn = line["turn"].as_u64()?;
    let (whats, session) = match (line.get("codex"), line.get("job")) {
        (Some(event), _) => (of_codex(event), event["thread_id"].as_str()),
        (None, Some(event)) => {
            let event: JobEvent = serde_json::from_value(event.clone()).ok()?;
            (of_job(event), line["job"]["session_id"].as_str())
        }
        (None, None) => return None,
    };
    let request = (turn > 0).then(|| turn.to_string());
    let entry = |what| Entry {
        at,
        request: request.clone(),
        session: session.map(name),
        is_of_call: false,
        what,
    };
    Some(whats.into_iter().map(entry).collect())
}

/// The job's own events say when a turn starts and ends.
fn of_codex(event: &Value) -> Vec<What> {
    let mut whats = exec::whats(event);
    whats.retain(|what| !matches!(what, What::TurnStarted { .. } | What::TurnEnded { .. }));
    whats
}

fn of_job(event: JobEvent) -> Vec<What> {
    match event {
        JobEvent::Created { .. } => Vec::new(),
        JobEvent::Prompt { text: prompt, .. } => vec![What::Queued { text: text(&prompt) }],
        JobEvent::Running { cwd, .. } => vec![
            What::TurnStarted { window: None },
            What::Session { model: None, cwd: Some(name(&cwd.to_string_lossy())), record: None },
        ],
        JobEvent::Skipped { reason } => {
            vec![What::Note { text: format!("skipped: {}", text(&reason)) }]
        }
        JobEvent::Ended { status, result, error, warnings, .. } => {
            let warning = |message: &String| What::Warning { message: text(message) };
            let error = error.map(|error| text(&headline(&error.kind, &error.message)));
            let ended = match (status, error) {
                (Status::Cancelled | Status::Interrupted, error) => {
                    let reason = error.unwrap_or_else(|| status.as_str().to_owned());
                    What::TurnAborted { reason, duration: None }
                }
                (_, error) => {
                    let reply = result.filter(|_| error.is_none());
                    let reply = reply.map(|reply| text(&reply));
                    What::TurnEnded { reply, duration: None, error }
                }
            };
            warnings.iter().map(warning).chain([ended]).collect()
        }
        JobEvent::Interrupted { error } => {
            vec![What::TurnAborted { reason: text(&error.message), duration: None }]
        }
    }
}
