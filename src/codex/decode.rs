//! Decodes the lines of `codex exec --json`.
//!
//! The format is the same from Codex 0.77 to 0.171 (see `tests/fixtures/streams`). Decoding is tolerant: a
//! field that is missing or has the wrong type is left empty, unknown events and items become
//! [`Event::Unknown`] and [`Item::Other`], and invalid UTF-8 is decoded with replacement characters. The
//! output of commands is never copied.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::{sandbox_denials, sandbox_failure};
use crate::model::event::{Event, Item, MAX_LISTED, Phase, TodoStep};
use crate::model::usage::Usage;

impl Event {
    /// Decodes one line without its line break. `None` if it is not a JSON object.
    pub(crate) fn decode(line: &[u8]) -> Option<Self> {
        if let Ok(raw) = serde_json::from_slice::<RawEvent<'_>>(line) {
            return Some(Self::from(raw));
        }
        let text = String::from_utf8_lossy(line);
        let value = serde_json::from_str::<Value>(&text).ok()?;
        value.is_object().then(|| Self::from(RawEvent::tolerant(&value)))
    }
}

impl From<RawEvent<'_>> for Event {
    fn from(raw: RawEvent<'_>) -> Self {
        let phase = match raw.kind.as_ref() {
            "thread.started" => {
                return Self::ThreadStarted { thread_id: raw.thread_id.into_owned() };
            }
            "turn.started" => return Self::TurnStarted,
            "turn.completed" => return Self::TurnCompleted { usage: raw.usage },
            "turn.failed" => {
                return Self::TurnFailed { message: raw.error.message.into_owned() };
            }
            "error" => return Self::Error { message: raw.message.into_owned() },
            "item.started" => Phase::Started,
            "item.updated" => Phase::Updated,
            "item.completed" => Phase::Completed,
            _ => return Self::Unknown { kind: raw.kind.into_owned() },
        };
        let (id, item) = raw.item.into_item();
        Self::Item { id, phase, item }
    }
}

/// The union of all events, so that a line is parsed in one pass regardless of the order of its keys.
#[derive(Deserialize)]
struct RawEvent<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    thread_id: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    error: RawError<'a>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(borrow, default)]
    item: RawItem<'a>,
}

#[derive(Deserialize, Default)]
struct RawError<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

/// The union of all items.
#[derive(Deserialize, Default)]
struct RawItem<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    command: Cow<'a, str>,
    #[serde(default)]
    exit_code: Option<i64>,
    #[serde(borrow, default)]
    aggregated_output: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    changes: Vec<RawChange<'a>>,
    #[serde(borrow, default)]
    server: Cow<'a, str>,
    #[serde(borrow, default)]
    tool: Cow<'a, str>,
    #[serde(borrow, default)]
    query: Cow<'a, str>,
    #[serde(borrow, default)]
    items: Vec<RawStep<'a>>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct RawChange<'a> {
    #[serde(borrow, default)]
    path: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawStep<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(default)]
    completed: bool,
}

impl RawItem<'_> {
    fn into_item(self) -> (String, Item) {
        let item = match self.kind.as_ref() {
            "agent_message" => Item::AgentMessage { text: self.text.into_owned() },
            "reasoning" => Item::Reasoning { text: self.text.into_owned() },
            "command_execution" => {
                let (output, exit_code) = (&self.aggregated_output, self.exit_code);
                let no_sandbox = sandbox_failure::message(&self.command, output, exit_code);
                let refused =
                    no_sandbox.is_none() && sandbox_denials::is_command_denied(output, exit_code);
                let command = self.command.into_owned();
                Item::Command { command, exit_code, refused, no_sandbox }
            }
            "file_change" => Item::FileChange {
                made: !matches!(self.status.as_ref(), "failed" | "declined"),
                refused: sandbox_denials::is_patch_denied(&self.aggregated_output),
                paths: self
                    .changes
                    .into_iter()
                    .take(MAX_LISTED)
                    .map(|change| change.path.into_owned())
                    .collect(),
            },
            "mcp_tool_call" => {
                let error = self.error.as_ref().and_then(|error| error["message"].as_str());
                Item::McpToolCall {
                    refused: error.is_some_and(sandbox_denials::is_mcp_call_denied),
                    server: self.server.into_owned(),
                    tool: self.tool.into_owned(),
                }
            }
            "collab_tool_call" => Item::CollabToolCall { tool: self.tool.into_owned() },
            "web_search" => Item::WebSearch { query: self.query.into_owned() },
            "todo_list" => Item::TodoList {
                steps: self
                    .items
                    .into_iter()
                    .take(MAX_LISTED)
                    .map(|step| TodoStep {
                        text: step.text.into_owned(),
                        completed: step.completed,
                    })
                    .collect(),
            },
            "error" => Item::Error { message: self.message.into_owned() },
            _ => Item::Other { kind: self.kind.into_owned() },
        };
        (self.id.into_owned(), item)
    }
}

