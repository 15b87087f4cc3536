//! Calls that the scripted Codex plays, and observing them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::setup::{field, home, script, scripted};
use crate::kit::wait::wait_for;
use crate::support::client::{Builder, Call, Server};
use crate::support::real_codex::Home;

/// A home with a log of each start of the scripted Codex.
pub struct Stage {
    pub home: Home,
    log: PathBuf,
}

impl Stage {
    pub fn new() -> Self {
        // The scripted Codex needs no model.
        let home = home("http://127.0.0.1:9/v1");
        let log = home.path().join("starts.jsonl");
        Self { home, log }
    }

    /// A server on this stage.
    pub fn server(&self) -> Builder {
        scripted(&self.home).env("SCRIPTED_CODEX_LOG", &self.log)
    }

    /// Each start of Codex for a turn so far, in order.
    pub fn starts(&self) -> Vec<Value> {
        let mut starts = self.all_starts();
        starts.retain(|start| start["argv"][1] != "--version");
        starts
    }

    /// Each start of Codex so far, those for its version included.
    pub fn all_starts(&self) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("the log is JSON")).collect()
    }

    /// Which of these words is in the prompt of each start so far.
    pub fn started(&self, words: &[&str]) -> Vec<String> {
        let word = |start: &Value| {
            let prompt = start["stdin"].as_str().unwrap_or_default().to_owned();
            words.iter().find(|word| prompt.contains(**word)).map(|word| (*word).to_owned())
        };
        self.starts().iter().filter_map(word).collect()
    }

    /// The path of a file that a script calls by this name.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.project().join(name)
    }

    /// Makes the file of this name, so that a script that waits for it continues.
    pub fn release(&self, name: &str) {
        fs::write(self.file(name), "").expect("the project's directory is there");
    }

    /// Waits until a script has made the file of this name.
    pub fn wait_for(&self, name: &str) {
        wait_for(&self.file(name));
    }
}

/// The arguments of a call that plays these steps in a new session.
pub fn steps(steps: &Value) -> Value {
    json!({"prompt": script(steps)})
}

/// The arguments of a call that plays these steps in this session.
pub fn steps_in(session: &str, steps: &Value) -> Value {
    json!({"prompt": script(steps), "session_id": session})
}

/// Arguments with another one.
pub fn with(mut arguments: Value, name: &str, value: impl Into<Value>) -> Value {
    arguments[name] = value.into();
    arguments
}

/// Steps of a turn that runs until the file `go-NAME` exists, and replies with its name.
pub fn turn(name: &str) -> Value {
    json!([
        {"started": {}},
        {"touch": format!("began-{name}")},
        {"wait_for": format!("go-{name}")},
        {"reply": name},
    ])
}

/// Calls `codex_chat` and does not wait.
pub fn begin(server: &Server, arguments: &Value) -> Call {
    server.begin_call("codex_chat", arguments)
}

/// Calls `codex_chat` and waits for the result.
pub fn chat(server: &Server, arguments: &Value) -> Value {
    server.call("codex_chat", arguments)
}

/// Waits for the result of a call.
pub fn result_of(server: &Server, call: &Call) -> Value {
    crate::support::client::result(server.answer(call))
}

/// Waits for the reply of a call.
pub fn reply_of(server: &Server, call: &Call) -> String {
    field(&result_of(server, call), "reply").to_owned()
}

/// Runs a turn in another session, sent after everything else: whatever could start before it has had its
/// chance.
pub fn pass_by(server: &Server) {
    assert_eq!(field(&chat(server, &json!({"prompt": "pass by"})), "reply"), "done");
}

/// Waits until a call has its session, and returns its id.
pub fn session_of(server: &Server, call: &Call) -> String {
    let message = server.wait_progress(call, |message| message.starts_with("session "));
    message.split(' ').nth(1).expect("the id is the second word").to_owned()
}

/// Waits until the server has handled everything that was sent before.
pub fn settle(server: &Server) {
    server.request("ping", &json!({}));
}

/// An event of an item.
pub fn item(phase: &str, item: &Value) -> Value {
    json!({"event": {"type": format!("item.{phase}"), "item": item}})
}

/// Codex sends a message and continues.
pub fn message(text: &str) -> Value {
    item("completed", &json!({"id": "said", "type": "agent_message", "text": text}))
}

/// Codex starts a command.
pub fn running(command: &str) -> Value {
    item("started", &json!({"id": "run", "type": "command_execution", "command": command}))
}

/// The command of [`running`] is done.
pub fn ran() -> Value {
    item("completed", &json!({"id": "run", "type": "command_execution", "exit_code": 0}))
}
