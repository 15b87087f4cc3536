//! The lines of a job's log as entries for a reader. Pure.

use serde_json::Value;

use super::record::JobEvent;
use super::status::Status;
use crate::codex::reading::entry::{Entry, What, name, text};
use crate::codex::reading::exec;
use crate::model::error_code::headline;
use crate::model::time::Time;

/// Why a turn was aborted that a more urgent prompt interrupted.
pub(crate) const FOR_NEXT_PROMPT: &str = "stopped for the next prompt";

/// The entries of a line. `None` if it is no line of a job's log.
pub(crate) fn entries(line: &Value) -> Option<Vec<Entry>> {
    let at = Time(line["at"].as_u64()?);
    let turn = line["turn"].as_u64()?;
    let event = line.get("codex").or_else(|| line.get("job"))?;
    Some(of_event(at, turn, event))
}

/// The entries of an event, of Codex or of the job, in this turn.
pub(crate) fn of_event(at: Time, turn: u64, event: &Value) -> Vec<Entry> {
    let (whats, session) = match serde_json::from_value::<JobEvent>(event.clone()) {
        Ok(of_the_job) => (of_job(of_the_job), event["session_id"].as_str()),
        Err(_) => (of_codex(event), event["thread_id"].as_str()),
    };
    let request = (turn > 0).then(|| turn.to_string());
    let entry = |what| Entry {
        at: Some(at),
        request: request.clone(),
        session: session.map(name),
        is_of_call: false,
        what,
    };
    whats.into_iter().map(entry).collect()
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
        JobEvent::Ended { status, notify, result, error, warnings, .. } => {
            let warning = |message: &String| What::Warning { message: text(message) };
            let error = error.map(|error| text(&headline(&error.kind, &error.message)));
            let ended = match (status, error) {
                _ if !notify => {
                    What::TurnAborted { reason: FOR_NEXT_PROMPT.into(), duration: None }
                }
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
            let reason = text(&headline(&error.kind, &error.message));
            vec![What::TurnAborted { reason, duration: None }]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whats(turn: u64, event: Value) -> Vec<What> {
        let line = json!({"cursor": 1, "at": 5, "turn": turn, "codex": event});
        let entries = entries(&line).expect("it is a line of a log");
        assert!(entries.iter().all(|entry| entry.at == Some(Time(5))));
        entries.into_iter().map(|entry| entry.what).collect()
    }

    #[test]
    fn a_turn_ends_with_the_event_of_the_job() {
        let usage = json!({"input_tokens": 5, "output_tokens": 1});
        let completed = whats(1, json!({"type": "turn.completed", "usage": usage}));
        assert!(matches!(completed[..], [What::Tokens(_)]), "{completed:?}");
        let ended = |status: &str, told: bool, error: Value| {
            let event = json!({"type": "turn.ended", "status": status, "told": told, "more": false,
                "session_id": null, "result": "r", "error": error, "usage": null});
            whats(1, event).pop().expect("an end")
        };
        let reply = ended("completed", true, Value::Null);
        assert_eq!(reply, What::TurnEnded { reply: Some("r".into()), duration: None, error: None });
        let error = json!({"kind": "timed_out", "message": "it took too long"});
        assert!(ended("timed_out", true, error.clone()).is_failure());
        for (told, reason) in [(true, "timed_out: it took too long"), (false, FOR_NEXT_PROMPT)] {
            let aborted = ended("interrupted", told, error.clone());
            assert_eq!(aborted, What::TurnAborted { reason: reason.into(), duration: None });
        }
        assert_eq!(entries(&json!({"type": "turn.started"})), None);
    }
}
