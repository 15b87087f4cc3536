//! A tool call and what it must give, as one sentence:
//!
//! ```text
//! call(&server).prompt("hello").sandbox("read-only").fails_with("not_allowed").mentions("sandbox");
//! ```
//!
//! The tool is `codex_chat` unless [`ToolCall::tool`] names another. What comes back can be checked
//! further, and ids be taken from it. Each failure shows the call and the whole answer.

use std::fmt;
use std::ops::Index;

use serde::Serialize;
use serde_json::{Value, json};

use super::setup::assert_structure_agrees;
use crate::support::client::{Call, Server};

/// How much of a call's arguments a failure shows: some of them are a megabyte.
const SHOWN: usize = 400;

/// Starts a sentence.
pub fn call(server: &Server) -> ToolCall<'_> {
    ToolCall { server, tool: "codex_chat", arguments: json!({}) }
}

/// A call that has not been sent.
#[derive(Clone)]
#[must_use = "a call is sent by what it must give"]
pub struct ToolCall<'a> {
    server: &'a Server,
    tool: &'a str,
    arguments: Value,
}

impl<'a> ToolCall<'a> {
    pub fn tool(mut self, tool: &'a str) -> Self {
        self.tool = tool;
        self
    }

    /// Sets an argument; the last value of a name counts.
    pub fn argument(mut self, name: &str, value: impl Serialize) -> Self {
        self.arguments[name] = json!(value);
        self
    }

    /// Sets all arguments of an object.
    pub fn arguments(self, all: &Value) -> Self {
        let all = all.as_object().expect("arguments are an object");
        all.iter().fold(self, |call, (name, value)| call.argument(name, value))
    }

    pub fn prompt(self, prompt: &str) -> Self {
        self.argument("prompt", prompt)
    }

    pub fn in_session(self, id: &str) -> Self {
        self.argument("session_id", id)
    }

    pub fn sandbox(self, sandbox: &str) -> Self {
        self.argument("sandbox", sandbox)
    }

    /// Sends the call and does not wait.
    pub fn send(self) -> Sent<'a> {
        let arguments = self.arguments.to_string();
        let shown: String = arguments.chars().take(SHOWN).collect();
        let more = if shown.len() < arguments.len() { "…" } else { "" };
        Sent {
            call: self.server.begin_call(self.tool, &self.arguments),
            server: self.server,
            sentence: format!("{} {shown}{more}", self.tool),
        }
    }

    #[track_caller]
    pub fn succeeds(self) -> Answer {
        self.send().succeeds()
    }

    /// Expects a success with exactly this reply.
    #[track_caller]
    pub fn replies(self, reply: &str) -> Answer {
        self.send().replies(reply)
    }

    /// Expects an error of this kind.
    #[track_caller]
    pub fn fails_with(self, kind: &str) -> Failure {
        self.send().fails_with(kind)
    }
}

/// A call that was sent, and whose answer has not been read.
pub struct Sent<'a> {
    /// For progress and cancellation.
    pub call: Call,
    server: &'a Server,
    sentence: String,
}

impl Sent<'_> {
    #[track_caller]
    pub fn succeeds(self) -> Answer {
        let (sentence, result) = self.result();
        assert_ne!(
            result["isError"],
            true,
            "{sentence}\nmust succeed, but answers:\n{}",
            show(&result)
        );
        Answer { sentence, content: result["structuredContent"].clone() }
    }

    /// Expects a success with exactly this reply.
    #[track_caller]
    pub fn replies(self, reply: &str) -> Answer {
        let answer = self.succeeds();
        assert_eq!(answer.reply(), reply, "{answer}");
        answer
    }

    /// Expects an error of this kind.
    #[track_caller]
    pub fn fails_with(self, kind: &str) -> Failure {
        let (sentence, result) = self.result();
        failure(sentence, &result, kind)
    }

    /// Expects a success, or an error of this kind.
    #[track_caller]
    pub fn succeeds_or_fails_with(self, kind: &str) -> Result<Answer, Failure> {
        let (sentence, result) = self.result();
        if result["isError"] == true {
            return Err(failure(sentence, &result, kind));
        }
        Ok(Answer { sentence, content: result["structuredContent"].clone() })
    }

    /// Waits for the result.
    #[track_caller]
    fn result(self) -> (String, Value) {
        let mut answer = self.server.answer(&self.call);
        let result = answer["result"].take();
        assert!(
            result.is_object(),
            "{}\nis answered with a protocol error: {answer}",
            self.sentence
        );
        (self.sentence, result)
    }
}

