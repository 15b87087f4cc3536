//! Lines of Codex's record as events of its core.
//!
//! From 0.153 on the record has an item for each step, with all that the core's two events had: the end of a
//! step is the item, its begin is the model's call before it. Older records have calls with their outputs, so
//! less is known. From 0.77 to 0.152 the record has some of the core's events as they are.

mod call;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use memchr::memmem;
use serde_json::{Map, Value, json};

use super::item::Completed;
use super::shell::shell_of;
use super::{CoreEvent, fields, parse};
use crate::model::session_id::SessionId;
use crate::model::time::Time;
use call::Call;

/// How many calls may be open. The begin of a further one is sent with its end.
const MAX_OPEN: usize = 256;

/// How many ids of calls that ended without an item are remembered.
const MAX_ENDED: usize = 4_000;

/// How many events are held back until `session_configured` can be sent.
const MAX_HELD: usize = 64;

/// The events that a record has in the core's own form, in any of its versions.
const AS_RECORDED: &[&str] = &[
    "agent_message",
    "agent_reasoning",
    "agent_reasoning_raw_content",
    "context_compacted",
    "deprecation_notice",
    "error",
    "exec_command_begin",
    "exec_command_end",
    "mcp_startup_complete",
    "mcp_tool_call_begin",
    "mcp_tool_call_end",
    "patch_apply_begin",
    "patch_apply_end",
    "plan_update",
    "stream_error",
    "task_started",
    "token_count",
    "turn_aborted",
    "turn_diff",
    "user_message",
    "warning",
    "web_search_begin",
    "web_search_end",
];

/// Fields that 0.153.4 did not have.
const NEWER_FIELDS: &[&str] = &["turn_attribution", "root_turn_id"];

/// Decodes a record, or what follows some line of it.
///
/// Holds `session_configured` and what follows it back until the record says which settings are in force,
/// which it does in the first lines of a turn; at most [`MAX_HELD`] events. Remembers
/// at most [`MAX_OPEN`] calls and [`MAX_ENDED`] ids.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    rollout_path: Option<PathBuf>,
    /// The session's first line, until `session_configured` is sent.
    session: Option<Value>,
    /// What is sent after `session_configured`.
    held: Vec<CoreEvent>,
    is_configured: bool,
    turn: String,
    /// The directory of the turn.
    cwd: String,
    /// The shell of the last command, and its flag.
    shell: Option<[String; 2]>,
    /// The calls that have begun, by id.
    open: HashMap<String, Call>,
    /// The calls that ended without an item, by id.
    ended: HashSet<String>,
    /// Whether this version of Codex records items.
    has_items: bool,
}

impl Decoder {
    /// `rollout_path` is the path of the record, for `session_configured`.
    pub(crate) fn new(rollout_path: Option<PathBuf>) -> Self {
        Self { rollout_path, ..Self::default() }
    }

    /// Begins with `session_configured` for this session, although the lines to come do not name it.
    pub(crate) fn announcing(mut self, session: Option<SessionId>) -> Self {
        self.session = session.map(|session| json!({ "id": session }));
        self
    }

    /// The events of the next line. Lines of no interest, and bytes that are no line of a record, have none.
    pub(crate) fn feed(&mut self, line: &[u8]) -> Vec<CoreEvent> {
        // Most lines are long, irrelevant and not worth parsing as JSON.
        let marks =
            [&b"\"event_msg\""[..], b"\"turn_context\"", b"\"session_meta\"", b"\"call_id\""];
        if !marks.iter().any(|mark| memmem::find(line, mark).is_some()) {
            return Vec::new();
        }
        let line = parse(line);
        let msgs = self.messages(&line);
        let time = line["timestamp"].as_str().and_then(Time::parse);
        let events = msgs.into_iter().map(|msg| CoreEvent {
            turn: msg.get("turn_id").and_then(Value::as_str).unwrap_or(&self.turn).to_owned(),
            time,
            msg,
        });
        let events = events.collect();
        self.after_session(events, &line, time)
    }

    /// The events that are still held back. To be called at the end of the record, or when they are not to be
    /// held back any longer.
    pub(crate) fn release(&mut self) -> Vec<CoreEvent> {
        let configured = self.session.take().map(|meta| self.configured(&meta, &Value::Null, None));
        configured.into_iter().chain(std::mem::take(&mut self.held)).collect()
    }

    /// Whether this version of Codex records an item for each step.
    pub(crate) fn has_items(&self) -> bool {
        self.has_items
    }

