//! A stand-in for Claude: the Messages API on a loopback port. A function maps each request to what Claude says, or a
//! script does, whose next part is chosen by how often the request says that the assistant has spoken. So the server
//! itself has no state but the requests.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

use super::model::http;

/// What Claude says or does, once.
#[derive(Clone, Debug)]
pub enum Says {
    Text(String),
    /// A call of a tool, by its whole name.
    Call(String, Value),
}

impl Says {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn call(tool: impl Into<String>, input: Value) -> Self {
        Self::Call(tool.into(), input)
    }
}

/// A server that stops when it is dropped.
pub struct ClaudeModel {
    address: SocketAddr,
    shared: Arc<Shared>,
}

type Script = dyn Fn(&Value) -> Says + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Value>>,
    stopped: AtomicBool,
}

impl ClaudeModel {
    /// Starts a server with a script, after whose end it says "done".
    pub fn start(script: Vec<Says>) -> Self {
        Self::answering(move |request| next(&script, request))
    }

    /// Starts a server that answers each request of a conversation by itself.
    pub fn answering(script: impl Fn(&Value) -> Says + Send + Sync + 'static) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (script, requests): (Box<Script>, _) = (Box::new(script), Mutex::default());
        let stopped = AtomicBool::new(false);
        let shared = Arc::new(Shared { script, requests, stopped });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let serving = Arc::clone(&serving);
                // A client may leave at any time.
                thread::spawn(move || drop(serving.serve(&stream)));
            }
        });
        Self { address, shared }
    }

    /// The value for `ANTHROPIC_BASE_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bodies of all requests of the conversation, without those that only ask for a title or the like.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ClaudeModel {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let _wake_the_listener = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let received = match http::read(stream) {
            Ok(received) => received,
            Err(http::Error::Io(error)) => return Err(error),
            Err(http::Error::Refused(status, reason)) => {
                return http::write_json(stream, status, &[], &json!({ "error": reason }));
            }
        };
        if received.path.ends_with("/count_tokens") {
            return http::write_json(stream, 200, &[], &json!({ "input_tokens": 1 }));
        }
        if !received.path.ends_with("/v1/messages") {
            return http::write_json(stream, 404, &[], &json!({ "error": "not found" }));
        }
        let body = received.body;
        let has_tools = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
        let says = if has_tools {
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(body.clone());
            (self.script)(&body)
        } else {
            Says::text("ok")
        };
        answer(stream, &body, &says)
    }
}

/// The part of a script for a request.
pub fn next(script: &[Says], request: &Value) -> Says {
    script.get(spoken(request)).cloned().unwrap_or_else(|| Says::text("done"))
}

/// How often the assistant has spoken.
fn spoken(body: &Value) -> usize {
    let messages = body["messages"].as_array().into_iter().flatten();
    messages.filter(|message| message["role"] == "assistant").count()
}

fn answer(stream: &TcpStream, body: &Value, says: &Says) -> std::io::Result<()> {
    let (block, delta, stop) = match says {
        Says::Text(text) => (
            json!({ "type": "text", "text": "" }),
            json!({ "type": "text_delta", "text": text }),
            "end_turn",
        ),
        Says::Call(name, input) => (
            json!({ "type": "tool_use", "id": format!("toolu_{}", spoken(body)), "name": name, "input": {} }),
            json!({ "type": "input_json_delta", "partial_json": input.to_string() }),
            "tool_use",
        ),
    };
    let message = json!({
        "id": format!("msg_{}", spoken(body)), "type": "message", "role": "assistant", "model": body["model"],
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 1 },
    });
    if body["stream"] != true {
        let mut message = message;
        let Says::Text(text) = says else { return Ok(()) };
        message["content"] = json!([{ "type": "text", "text": text }]);
        message["stop_reason"] = stop.into();
        return http::write_json(stream, 200, &[], &message);
    }
    http::write_stream_head(stream, &[])?;
    for event in [
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": stop, "stop_sequence": null },
                "usage": { "output_tokens": 1 } }),
        json!({ "type": "message_stop" }),
    ] {
        http::event(stream, &event)?;
    }
    Ok(())
}
