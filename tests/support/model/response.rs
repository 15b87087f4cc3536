//! A response of the model.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::http;
use super::request::Request;

/// A response: a stream of items with an ending, or an HTTP error.
#[derive(Clone, Debug)]
pub struct Response {
    kind: Kind,
    headers: Vec<(String, String)>,
    usage: [u64; 4],
}

#[derive(Clone, Debug)]
enum Kind {
    Stream { items: Vec<Item>, ending: Ending },
    Status(u16, Value),
}

#[derive(Clone, Debug)]
enum Ending {
    Completed,
    Failed { code: String, message: String },
    Dropped,
    Hanging,
}

/// A part of a response.
#[derive(Clone, Debug)]
pub enum Item {
    /// Text for the user. The last one of a turn is its reply.
    Message(String),
    /// The summary of a thought.
    Reasoning(String),
    /// A shell command, for the shell tool that the request offers.
    Shell(String),
    /// A call of a function by its name.
    Call { name: String, arguments: Value },
    /// A call of a tool that takes a text, such as a patch, by its name.
    Custom { name: String, input: String },
}

/// What happens to the connection afterwards.
#[derive(PartialEq)]
pub(super) enum After {
    Close,
    KeepOpen,
}

impl Response {
    /// A completed response of these items. After a call among them, Codex sends another request.
    pub fn items(items: Vec<Item>) -> Self {
        Self::of(Kind::Stream { items, ending: Ending::Completed })
    }

    /// A final message.
    pub fn message(text: impl Into<String>) -> Self {
        Self::items(vec![Item::Message(text.into())])
    }

    /// A call of the shell.
    pub fn shell(command: impl Into<String>) -> Self {
        Self::items(vec![Item::Shell(command.into())])
    }

    /// Waits for a command that still ran when its call returned, which it does after half a minute.
    pub fn wait_for_command(number: u64) -> Self {
        let arguments = json!({"session_id": number, "chars": "", "yield_time_ms": WAIT_MS});
        Self::call("write_stdin", arguments)
    }

    /// A call of a function.
    pub fn call(name: impl Into<String>, arguments: Value) -> Self {
        Self::items(vec![Item::Call { name: name.into(), arguments }])
    }

    /// A stream that starts and stays open until the client leaves or the model is dropped.
    pub fn hang() -> Self {
        Self::items(Vec::new()).then_hang()
    }

    /// A stream that breaks off after its start.
    pub fn dropped() -> Self {
        Self::items(Vec::new()).then_drop()
    }

    /// A stream that ends with `response.failed`.
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::items(Vec::new()).then_fail(code, message)
    }

    /// An HTTP error.
    pub fn status(status: u16, body: Value) -> Self {
        Self::of(Kind::Status(status, body))
    }

    /// As [`Response::hang`], after the items.
    #[must_use]
    pub fn then_hang(self) -> Self {
        self.ending(Ending::Hanging)
    }

    /// As [`Response::dropped`], after the items.
    #[must_use]
    pub fn then_drop(self) -> Self {
        self.ending(Ending::Dropped)
    }

    /// As [`Response::failed`], after the items.
    #[must_use]
    pub fn then_fail(self, code: impl Into<String>, message: impl Into<String>) -> Self {
        self.ending(Ending::Failed { code: code.into(), message: message.into() })
    }

    /// Adds headers.
    #[must_use]
    pub fn with_headers<'a>(
        mut self,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let headers = headers.into_iter();
        self.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Tokens: all the input, the part of it from the cache, all the output, the part of it that
    /// was reasoning. Without this they are 100, 40, 20 and 5.
    #[must_use]
    pub fn with_usage(mut self, input: u64, cached: u64, output: u64, reasoning: u64) -> Self {
        self.usage = [input, cached, output, reasoning];
        self
    }

    fn of(kind: Kind) -> Self {
        Self { kind, headers: Vec::new(), usage: [100, 40, 20, 5] }
    }

    fn ending(mut self, new: Ending) -> Self {
        match &mut self.kind {
            Kind::Stream { ending, .. } => *ending = new,
            Kind::Status(..) => panic!("an HTTP error has no stream to end"),
        }
        self
    }

    pub(super) fn send(&self, request: &Request, stream: &TcpStream) -> io::Result<After> {
        let (items, ending) = match &self.kind {
            Kind::Status(status, body) => {
                http::write_json(stream, *status, &self.headers, body)?;
                return Ok(After::Close);
            }
            Kind::Stream { items, ending } => (items, ending),
        };
        http::write_stream_head(stream, &self.headers)?;
        let id = fresh_id("resp");
        let envelope = |kind: &str, status: &str, more: Value| {
            let mut response = json!({"id": id, "object": "response", "status": status});
            let fields = response.as_object_mut().expect("it was made as an object");
            fields.extend(
                more.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())),
            );
            json!({"type": kind, "response": response})
        };
        let created = envelope("response.created", "in_progress", json!({"output": []}));
        http::event(stream, &created)?;
        let mut output = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let item = item.to_json(request);
            let done =
                json!({"type": "response.output_item.done", "output_index": index, "item": item});
            http::event(stream, &done)?;
            output.push(item);
        }
        match ending {
            Ending::Completed => {
                let more = json!({"output": output, "usage": self.usage_json()});
                http::event(stream, &envelope("response.completed", "completed", more))?;
            }
            Ending::Failed { code, message } => {
                let more = json!({"error": {"code": code, "message": message}});
                http::event(stream, &envelope("response.failed", "failed", more))?;
            }
            Ending::Dropped => {}
            Ending::Hanging => return Ok(After::KeepOpen),
        }
        Ok(After::Close)
    }

    fn usage_json(&self) -> Value {
        let [input, cached, output, reasoning] = self.usage;
        json!({
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": input + output,
        })
    }
}

