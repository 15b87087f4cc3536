//! Google's Gemini API.

use std::io;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::turn::{Step, Turn};
use super::{data, http, list, owned};

pub fn turn(body: &Value) -> Turn {
    let declarations =
        list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"]));
    let mut turn = Turn {
        tools: declarations.filter_map(|tool| owned(&tool["name"])).collect(),
        ..Turn::default()
    };
    for content in list(&body["contents"]) {
        for part in list(&content["parts"]) {
            turn.called.extend(owned(&part["functionCall"]["name"]));
            if let Some(response) = part.get("functionResponse") {
                let output = &response["response"]["output"];
                turn.results.push(owned(output).unwrap_or_else(|| response.to_string()));
            }
            if content["role"] == "user" {
                turn.user.extend(owned(&part["text"]));
            }
        }
    }
    turn
}

pub fn send(step: &Step, _body: &Value, stream: &TcpStream) -> io::Result<()> {
    http::write_json(stream, 200, &[], &response(step))
}

pub fn stream(step: &Step, _body: &Value, stream: &TcpStream) -> io::Result<()> {
    http::write_stream_head(stream, &[])?;
    data(stream, &response(step))
}

fn response(step: &Step) -> Value {
    let part = match step {
        Step::Say(text) => json!({"text": text}),
        Step::Call { tool, arguments } => {
            json!({"functionCall": {"name": tool, "args": arguments}})
        }
    };
    json!({
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        "modelVersion": "stand-in",
    })
}
