//! The chat completions API, which many programs offer.

use std::io::{self, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::turn::{Step, Turn};
use super::{data, http, list, owned, text};

pub fn turn(body: &Value) -> Turn {
    let name = |tool: &Value| owned(&tool["function"]["name"]);
    let mut turn =
        Turn { tools: list(&body["tools"]).iter().filter_map(name).collect(), ..Turn::default() };
    for message in list(&body["messages"]) {
        turn.called.extend(list(&message["tool_calls"]).iter().filter_map(name));
        match message["role"].as_str() {
            Some("user") => turn.user.push(text(&message["content"])),
            Some("tool") => turn.results.push(text(&message["content"])),
            _ => {}
        }
    }
    turn
}

pub fn send(step: &Step, body: &Value, stream: &TcpStream) -> io::Result<()> {
    let (message, reason) = match step {
        Step::Say(text) => (json!({"role": "assistant", "content": text}), "stop"),
        Step::Call { tool, arguments } => {
            let function = json!({"name": tool, "arguments": arguments.to_string()});
            let call =
                json!({"index": 0, "id": "call_1", "type": "function", "function": function});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
    };
    let object = |object: &str, choices: Value, usage: Value| {
        json!({
            "id": "chatcmpl-1", "object": object, "created": 0, "model": body["model"], "choices": choices,
            "usage": usage,
        })
    };
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2});
    if body["stream"] != true {
        let choice = json!([{"index": 0, "message": message, "finish_reason": reason}]);
        return http::write_json(stream, 200, &[], &object("chat.completion", choice, usage));
    }
    http::write_stream_head(stream, &[])?;
    for (delta, reason, usage) in
        [(message, Value::Null, Value::Null), (json!({}), reason.into(), usage)]
    {
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        data(stream, &object("chat.completion.chunk", choice, usage))?;
    }
    let mut stream = stream;
    stream.write_all(b"data: [DONE]\n\n")
}