/// An error, which must be of this kind.
#[track_caller]
fn failure(sentence: String, result: &Value, kind: &str) -> Failure {
    let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    let has_kind = text.strip_prefix(kind).is_some_and(|rest| rest.starts_with(": "));
    assert!(
        result["isError"] == true && has_kind,
        "{sentence}\nmust fail with {kind}, but answers:\n{}",
        show(result)
    );
    assert_structure_agrees(result, &text);
    Failure { sentence, kind: kind.to_owned(), text }
}

/// A result as a user reads it: the text of an error, otherwise the structured content.
fn show(result: &Value) -> String {
    match result["content"][0]["text"].as_str() {
        Some(text) if result["isError"] == true => format!("{text}\n({result})"),
        _ => format!("{result:#}"),
    }
}

/// The structured content of a success. Indexed by its fields.
pub struct Answer {
    sentence: String,
    content: Value,
}

impl Answer {
    /// The reply of Codex, whatever the tool calls it.
    #[track_caller]
    pub fn reply(&self) -> &str {
        let fields = ["reply", "critique", "review"];
        let reply = fields.iter().find_map(|name| self.content[name].as_str());
        reply.unwrap_or_else(|| panic!("there is no reply: {self}"))
    }

    /// A text field.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.content[name].as_str().unwrap_or_else(|| panic!("there is no text {name}: {self}"))
    }

    #[track_caller]
    pub fn session(&self) -> &str {
        self.text("session_id")
    }

    pub fn content(&self) -> &Value {
        &self.content
    }

    /// Expects the reply to contain this.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.reply().contains(part), "the reply must contain {part:?}: {self}");
        self
    }

    /// Expects a value at a path of names, such as `usage.input_tokens`.
    #[track_caller]
    pub fn has(self, path: &str, value: impl Serialize) -> Self {
        assert_eq!(self.at(path), &json!(value), "{path} of {self}");
        self
    }

    /// Expects nothing, or null, at a path of names.
    #[track_caller]
    pub fn lacks(self, path: &str) -> Self {
        assert!(self.at(path).is_null(), "there must be no {path}: {self}");
        self
    }

    /// Expects the turn to have run in this session.
    #[track_caller]
    pub fn in_session(self, id: &str) -> Self {
        self.has("session_id", id)
    }

    /// Expects a warning that contains this.
    #[track_caller]
    pub fn warns_of(self, part: &str) -> Self {
        assert!(
            self.warnings().any(|warning| warning.contains(part)),
            "no warning contains {part:?}: {self}"
        );
        self
    }

    /// Expects one warning, which contains this.
    #[track_caller]
    pub fn warns_once_of(self, part: &str) -> Self {
        assert_eq!(self.warnings().count(), 1, "{self}");
        self.warns_of(part)
    }

    #[track_caller]
    pub fn warns_of_nothing(self) -> Self {
        self.lacks("warnings")
    }

    fn warnings(&self) -> impl Iterator<Item = &str> {
        self.content["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.content, |value, name| &value[name])
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.content[name]
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nanswers {:#}", self.sentence, self.content)
    }
}

/// The text of an error.
pub struct Failure {
    sentence: String,
    kind: String,
    text: String,
}

impl Failure {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What follows `name: ` on the line that starts with it.
    #[track_caller]
    pub fn line(&self, name: &str) -> &str {
        let head = format!("{name}: ");
        let line = self.text.lines().find_map(|line| line.strip_prefix(&head));
        line.unwrap_or_else(|| panic!("there is no line {head:?}: {self}"))
    }

    #[track_caller]
    pub fn session(&self) -> &str {
        self.line("session_id")
    }

    /// Expects the message to start with the name of this field.
    #[track_caller]
    pub fn about(self, field: &str) -> Self {
        let head = format!("{}: {field} ", self.kind);
        assert!(self.text.starts_with(&head), "it must be about {field}: {self}");
        self
    }

    #[track_caller]
    pub fn mentions(self, part: impl AsRef<str>) -> Self {
        let part = part.as_ref();
        assert!(self.text.contains(part), "it must mention {part:?}: {self}");
        self
    }

    #[track_caller]
    pub fn omits(self, part: impl AsRef<str>) -> Self {
        let part = part.as_ref();
        assert!(!self.text.contains(part), "it must not mention {part:?}: {self}");
        self
    }

    /// Expects the session to be named, so that the caller can resume it.
    #[track_caller]
    pub fn in_session(self, id: &str) -> Self {
        assert_eq!(self.session(), id, "{self}");
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nfails with\n{}", self.sentence, self.text)
    }
}
