//! A stand-in for the models of all clients, and for that of Codex: four APIs on one loopback port.
//!
//! It follows one rule (`turn.rs`) and keeps every request, which shows what a client gave its model.

mod anthropic;
mod chat;
mod gemini;
#[path = "../../../tests/support/model/http.rs"]
#[expect(dead_code, reason = "the model of the tests uses the rest")]
mod http;
mod responses;
mod turn;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

pub use turn::{ASK, REPLY, SLOWLY, Turn};

use crate::Failure;

/// A server that stops when it is dropped.
pub struct Model {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    turns: Vec<Turn>,
    stopped: bool,
}

impl Model {
    /// Starts the server.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| format!("no port for the model: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        let listener = thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { address, shared, listener: Some(listener) })
    }

    /// The address without a path, which differs between the APIs.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn turns(&self) -> Vec<Turn> {
        self.shared.lock().turns.clone()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.stopped.notify_all();
        let _wake_the_listener = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _panicked = listener.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let received = match http::read(stream) {
            Ok(received) => received,
            Err(http::Error::Io(error)) => return Err(error),
            Err(http::Error::Refused(status, reason)) => {
                let body = json!({"error": {"message": reason}});
                return http::write_json(stream, status, &[], &body);
            }
        };
        if received.method != "POST" {
            let none = json!({"object": "list", "data": [], "models": []});
            return http::write_json(stream, 200, &[], &none);
        }
        let (path, body) = (received.path.as_str(), &received.body);
        let (turn, send): (Turn, Send) = if path.ends_with("/messages") {
            (anthropic::turn(body), anthropic::send)
        } else if path.ends_with("/chat/completions") {
            (chat::turn(body), chat::send)
        } else if path.ends_with("/responses") {
            (responses::turn(body), responses::send)
        } else if path.ends_with(":generateContent") {
            (gemini::turn(body), gemini::send)
        } else if path.ends_with(":streamGenerateContent") {
            (gemini::turn(body), gemini::stream)
        } else {
            // Such as the number of tokens, in two APIs.
            let body = json!({"input_tokens": 1, "totalTokens": 1});
            return http::write_json(stream, 200, &[], &body);
        };
        let step = turn.step();
        let delay = turn.delay();
        let mut state = self.lock();
        state.turns.push(turn);
        let wait = self.stopped.wait_timeout_while(state, delay, |state| !state.stopped);
        drop(wait);
        send(&step, body, stream)
    }
}

type Send = fn(&turn::Step, &Value, &TcpStream) -> io::Result<()>;

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.lock().stopped {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A client may leave at any time.
            let _gone = shared.serve(&stream);
        });
    }
}

/// Writes one event of a stream whose events have no names.
fn data(mut stream: &TcpStream, data: &Value) -> io::Result<()> {
    stream.write_all(format!("data: {data}\n\n").as_bytes())
}

/// The elements of a list, or none.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The text of a content: a string, or parts of which some have a text.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The value of a field that is a text.
fn owned(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// A request in which the user asks for Codex, for each API, and what the answer must have.
    fn requests() -> [(&'static str, Value, &'static str); 5] {
        let ask = "Ask Codex: Say hello.";
        let message = json!([{"role": "user", "content": ask}]);
        let function = json!({"type": "function", "function": {"name": "codex_chat"}});
        let contents = json!([{"role": "user", "parts": [{"text": ask}]}]);
        let declared = json!([{"functionDeclarations": [{"name": "codex_chat"}]}]);
        let gemini = json!({"contents": contents, "tools": declared});
        let input = json!([{"type": "message", "role": "user", "content": ask}]);
        let space = json!({"type": "namespace", "name": "mcp", "tools": [{"name": "codex_chat"}]});
        [
            (
                "/v1/messages",
                json!({"messages": message, "tools": [{"name": "codex_chat"}], "stream": true}),
                r#""type":"tool_use","id":"toolu_1","name":"codex_chat""#,
            ),
            (
                "/v1/chat/completions",
                json!({"messages": message, "tools": [function], "stream": true}),
                r#""function":{"name":"codex_chat""#,
            ),
            (
                "/v1/responses",
                json!({"input": input, "tools": [space], "stream": true}),
                r#""name":"codex_chat","arguments":"{\"prompt\":\"Say hello.\"}","namespace":"mcp""#,
            ),
            (
                "/v1beta/models/m:streamGenerateContent",
                gemini.clone(),
                r#""functionCall":{"name":"codex_chat""#,
            ),
            ("/v1beta/models/m:generateContent", gemini, r#""functionCall":{"name":"codex_chat""#),
        ]
    }

    fn post(model: &Model, path: &str, body: &Value) -> String {
        let mut stream = TcpStream::connect(model.address).expect("it listens");
        let body = body.to_string();
        let length = body.len();
        write!(stream, "POST {path}?alt=sse HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers and closes");
        answer
    }

    #[test]
    fn the_tool_is_called_in_each_api() {
        let model = Model::start().expect("there is a port");
        for (path, body, expected) in requests() {
            let answer = post(&model, path, &body);
            assert!(answer.contains(expected), "{path}: {answer}");
        }
        assert_eq!(model.turns().len(), 5);
    }

    #[test]
    fn the_result_is_reported_in_each_api() {
        let said = json!([{"type": "text", "text": "it said hello"}]);
        let user = json!({"role": "user", "content": "Ask Codex: Say hello."});
        let anthropic = json!([
            user,
            {"role": "assistant", "content": [{"type": "tool_use", "name": "codex_chat"}]},
            {"role": "user", "content": [{"type": "tool_result", "content": said}]},
        ]);
        let chat = json!([
            user,
            {"role": "assistant", "tool_calls": [{"function": {"name": "codex_chat"}}]},
            {"role": "tool", "content": "it said hello"},
        ]);
        let responses = json!([
            {"type": "message", "role": "user", "content": "Ask Codex: Say hello."},
            {"type": "function_call", "name": "codex_chat"},
            {"type": "function_call_output", "output": said},
        ]);
        let gemini = json!([
            {"role": "user", "parts": [{"text": "Ask Codex: Say hello."}]},
            {"role": "model", "parts": [{"functionCall": {"name": "codex_chat"}}]},
            {"role": "user", "parts": [{"functionResponse": {"response": {"output": "it said hello"}}}]},
        ]);
        let model = Model::start().expect("there is a port");
        for (path, body) in [
            ("/v1/messages", json!({"messages": anthropic})),
            ("/v1/chat/completions", json!({"messages": chat})),
            ("/v1/responses", json!({"input": responses})),
            ("/v1beta/models/m:generateContent", json!({"contents": gemini})),
        ] {
            let answer = post(&model, path, &body);
            assert!(answer.contains("\"done: it said hello\""), "{path}: {answer}");
        }
    }
}
