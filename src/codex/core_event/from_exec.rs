//! Lines of `codex exec --json` as events of Codex's core.
//!
//! The stream knows less than the core: ids of items instead of calls, no times, no contents of files. What it
//! does not know is left out. Its format is the same from 0.77 to 0.171.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::shell::{unparsed, words};
use super::{CoreEvent, fields, parse};
use crate::codex::progress_text::without_shell;

/// How many items may have begun and not ended.
const MAX_OPEN: usize = 4_000;

/// How Codex's messages begin that say that it tries again (0.77 to 0.171).
const RECONNECTING: &str = "Reconnecting";

/// Decodes a stream. The turns have the ids `1`, `2` and so on, since the stream has none. Remembers the last
/// message and at most [`MAX_OPEN`] items.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    turns: u32,
    last_message: Option<String>,
    /// The last error, which the end of the turn repeats.
    last_error: Option<String>,
    /// Items that have begun.
    open: HashSet<String>,
}

impl Decoder {
    /// The events of the next line. Bytes that are no line of a stream have none.
    pub(crate) fn feed(&mut self, line: &[u8]) -> Vec<CoreEvent> {
        let line = parse(line);
        let is_before_turn = line["type"] == "thread.started";
        let msgs = self.messages(&line);
        let turn = if is_before_turn { String::new() } else { self.turn() };
        let event = |msg| CoreEvent { turn: turn.clone(), time: None, msg };
        msgs.into_iter().map(event).collect()
    }

    /// The id of the turn.
    fn turn(&self) -> String {
        if self.turns == 0 { String::new() } else { self.turns.to_string() }
    }

    fn messages(&mut self, line: &Value) -> Vec<Map<String, Value>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let msg = match line["type"].as_str().unwrap_or_default() {
            "thread.started" => {
                let thread = text(&line["thread_id"]);
                json!({ "type": "session_configured", "session_id": thread, "thread_id": thread })
            }
            "turn.started" => {
                self.turns = self.turns.saturating_add(1);
                (self.last_message, self.last_error) = (None, None);
                self.open.clear();
                json!({ "type": "task_started", "turn_id": self.turn() })
            }
            "turn.completed" => {
                let count = token_count(&line["usage"]);
                let complete = json!({
                    "type": "task_complete",
                    "turn_id": self.turn(),
                    "last_agent_message": self.last_message,
                });
                return count.into_iter().chain([fields(complete)]).collect();
            }
            "error" => {
                let message = text(&line["message"]);
                if message.starts_with(RECONNECTING) {
                    json!({ "type": "stream_error", "message": message, "codex_error_info": "other" })
                } else {
                    self.last_error = Some(message.clone());
                    error(&message)
                }
            }
            "turn.failed" => {
                let message = text(&line["error"]["message"]);
                if self.last_error.take().is_some_and(|last| last == message) {
                    return Vec::new();
                }
                error(&message)
            }
            "item.started" => return self.item(&line["item"], Phase::Started),
            "item.updated" => return self.item(&line["item"], Phase::Updated),
            "item.completed" => return self.item(&line["item"], Phase::Completed),
            _ => return Vec::new(),
        };
        vec![fields(msg)]
    }

    fn item(&mut self, item: &Value, phase: Phase) -> Vec<Map<String, Value>> {
        let kind = item["type"].as_str().unwrap_or_default();
        let text = item["text"].as_str().unwrap_or_default();
        match (kind, phase) {
            ("agent_message", Phase::Completed) => {
                self.last_message = Some(text.to_owned());
                let msg = json!({ "type": "agent_message", "message": text, "phase": null, "memory_citation": null });
                return vec![fields(msg)];
            }
            ("reasoning", Phase::Completed) => {
                return vec![fields(json!({ "type": "agent_reasoning", "text": text }))];
            }
            ("error", Phase::Completed) => {
                return vec![fields(json!({ "type": "warning", "message": item["message"] }))];
            }
            // At the end of the turn, the last list is printed again.
            ("todo_list", Phase::Started | Phase::Updated) => return vec![plan(&item["items"])],
            ("command_execution" | "file_change" | "mcp_tool_call" | "web_search", _) => {}
            _ => return Vec::new(),
        }
        // A web search is printed with two ids. The second is the call's, and the one that is read.
        let id = item["id"].as_str().unwrap_or_default();
        let (begin, end) = (begin(kind, id, &self.turn(), item), end(kind, id, &self.turn(), item));
        match phase {
            Phase::Started if self.open.len() < MAX_OPEN => {
                if self.open.insert(id.to_owned()) {
                    vec![begin]
                } else {
                    Vec::new()
                }
            }
            Phase::Started | Phase::Updated => Vec::new(),
            Phase::Completed if self.open.remove(id) => vec![end],
            Phase::Completed => vec![begin, end],
        }
    }
}

#[derive(Clone, Copy)]
enum Phase {
    Started,
    Updated,
    Completed,
}

fn begin(kind: &str, id: &str, turn: &str, item: &Value) -> Map<String, Value> {
    fields(match kind {
        "command_execution" => {
            let line = item["command"].as_str().unwrap_or_default();
            json!({
                "type": "exec_command_begin",
                "call_id": id,
                "turn_id": turn,
                "command": words(line),
                "parsed_cmd": unparsed(&without_shell(line)),
            })
        }
        "file_change" => json!({
            "type": "patch_apply_begin",
            "call_id": id,
            "turn_id": turn,
            "auto_approved": true,
            "changes": changes(&item["changes"]),
        }),
        "mcp_tool_call" => json!({
            "type": "mcp_tool_call_begin",
            "call_id": id,
            "invocation": invocation(item),
        }),
        _ => json!({ "type": "web_search_begin", "call_id": id }),
    })
}