impl Item {
    /// Text for the user.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// A thought; Codex takes its `**title**` for what the model is doing.
    pub fn reasoning(summary: impl Into<String>) -> Self {
        Self::Reasoning(summary.into())
    }

    /// A call of the shell.
    pub fn shell(command: impl Into<String>) -> Self {
        Self::Shell(command.into())
    }

    /// A call of a function. One of an MCP server is `mcp__SERVER/TOOL`.
    pub fn call(name: impl Into<String>, arguments: Value) -> Self {
        Self::Call { name: name.into(), arguments }
    }

    /// A call of a tool that takes a text.
    pub fn custom(name: impl Into<String>, input: impl Into<String>) -> Self {
        Self::Custom { name: name.into(), input: input.into() }
    }

    /// A patch that adds a file with one line.
    pub fn patch(path: impl std::fmt::Display) -> Self {
        let patch = format!("*** Begin Patch\n*** Add File: {path}\n+hello\n*** End Patch\n");
        Self::custom("apply_patch", patch)
    }

    fn to_json(&self, request: &Request) -> Value {
        match self {
            Self::Message(text) => json!({
                "type": "message",
                "id": fresh_id("msg"),
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }),
            Self::Reasoning(summary) => json!({
                "type": "reasoning",
                "id": fresh_id("rs"),
                "summary": [{"type": "summary_text", "text": summary}],
                "encrypted_content": null,
            }),
            Self::Shell(command) => shell_call(&request.tools(), command),
            Self::Call { name, arguments } => function_call(name, arguments),
            Self::Custom { name, input } => json!({
                "type": "custom_tool_call",
                "id": fresh_id("ctc"),
                "call_id": fresh_id("call"),
                "status": "completed",
                "name": name,
                "input": input,
            }),
        }
    }
}

/// How long Codex waits for a command before it gives it back running. It waits no longer than this.
const WAIT_MS: u64 = 30_000;

fn shell_call(tools: &[&str], command: &str) -> Value {
    if tools.contains(&"exec_command") {
        function_call("exec_command", &json!({"cmd": command, "yield_time_ms": WAIT_MS}))
    } else if tools.contains(&"shell_command") {
        function_call("shell_command", &json!({"command": command}))
    } else {
        function_call("shell", &json!({"command": ["bash", "-lc", command]}))
    }
}

fn function_call(name: &str, arguments: &Value) -> Value {
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    };
    let mut call = json!({
        "type": "function_call",
        "id": fresh_id("fc"),
        "call_id": fresh_id("call"),
        "name": name,
        "arguments": arguments.to_string(),
    });
    if let Some(namespace) = namespace {
        call["namespace"] = namespace.into();
    }
    call
}

/// An id that no other item of this process has.
fn fresh_id(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{kind}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
