//! Reads arguments, and refuses wrong ones with the messages of Codex's server.

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::model::text::excerpt;

/// Why a call was refused before a turn could start: the whole text of the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

pub(super) type Result<T> = std::result::Result<T, Refused>;

/// Arguments that have not been read yet.
pub(super) struct Arguments(JsonObject);

impl Arguments {
    /// `missing` is the message for a call without arguments.
    pub(super) fn new(arguments: Option<JsonObject>, missing: &str) -> Result<Self> {
        arguments.map(Self).ok_or_else(|| Refused(missing.into()))
    }

    /// A required text. It may be empty.
    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        match self.0.shift_remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(wrong_type(&other, "a string")),
            None => Err(unusable(format!("missing field `{name}`"))),
        }
    }

    /// An optional text.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(&other, "a string")),
        }
    }

    /// One of these choices, by its word.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &str,
        choices: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let Value::String(text) = value else { return Err(wrong_type(&value, "string or map")) };
        let found = choices.iter().copied().find(|choice| word(*choice) == text);
        found.map(Some).ok_or_else(|| {
            let words: Vec<_> =
                choices.iter().map(|choice| format!("`{}`", word(*choice))).collect();
            let text = excerpt(text);
            unusable(format!("unknown variant `{text}`, expected one of {}", words.join(", ")))
        })
    }

    /// An optional object. Default: empty.
    pub(super) fn map(&mut self, name: &str) -> Result<JsonObject> {
        match self.take(name) {
            None => Ok(JsonObject::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(wrong_type(&other, "a map")),
        }
    }

    /// The names of those that nothing has read.
    pub(super) fn rest(self) -> Vec<String> {
        self.0.into_iter().map(|(name, _)| name).collect()
    }

    /// An argument that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }
}

/// The refusal of arguments that cannot be used. Codex says the same for both tools.
fn unusable(problem: String) -> Refused {
    Refused(format!("Failed to parse configuration for Codex tool: {problem}"))
}

fn wrong_type(value: &Value, expected: &str) -> Refused {
    let found = match value {
        Value::Null => "null".into(),
        Value::Bool(value) => format!("boolean `{value}`"),
        Value::Number(_) => "number".into(),
        Value::String(text) => format!("string \"{}\"", excerpt(text)),
        Value::Array(_) => "sequence".into(),
        Value::Object(_) => "map".into(),
    };
    unusable(format!("invalid type: {found}, expected {expected}"))
}
