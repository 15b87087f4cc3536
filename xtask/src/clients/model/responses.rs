//! OpenAI's Responses API, as Codex and the Agents SDK use it.

use std::io;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::turn::{SEARCH, Step, Turn};
use super::{http, list, owned, text};

/// Between a namespace and the tool in it, in the names here.
const IN: char = '/';

pub fn turn(body: &Value) -> Turn {
    let mut turn = Turn { tools: names(&body["tools"]), ..Turn::default() };
    if let Some(prompt) = body["input"].as_str() {
        turn.user.push(prompt.to_owned());
    }
    for item in list(&body["input"]) {
        match (item["type"].as_str().unwrap_or("message"), item["role"].as_str()) {
            ("message", Some("user")) => turn.user.push(text(&item["content"])),
            ("tool_search_output", _) => turn.tools.extend(names(&item["tools"])),
            ("tool_search_call", _) => turn.called.push(SEARCH.to_owned()),
            ("function_call", _) => turn.called.extend(owned(&item["name"])),
            ("function_call_output", _) => turn.results.push(text(&item["output"])),
            _ => {}
        }
    }
    turn
}

/// The names of tools, with those of the namespaces that some are in.
fn names(tools: &Value) -> Vec<String> {
    let name = |tool: &Value| owned(&tool["name"]).or_else(|| owned(&tool["type"]));
    let mut found = Vec::new();
    for tool in list(tools) {
        match (tool["type"].as_str(), tool["name"].as_str()) {
            (Some("namespace"), Some(space)) => {
                let inside = list(&tool["tools"]).iter().filter_map(name);
                found.extend(inside.map(|name| format!("{space}{IN}{name}")));
            }
            _ => found.extend(name(tool)),
        }
    }
    found
}

pub fn send(step: &Step, body: &Value, stream: &TcpStream) -> io::Result<()> {
    let item = match step {
        Step::Say(text) => json!({
            "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }),
        Step::Call { tool, arguments } if tool == SEARCH => json!({
            "type": "tool_search_call", "id": "ts_1", "call_id": "search_1", "status": "completed",
            "execution": "client", "arguments": arguments,
        }),
        Step::Call { tool, arguments } => {
            let (space, name) = tool.rsplit_once(IN).unwrap_or(("", tool));
            let mut call = json!({
                "type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed",
                "name": name, "arguments": arguments.to_string(),
            });
            if !space.is_empty() {
                call["namespace"] = space.into();
            }
            call
        }
    };
    let response = |status: &str, output: Value| {
        json!({
            "id": "resp_1", "object": "response", "created_at": 0, "status": status, "model": body["model"],
            "output": output, "parallel_tool_calls": false, "tool_choice": "auto", "tools": [],
            "usage": {
                "input_tokens": 1, "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2,
            },
        })
    };
    let completed = response("completed", json!([item]));
    if body["stream"] != true {
        return http::write_json(stream, 200, &[], &completed);
    }
    http::write_stream_head(stream, &[])?;
    for event in [
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": completed}),
    ] {
        http::event(stream, &event)?;
    }
    Ok(())
}
