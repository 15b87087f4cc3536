//! The lines of Codex's record of a session (0.77 to 0.171), by way of Codex's own events. Pure.

use serde_json::Value;

use super::entry::{Entry, What, name};
use super::event;
use super::values::string;
use crate::codex::core_event::from_record;
use crate::model::time::Time;

/// Decodes a record from any line on.
#[derive(Default)]
pub(super) struct Decoder {
    events: from_record::Decoder,
    /// The session and the turn, which not each line names.
    session: Option<String>,
    turn: Option<String>,
}

/// Whether the line is one of a record.
pub(super) fn is_line(line: &Value) -> bool {
    line["payload"].is_object() && line["type"].is_string()
}

impl Decoder {
    /// The entries of a line. `bytes` is the line as it was read.
    pub(super) fn decode(&mut self, line: &Value, bytes: &[u8]) -> Vec<Entry> {
        let payload = &line["payload"];
        if line["type"] == "session_meta" {
            self.session = payload["id"].as_str().map(name);
        }
        if let Some(turn) = payload["turn_id"].as_str() {
            self.turn = Some(name(&Value::from(turn).to_string()));
        }
        let mut events = self.events.feed(bytes);
        // Not held back for the settings of the turn: the next look may start at the next line.
        events.extend(self.events.release());
        let at = line["timestamp"].as_str().and_then(Time::parse);
        let (request, session) = (self.turn.clone(), self.session.clone());
        let entry = |what| Entry {
            at,
            request: request.clone(),
            session: session.clone(),
            is_of_call: false,
            what,
        };
        let whats = events.into_iter().filter_map(|event| event::what(&Value::Object(event.msg)));
        let mut entries: Vec<Entry> = whats.map(entry).collect();
        let kind = (string(&line["type"]), string(&payload["type"]));
        // The server reported only the error of a failed turn, and not its end.
        let is_end = |entry: &Entry| matches!(entry.what, What::TurnEnded { .. });
        if kind == ("event_msg", "task_complete") && !entries.iter().any(is_end) {
            entries.extend(event::what(payload).map(entry));
        }
        if kind.0 == "compacted" {
            entries.push(entry(What::Note { text: "the context was compacted".into() }));
        }
        entries
    }
}
