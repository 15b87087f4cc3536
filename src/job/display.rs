//! Describes an entry of a job's log, as returned raw by [`page`](super::view::page), for a user
//! who watches the job. Pure.

use serde_json::Value;

use super::record::{JobEvent, Line};
use super::view::readable;
use crate::codex::progress_text::progress_text;
use crate::model::event::Event;

/// The description of an entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) kind: String,
    pub(crate) text: String,
    /// The exit code of a command, and its output.
    pub(crate) exit_code: Option<i64>,
    pub(crate) output: String,
    /// Whether it reports a failure.
    pub(crate) is_failed: bool,
    /// Whether it is reported late, after the turn.
    pub(crate) is_from_record: bool,
}

/// Describes an entry. `None` if it is of no interest to a user. Unlike a page of readable events,
/// this also shows that a command starts, so that the user sees what is going on.
pub(crate) fn describe(entry: &Value) -> Option<Description> {
    let event = &entry["event"];
    let raw = serde_json::value::to_raw_value(event).ok()?;
    let job = serde_json::from_value::<JobEvent>(event.clone()).ok();
    let codex = job.is_none().then_some(&*raw);
    let turn = entry["turn"].as_u64().unwrap_or_default();
    let line = Line { at: 0, turn, codex, job };
    if let Some(fields) = readable(&line, &[]) {
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        return Some(Description {
            kind: text("type"),
            text: text("text"),
            exit_code: fields["exit_code"].as_i64(),
            output: text("output"),
            is_failed: fields.get("status").is_some_and(|status| status == "failed"),
            is_from_record: fields.get("from").is_some(),
        });
    }
    let running = progress_text(&Event::decode(raw.get().as_bytes())?, false)?;
    running.starts_with("running: ").then(|| Description {
        kind: "running".into(),
        text: running,
        ..Description::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_command_is_described_when_it_starts_and_when_it_ends() {
        let entry = |kind: &str, item: Value| json!({"cursor": 1, "turn": 1, "event": {"type": kind, "item": item}});
        let begins = json!({"id": "1", "type": "command_execution", "command": "bash -lc 'ls'"});
        let begins = describe(&entry("item.started", begins)).expect("it is described");
        assert_eq!((begins.kind.as_str(), begins.text.as_str()), ("running", "running: ls"));
        let ends = json!({"id": "1", "type": "command_execution", "command": "ls", "exit_code": 2,
                          "aggregated_output": "no\n"});
        let ends = describe(&entry("item.completed", ends)).expect("it is described");
        assert_eq!((ends.exit_code, ends.output.as_str()), (Some(2), "no\n"));
    }

    #[test]
    fn events_of_the_job_are_described() {
        let event = json!({"type": "turn.running", "cwd": "/tmp"});
        let described =
            describe(&json!({"cursor": 1, "turn": 2, "event": event})).expect("it is described");
        assert_eq!(described.text, "turn 2 runs in /tmp");
    }
}
