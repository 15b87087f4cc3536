//! Events of Codex's core: `{id, msg: {type, …}}`, which `codex mcp-server` sent as `codex/event`
//! notifications.
//!
//! `codex exec` prints events of another form, and Codex's record has most of what the core's events had,
//! under other names. [`from_exec`] and [`from_record`] translate both into the events of 0.153.4, the last
//! release that had the server (`tests/fixtures/mcp-server` has what it sent). Both are pure and accept any
//! bytes. What neither source has is left out: deltas, `raw_response_item`, `turn_diff`, requests for
//! approval.

pub(crate) mod from_exec;
pub(crate) mod from_record;
mod item;
pub(crate) mod merge;
mod shell;
mod steps;
pub(crate) mod tail;

use serde_json::{Map, Value};

use crate::model::text::shorten_strings;
use crate::model::time::Time;

/// The longest message of an event, in bytes as JSON. Longer ones have their long strings shortened.
pub(crate) const MAX_BYTES: usize = 64 << 10;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CoreEvent {
    /// The id of the turn, empty before there is one.
    pub(crate) turn: String,
    /// When it was recorded. What `codex exec` prints has no time.
    pub(crate) time: Option<Time>,
    /// `type`, and the fields of that type in Codex's order.
    pub(crate) msg: Map<String, Value>,
}

impl CoreEvent {
    /// The value of `type`.
    pub(crate) fn kind(&self) -> &str {
        self.msg.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// A field of the message; `null` if it has none of this name.
    pub(crate) fn field(&self, name: &str) -> &Value {
        self.msg.get(name).unwrap_or(&Value::Null)
    }

    /// The event with strings short enough for [`MAX_BYTES`].
    pub(crate) fn shortened(mut self) -> Self {
        let length = |msg: &Map<String, Value>| {
            serde_json::to_string(msg).map_or(usize::MAX, |json| json.len())
        };
        // Escapes make a character up to six bytes long.
        let mut chars = MAX_BYTES / 4;
        while length(&self.msg) > MAX_BYTES && chars > 0 {
            let mut msg = Value::Object(std::mem::take(&mut self.msg));
            shorten_strings(&mut msg, chars);
            self.msg = fields(msg);
            chars /= 4;
        }
        self
    }
}

/// The fields of an object that was written as JSON.
fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Parses a line. `Null` if it is not JSON. Bytes that are not UTF-8 are replaced.
fn parse(line: &[u8]) -> Value {
    serde_json::from_slice(line)
        .or_else(|_| serde_json::from_str(&String::from_utf8_lossy(line)))
        .unwrap_or_default()
}

#[cfg(test)]
mod recorded;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_long_event_is_shortened_and_keeps_its_fields() {
        let texts: Vec<String> = (0..100).map(|_| "\u{1}".repeat(5_000)).collect();
        let output = "x".repeat(1 << 20);
        let msg = fields(json!({"type": "exec_command_end", "stdout": output, "command": texts}));
        let event = CoreEvent { turn: "1".into(), time: None, msg }.shortened();
        let length = Value::Object(event.msg.clone()).to_string().len();
        assert!(length <= MAX_BYTES, "{length}");
        assert_eq!(event.kind(), "exec_command_end");
        assert_eq!(event.field("command").as_array().map(Vec::len), Some(100));
    }
}