fn end(kind: &str, id: &str, turn: &str, item: &Value) -> Map<String, Value> {
    fields(match kind {
        "command_execution" => {
            let line = item["command"].as_str().unwrap_or_default();
            let output = item["aggregated_output"].as_str().unwrap_or_default();
            json!({
                "type": "exec_command_end",
                "call_id": id,
                "turn_id": turn,
                "command": words(line),
                "parsed_cmd": unparsed(&without_shell(line)),
                "stdout": output,
                "stderr": "",
                "aggregated_output": output,
                "exit_code": item["exit_code"].as_i64().unwrap_or(-1),
                "formatted_output": output,
                "status": item["status"],
            })
        }
        "file_change" => json!({
            "type": "patch_apply_end",
            "call_id": id,
            "turn_id": turn,
            "stdout": "",
            "stderr": "",
            "success": item["status"] == "completed",
            "changes": changes(&item["changes"]),
            "status": item["status"],
        }),
        "mcp_tool_call" => json!({
            "type": "mcp_tool_call_end",
            "call_id": id,
            "invocation": invocation(item),
            "result": match &item["error"] {
                Value::Null => json!({ "Ok": tool_result(item) }),
                error => json!({ "Err": error["message"] }),
            },
        }),
        _ => json!({
            "type": "web_search_end",
            "call_id": id,
            "query": item["query"],
            "action": item["action"],
        }),
    })
}

/// The changes by path. The stream has no contents.
fn changes(changes: &Value) -> Value {
    let changes = changes.as_array().into_iter().flatten();
    let change = |change: &Value| {
        Some((change["path"].as_str()?.to_owned(), json!({ "type": change["kind"] })))
    };
    Value::Object(changes.filter_map(change).collect())
}

fn invocation(item: &Value) -> Value {
    json!({ "server": item["server"], "tool": item["tool"], "arguments": item["arguments"] })
}

/// The result of an MCP tool, with MCP's own names.
fn tool_result(item: &Value) -> Value {
    let mut result = json!({ "content": item["result"]["content"] });
    if !item["result"]["structured_content"].is_null() {
        result["structuredContent"] = item["result"]["structured_content"].clone();
    }
    if item["status"] == "failed" {
        result["isError"] = true.into();
    }
    result
}

/// The plan. The stream does not say which step is in progress.
fn plan(items: &Value) -> Map<String, Value> {
    let steps = items.as_array().into_iter().flatten().map(|step| {
        let status = if step["completed"] == true { "completed" } else { "pending" };
        json!({ "step": step["text"], "status": status })
    });
    let steps: Vec<Value> = steps.collect();
    fields(json!({ "type": "plan_update", "explanation": null, "plan": steps }))
}

/// The tokens of the session so far.
fn token_count(usage: &Value) -> Option<Map<String, Value>> {
    let mut total = fields(usage.clone());
    let sum = usage["input_tokens"].as_u64()?.saturating_add(usage["output_tokens"].as_u64()?);
    total.insert("total_tokens".into(), sum.into());
    Some(fields(json!({
        "type": "token_count",
        "info": { "total_token_usage": total },
        "rate_limits": null,
    })))
}

/// An error as an event. Codex's kind of error is derived from its message, as far as 0.153.4 had these messages.
fn error(message: &str) -> Value {
    let lower = message.to_lowercase();
    let status = message.split_once("last status: ").and_then(|(_, status)| {
        status.split(|char: char| !char.is_ascii_digit()).next()?.parse::<u16>().ok()
    });
    let info = if let Some(status) = status {
        json!({ "response_too_many_failed_attempts": { "http_status_code": status } })
    } else if lower.contains("currently experiencing high demand") {
        json!("internal_server_error")
    } else if lower.contains("usage limit") {
        json!("usage_limit_exceeded")
    } else if lower.contains("ran out of room in the model's context window") {
        json!("context_window_exceeded")
    } else {
        json!("other")
    };
    json!({ "type": "error", "message": message, "codex_error_info": info })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_that_are_remembered_are_bounded_and_each_end_has_a_begin() {
        let mut decoder = Decoder::default();
        let mut told = [0, 0];
        for (phase, told) in ["item.started", "item.completed"].into_iter().zip(&mut told) {
            for number in 0..2 * MAX_OPEN {
                let item = json!({"id": number.to_string(), "type": "command_execution"});
                let line = json!({"type": phase, "item": item}).to_string();
                *told += decoder.feed(line.as_bytes()).len();
            }
        }
        assert_eq!(told, [MAX_OPEN, 3 * MAX_OPEN]);
    }

    #[test]
    fn an_error_is_told_once() {
        let mut decoder = Decoder::default();
        let lines = [
            r#"{"type":"turn.started"}"#,
            r#"{"type":"error","message":"Reconnecting... 1/5"}"#,
            r#"{"type":"error","message":"no"}"#,
            r#"{"type":"turn.failed","error":{"message":"no"}}"#,
        ];
        let events: Vec<CoreEvent> =
            lines.iter().flat_map(|line| decoder.feed(line.as_bytes())).collect();
        let kinds: Vec<&str> = events.iter().map(CoreEvent::kind).collect();
        assert_eq!(kinds, ["task_started", "stream_error", "error"]);
    }
}
