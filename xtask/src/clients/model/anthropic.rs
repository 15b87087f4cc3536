//! Anthropic's Messages API.

use std::io;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::turn::{Step, Turn};
use super::{http, list, owned, text};

pub fn turn(body: &Value) -> Turn {
    let mut turn = Turn {
        tools: list(&body["tools"]).iter().filter_map(|tool| owned(&tool["name"])).collect(),
        ..Turn::default()
    };
    for message in list(&body["messages"]) {
        let content = &message["content"];
        for part in list(content) {
            match part["type"].as_str() {
                Some("tool_use") => turn.called.extend(owned(&part["name"])),
                Some("tool_result") => turn.results.push(text(&part["content"])),
                _ => {}
            }
        }
        let said = text(content);
        // Claude Code lists the tools that it defers in a message of the system.
        if message["role"] != "assistant" && !said.is_empty() {
            turn.user.push(said);
        }
    }
    turn
}

pub fn send(step: &Step, body: &Value, stream: &TcpStream) -> io::Result<()> {
    let (block, empty, delta, reason) = match step {
        Step::Say(text) => (
            json!({"type": "text", "text": text}),
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": text}),
            "end_turn",
        ),
        Step::Call { tool, arguments } => {
            let block = |input: &Value| json!({"type": "tool_use", "id": "toolu_1", "name": tool, "input": input});
            let delta = json!({"type": "input_json_delta", "partial_json": arguments.to_string()});
            (block(arguments), block(&json!({})), delta, "tool_use")
        }
    };
    let message = |content: Value, reason: Value| {
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1},
        })
    };
    if body["stream"] != true {
        return http::write_json(stream, 200, &[], &message(json!([block]), reason.into()));
    }
    http::write_stream_head(stream, &[])?;
    let stop = json!({"stop_reason": reason, "stop_sequence": null});
    for event in [
        json!({"type": "message_start", "message": message(json!([]), Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ] {
        http::event(stream, &event)?;
    }
    Ok(())
}
