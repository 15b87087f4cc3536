//! The core's events for an item of a record: `item_completed` has what both of its events had. Pure.

use serde_json::{Map, Value, json};

use super::fields;

/// A completed item, and what its line has beside it.
pub(super) struct Completed<'a> {
    pub(super) item: &'a Value,
    pub(super) turn: &'a str,
    pub(super) started_at_ms: &'a Value,
    pub(super) completed_at_ms: &'a Value,
}

type Msg = Map<String, Value>;

impl Completed<'_> {
    /// The id of the item, which is that of the call in the record.
    pub(super) fn id(&self) -> &str {
        self.item["id"].as_str().unwrap_or_default()
    }

    /// The event that says that the item has started, for kinds that have one.
    pub(super) fn begin(&self) -> Option<Msg> {
        let (item, turn) = (self.item, self.turn);
        let begin = match item["type"].as_str()? {
            "CommandExecution" => with(
                json!({ "type": "exec_command_begin", "call_id": self.id() }),
                [
                    ("process_id", &item["process_id"]),
                    ("turn_id", &json!(turn)),
                    ("started_at_ms", self.started_at_ms),
                    ("command", &item["command"]),
                    ("cwd", &item["cwd"]),
                    ("parsed_cmd", &item["parsed_cmd"]),
                    ("source", &item["source"]),
                ],
            ),
            "FileChange" => fields(json!({
                "type": "patch_apply_begin",
                "call_id": self.id(),
                "turn_id": turn,
                "auto_approved": true,
                "changes": item["changes"],
            })),
            "McpToolCall" => self.mcp("mcp_tool_call_begin"),
            "WebSearch" => fields(json!({ "type": "web_search_begin", "call_id": self.id() })),
            _ => return None,
        };
        Some(begin)
    }

    /// What the item says when it is complete.
    pub(super) fn end(&self) -> Vec<Msg> {
        let (item, turn) = (self.item, self.turn);
        let end = match item["type"].as_str().unwrap_or_default() {
            "UserMessage" => user_message(&item["content"]),
            "AgentMessage" => return self.agent_messages(),
            "Reasoning" => {
                let texts = item["summary_text"].as_array().into_iter().flatten();
                let event = |text: &Value| json!({ "type": "agent_reasoning", "text": text });
                return texts.map(|text| fields(event(text))).collect();
            }
            "CommandExecution" => self.command_end(),
            "FileChange" => fields(json!({
                "type": "patch_apply_end",
                "call_id": self.id(),
                "turn_id": turn,
                "stdout": text(&item["stdout"]),
                "stderr": text(&item["stderr"]),
                "success": item["status"] == "completed",
                "changes": item["changes"],
                "status": item["status"],
            })),
            "McpToolCall" => {
                let result = match &item["error"] {
                    Value::Null => json!({ "Ok": item["result"] }),
                    error => {
                        json!({ "Err": error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned) })
                    }
                };
                let duration = &item["duration"];
                let mut end = with(self.mcp("mcp_tool_call_end").into(), [("duration", duration)]);
                end.insert("result".into(), result);
                end
            }
            "WebSearch" => fields(json!({
                "type": "web_search_end",
                "call_id": self.id(),
                "query": text(&item["query"]),
                "action": item["action"],
            })),
            "ContextCompaction" => fields(json!({ "type": "context_compacted" })),
            _ => return Vec::new(),
        };
        vec![end]
    }

    fn agent_messages(&self) -> Vec<Msg> {
        let item = self.item;
        let contents = item["content"].as_array().into_iter().flatten();
        let event = |content: &Value| {
            fields(json!({
                "type": "agent_message",
                "message": content["text"].as_str()?,
                "phase": item["phase"],
                "memory_citation": item["memory_citation"],
            }))
            .into()
        };
        contents.filter_map(event).collect()
    }

    /// From 0.153 on, the record has a command's whole output in one field. The core's events repeat it in
    /// others.
    fn command_end(&self) -> Msg {
        let item = self.item;
        let output = &item["aggregated_output"];
        let or_output = |name: &str| match &item[name] {
            Value::Null => text(output),
            own => own.clone(),
        };
        with(
            json!({ "type": "exec_command_end", "call_id": self.id() }),
            [
                ("process_id", &item["process_id"]),
                ("turn_id", &json!(self.turn)),
                ("completed_at_ms", self.completed_at_ms),
                ("command", &item["command"]),
                ("cwd", &item["cwd"]),
                ("parsed_cmd", &item["parsed_cmd"]),
                ("source", &item["source"]),
                ("interaction_input", &item["interaction_input"]),
                ("stdout", &or_output("stdout")),
                ("stderr", &text(&item["stderr"])),
                ("aggregated_output", &text(output)),
                ("exit_code", &item["exit_code"]),
                ("duration", &item["duration"]),
                ("formatted_output", &or_output("formatted_output")),
                ("status", &item["status"]),
            ],
        )
    }

    fn mcp(&self, kind: &str) -> Msg {
        let item = self.item;
        let invocation = json!({
            "server": item["server"],
            "tool": item["tool"],
            "arguments": item["arguments"],
        });
        with(
            json!({ "type": kind, "call_id": self.id(), "invocation": invocation }),
            [("read_only_hint", &item["readOnlyHint"])],
        )
    }
}

/// The user's message: its text, and what is attached.
fn user_message(content: &Value) -> Msg {
    let of_type = |kind: &str, field: &str| -> Vec<Value> {
        let entries = content.as_array().into_iter().flatten();
        entries.filter(|entry| entry["type"] == kind).map(|entry| entry[field].clone()).collect()
    };
    let texts = of_type("text", "text");
    let elements = of_type("text", "text_elements");
    let elements = elements.iter().filter_map(Value::as_array).flatten();
    fields(json!({
        "type": "user_message",
        "message": texts.iter().filter_map(Value::as_str).collect::<String>(),
        "images": of_type("image", "image_url"),
        "local_images": of_type("local_image", "path"),
        "audio": [],
        "local_audio": [],
        "text_elements": elements.collect::<Vec<_>>(),
    }))
}

/// A text, empty if there is none.
fn text(value: &Value) -> Value {
    value.as_str().unwrap_or_default().into()
}

/// Adds the fields that are known, in this order.
fn with<'a>(base: Value, more: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Msg {
    let mut msg = fields(base);
    let known = more.into_iter().filter(|(_, value)| !value.is_null());
    msg.extend(known.map(|(name, value)| (name.to_owned(), value.clone())));
    msg
}