    fn messages(&mut self, line: &Value) -> Vec<Map<String, Value>> {
        // Versions that number their lines record items.
        self.has_items |= line.get("ordinal").is_some();
        let payload = &line["payload"];
        let kind = payload["type"].as_str().unwrap_or_default();
        match line["type"].as_str().unwrap_or_default() {
            "turn_context" => {
                self.set_turn(&payload["turn_id"]);
                self.cwd = payload["cwd"].as_str().unwrap_or_default().to_owned();
                Vec::new()
            }
            "event_msg" if kind == "item_completed" => self.item(payload),
            "event_msg" => self.event(kind, payload),
            "response_item" if kind.ends_with("_call") => {
                let time = line["timestamp"].as_str().and_then(Time::parse);
                self.call(payload, time).into_iter().collect()
            }
            "response_item" if kind.ends_with("_call_output") => self.output(payload),
            _ => Vec::new(),
        }
    }

    fn set_turn(&mut self, id: &Value) {
        if let Some(id) = id.as_str() {
            id.clone_into(&mut self.turn);
        }
    }

    fn event(&mut self, kind: &str, payload: &Value) -> Vec<Map<String, Value>> {
        if !AS_RECORDED.contains(&kind) && kind != "task_complete" {
            return Vec::new();
        }
        self.set_turn(&payload["turn_id"]);
        // The core sent the error of a turn as an event of its own.
        if !payload["error"].is_null() && kind == "task_complete" {
            let mut msg =
                fields(json!({ "type": "error", "message": payload["error"]["message"] }));
            msg.insert("codex_error_info".into(), payload["error"]["codex_error_info"].clone());
            return vec![msg];
        }
        let mut msg = fields(payload.clone());
        msg.retain(|name, _| !NEWER_FIELDS.contains(&&**name));
        if let Some(Value::Object(info)) = msg.get_mut("info") {
            info.shift_remove("last_usage_includes_reasoning");
        }
        vec![msg]
    }

    fn item(&mut self, payload: &Value) -> Vec<Map<String, Value>> {
        self.set_turn(&payload["turn_id"]);
        let item = Completed {
            item: &payload["item"],
            turn: &self.turn,
            started_at_ms: &payload["started_at_ms"],
            completed_at_ms: &payload["completed_at_ms"],
        };
        if self.ended.remove(item.id()) {
            return Vec::new();
        }
        let has_begun = self.open.remove(item.id()).is_some();
        if let Some(shell) = shell_of(&item.item["command"]) {
            self.shell = Some(shell);
        }
        let begin = if has_begun { None } else { item.begin() };
        begin.into_iter().chain(item.end()).collect()
    }

    /// The call of a tool: the begin of a step.
    fn call(&mut self, payload: &Value, time: Option<Time>) -> Option<Map<String, Value>> {
        let around =
            call::Around { turn: &self.turn, cwd: &self.cwd, shell: self.shell.as_ref(), time };
        let call = Call::read(payload, &around)?;
        // A patch that does not apply has no item, and had no events.
        let is_told_by_item = self.has_items && call.is_patch();
        if is_told_by_item || self.open.len() >= MAX_OPEN || self.open.contains_key(&call.id) {
            return None;
        }
        let begin = call.begin();
        // A plan has no end.
        if !call.is_plan() {
            self.open.insert(call.id.clone(), call);
        }
        Some(begin)
    }

    /// The output of a call: the end of a step that has no item. A process that still runs has not ended.
    fn output(&mut self, payload: &Value) -> Vec<Map<String, Value>> {
        let id = payload["call_id"].as_str().unwrap_or_default();
        let Some(call) = self.open.get(id) else { return Vec::new() };
        let Some(end) = call.end(&payload["output"], self.has_items) else { return Vec::new() };
        self.open.remove(id);
        if self.ended.len() < MAX_ENDED {
            self.ended.insert(id.to_owned());
        }
        vec![end]
    }

    /// Holds events back while `session_configured` has to come first.
    fn after_session(
        &mut self,
        events: Vec<CoreEvent>,
        line: &Value,
        time: Option<Time>,
    ) -> Vec<CoreEvent> {
        let payload = &line["payload"];
        match line["type"].as_str() {
            Some("session_meta") if !self.is_configured && self.session.is_none() => {
                self.session = Some(payload.clone());
            }
            Some("turn_context") => {
                self.is_configured = true;
                if let Some(meta) = self.session.take() {
                    let configured = self.configured(&meta, payload, time);
                    let held = std::mem::take(&mut self.held);
                    return std::iter::once(configured).chain(held).chain(events).collect();
                }
            }
            _ => {}
        }
        if self.session.is_none() {
            return events;
        }
        self.held.extend(events);
        if self.held.len() > MAX_HELD { self.release() } else { Vec::new() }
    }