impl<'a> RawEvent<'a> {
    /// Takes the fields that have the expected type from any object and ignores the rest.
    fn tolerant(value: &'a Value) -> Self {
        let text = |value: &'a Value, key: &str| Cow::from(value[key].as_str().unwrap_or_default());
        let list = |value: &'a Value, key: &str| {
            value[key].as_array().map(Vec::as_slice).unwrap_or_default().iter()
        };
        let item = &value["item"];
        Self {
            kind: text(value, "type"),
            thread_id: text(value, "thread_id"),
            message: text(value, "message"),
            error: RawError { message: text(&value["error"], "message") },
            usage: Usage::deserialize(&value["usage"]).ok(),
            item: RawItem {
                id: text(item, "id"),
                kind: text(item, "type"),
                text: text(item, "text"),
                command: text(item, "command"),
                exit_code: item["exit_code"].as_i64(),
                aggregated_output: text(item, "aggregated_output"),
                status: text(item, "status"),
                changes: list(item, "changes")
                    .map(|change| RawChange { path: text(change, "path") })
                    .collect(),
                server: text(item, "server"),
                tool: text(item, "tool"),
                query: text(item, "query"),
                items: list(item, "items")
                    .map(|step| RawStep {
                        text: text(step, "text"),
                        completed: step["completed"].as_bool().unwrap_or_default(),
                    })
                    .collect(),
                message: text(item, "message"),
                error: item.get("error").cloned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_wrong_type_is_ignored_and_the_rest_kept() {
        let line = br#"{"type":"item.completed","item":{"id":7,"type":"agent_message","text":"hi","changes":3}}"#;
        let expected = Event::Item {
            id: String::new(),
            phase: Phase::Completed,
            item: Item::AgentMessage { text: "hi".into() },
        };
        assert_eq!(Event::decode(line), Some(expected));
    }

    #[test]
    fn invalid_utf8_is_decoded_with_replacement_characters() {
        let line = b"{\"type\":\"error\",\"message\":\"a\xffb\"}";
        assert_eq!(Event::decode(line), Some(Event::Error { message: "a\u{fffd}b".into() }));
    }

    #[test]
    fn the_type_may_come_last() {
        let line = br#"{"thread_id":"x","type":"thread.started"}"#;
        assert_eq!(Event::decode(line), Some(Event::ThreadStarted { thread_id: "x".into() }));
    }

    #[test]
    fn unknown_events_and_items_are_kept_as_such() {
        assert_eq!(
            Event::decode(br#"{"type":"turn.paused","item":[]}"#),
            Some(Event::Unknown { kind: "turn.paused".into() })
        );
        let item = br#"{"type":"item.started","item":{"id":"1","type":"hologram"}}"#;
        let expected = Event::Item {
            id: "1".into(),
            phase: Phase::Started,
            item: Item::Other { kind: "hologram".into() },
        };
        assert_eq!(Event::decode(item), Some(expected));
    }

    #[test]
    fn a_line_that_is_not_an_object_is_not_an_event() {
        for line in [&b"plain words"[..], b"[1]", b"3", br#"{"type":"#, b""] {
            assert_eq!(Event::decode(line), None);
        }
    }
}
