//! A request of Codex to the model.

use serde_json::Value;

use super::http::Received;

/// A request for a response.
#[derive(Clone, Debug)]
pub struct Request {
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Value,
}

impl Request {
    pub(super) fn new(received: Received) -> Self {
        Self { headers: received.headers, body: received.body }
    }

    /// The messages with the role of the user, in order. Some of them are of Codex itself, such as a
    /// description of the environment.
    pub fn user_texts(&self) -> Vec<String> {
        self.input()
            .iter()
            .filter(|item| is_from_user(item))
            .map(|item| text(&item["content"]))
            .collect()
    }

    /// The last message of the user, which is the prompt of the turn.
    pub fn last_user_text(&self) -> String {
        self.user_texts().pop().unwrap_or_default()
    }

    /// Whether a tool was called since the last message of the user.
    pub fn has_tool_output(&self) -> bool {
        !self.tool_outputs().is_empty()
    }

    /// The outputs of tools since the last message of the user, in order.
    pub fn tool_outputs(&self) -> Vec<String> {
        let input = self.input();
        let turn = input.iter().rposition(is_from_user).map_or(0, |at| at + 1);
        input[turn..]
            .iter()
            .filter(|item| item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output")))
            .map(|item| text(&item["output"]))
            .collect()
    }

    /// The number of a command that still ran when the last tool call returned.
    pub fn running_command(&self) -> Option<u64> {
        let outputs = self.tool_outputs();
        let (_, number) = outputs.last()?.split_once("Process running with session ID ")?;
        number.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
    }

    /// The names of the tools that the model may call, or the type of a tool without a name.
    pub fn tools(&self) -> Vec<&str> {
        list(&self.body["tools"])
            .iter()
            .filter_map(|tool| tool["name"].as_str().or(tool["type"].as_str()))
            .collect()
    }

    /// The tool of this name or type.
    pub fn tool(&self, name: &str) -> Option<&Value> {
        let tools = list(&self.body["tools"]).iter();
        tools.into_iter().find(|tool| tool["name"] == name || tool["type"] == name)
    }

    /// The pictures in the last message of the user, as URLs.
    pub fn images(&self) -> Vec<&str> {
        let last = self.input().iter().rfind(|item| is_from_user(item));
        last.iter()
            .flat_map(|item| list(&item["content"]))
            .filter_map(|part| part["image_url"].as_str())
            .collect()
    }

    /// The instructions, then the messages with the role of the developer.
    pub fn instructions(&self) -> Vec<String> {
        let of_developer = |item: &&Value| item["role"] == "developer";
        let messages = self.input().iter().filter(of_developer).map(|item| text(&item["content"]));
        self.body["instructions"].as_str().map(str::to_owned).into_iter().chain(messages).collect()
    }

    fn input(&self) -> &[Value] {
        list(&self.body["input"])
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_from_user(item: &Value) -> bool {
    item["type"] == "message" && item["role"] == "user"
}

/// The text of a content or an output, which is a string or a list of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