    fn configured(&self, meta: &Value, context: &Value, time: Option<Time>) -> CoreEvent {
        let thread = match &meta["id"] {
            Value::Null => &meta["session_id"],
            id => id,
        };
        let mut msg = fields(
            json!({ "type": "session_configured", "session_id": thread, "thread_id": thread }),
        );
        let effort = match &context["effort"] {
            Value::Null => &context["collaboration_mode"]["settings"]["reasoning_effort"],
            effort => effort,
        };
        let cwd = match &context["cwd"] {
            Value::Null => &meta["cwd"],
            cwd => cwd,
        };
        let rollout_path = json!(self.rollout_path.as_ref().map(|path| path.to_string_lossy()));
        let known = [
            ("model", &context["model"]),
            ("model_provider_id", &meta["model_provider"]),
            ("approval_policy", &context["approval_policy"]),
            ("approvals_reviewer", &context["approvals_reviewer"]),
            ("permission_profile", &context["permission_profile"]),
            ("cwd", cwd),
            ("reasoning_effort", effort),
            ("rollout_path", &rollout_path),
        ];
        let known = known.into_iter().filter(|(_, value)| !value.is_null());
        msg.extend(known.map(|(name, value)| (name.to_owned(), value.clone())));
        CoreEvent { turn: String::new(), time, msg }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(decoder: &mut Decoder, kind: &str, payload: &Value) -> Vec<CoreEvent> {
        let line = json!({"ordinal": 1, "type": kind, "payload": payload});
        decoder.feed(line.to_string().as_bytes())
    }

    #[test]
    fn the_events_that_wait_for_the_settings_are_bounded() {
        let mut decoder = Decoder::default();
        feed(&mut decoder, "session_meta", &json!({"id": "S"}));
        let message = json!({"type": "agent_message", "message": "hi"});
        for _ in 0..MAX_HELD {
            assert_eq!(feed(&mut decoder, "event_msg", &message), []);
        }
        let events = feed(&mut decoder, "event_msg", &message);
        assert_eq!((events.len(), events[0].kind()), (MAX_HELD + 2, "session_configured"));
        assert_eq!(decoder.release(), []);
    }

    #[test]
    fn the_calls_that_are_remembered_are_bounded() {
        let mut decoder = Decoder::default();
        let call = |id: usize| {
            json!({"type": "function_call", "name": "exec_command", "call_id": id.to_string(),
                   "arguments": r#"{"cmd":"true"}"#})
        };
        let calls: usize =
            (0..2 * MAX_OPEN).map(|id| feed(&mut decoder, "response_item", &call(id)).len()).sum();
        assert_eq!((calls, decoder.open.len()), (MAX_OPEN, MAX_OPEN));
        let item = |id: usize| json!({"type": "item_completed", "item": {"type": "CommandExecution", "id": id.to_string()}});
        let ends = [0, MAX_OPEN].map(|id| feed(&mut decoder, "event_msg", &item(id)).len());
        assert_eq!(ends, [1, 2], "the begin of the second was not told");
    }

    #[test]
    fn a_command_that_did_not_start_has_both_events_and_one_that_runs_on_has_no_end() {
        let mut decoder = Decoder::default();
        let call = json!({"type": "function_call", "name": "exec_command", "call_id": "1",
                          "arguments": r#"{"cmd":"true"}"#});
        let output =
            |text: &str| json!({"type": "function_call_output", "call_id": "1", "output": text});
        let runs = "Wall time: 1 seconds\nProcess running with session ID 1\nOutput:\n";
        assert_eq!(feed(&mut decoder, "response_item", &call).len(), 1);
        assert_eq!(feed(&mut decoder, "response_item", &output(runs)), []);
        assert_eq!(feed(&mut decoder, "response_item", &output("aborted by user")), []);
        let end = feed(&mut decoder, "response_item", &output("exec_command failed: no sandbox"));
        assert_eq!(end[0].field("status"), "failed");
        assert_eq!(end[0].field("aggregated_output"), "exec_command failed: no sandbox");
    }
}
