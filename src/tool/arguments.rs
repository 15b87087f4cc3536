//! The arguments of a call, taken one by one. Each error names the field and the fix.

use std::path::Path;
use std::time::Duration;

use rmcp::model::JsonObject;
use serde_json::Value;

use super::Tool;
use crate::turn::outcome::FailureKind;
use crate::turn::request::{
    InvalidValue, MAX_LIMIT, Model, Prompt, ReasoningEffort, SessionId, TurnRequest, WorkingDir,
};

/// How much text a call may hand over, in characters: what Codex takes, less room for the header.
pub(super) const MAX_TEXT_CHARS: usize = 1_000_000;

/// Arguments that were not taken yet.
pub(super) struct Arguments {
    tool: Tool,
    rest: JsonObject,
}

pub(super) type Result<T> = std::result::Result<T, FailureKind>;

impl Arguments {
    /// Refuses names that the tool does not have: a misspelt `session_id` must not begin a new
    /// session.
    pub(super) fn new(tool: Tool, arguments: JsonObject) -> Result<Self> {
        let schema = &tool.definition().input_schema;
        let known = schema.get("properties").and_then(Value::as_object);
        let known = known.expect("every tool's schema has properties");
        if let Some(unknown) = arguments.keys().find(|name| !known.contains_key(*name)) {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            let problem =
                format!("is not a parameter of {}; it has {}", tool.name(), names.join(", "));
            return Err(bad(unknown, problem));
        }
        Ok(Self { tool, rest: arguments })
    }

    /// Text that must be there.
    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        match self.optional_text(name)? {
            Some(text) => Ok(text),
            None => Err(bad(name, format!("is required by {}, as a text", self.tool.name()))),
        }
    }

    /// Text that may be left out, which blank text is taken for.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(text) = self.take_string(name)? else { return Ok(None) };
        if text.len() > MAX_TEXT_CHARS && text.chars().count() > MAX_TEXT_CHARS {
            let problem = format!(
                "is {} characters long, and {MAX_TEXT_CHARS} are the limit; put the rest into a \
                 file and name it",
                text.chars().count()
            );
            return Err(bad(name, problem));
        }
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    /// A value of a fixed form.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> std::result::Result<T, InvalidValue>,
    ) -> Result<Option<T>> {
        self.take_string(name)?
            .map(|text| parse(&text).map_err(|problem| invalid(name, problem)))
            .transpose()
    }

    /// What every tool takes, put into a request for `prompt`.
    pub(super) fn into_request(mut self, prompt: Prompt) -> Result<TurnRequest> {
        let request = TurnRequest::new(prompt)
            .resume(self.parsed("session_id", str::parse::<SessionId>)?)
            .working_dir(self.parsed("cwd", working_dir)?)
            .model(self.parsed("model", Model::parse)?)
            .reasoning_effort(self.parsed("reasoning_effort", ReasoningEffort::parse)?)
            .total_limit(self.millis("timeout_ms")?)
            .idle_limit(self.millis("idle_timeout_ms")?);
        debug_assert!(self.rest.is_empty(), "a parameter in the schema is not read");
        Ok(request)
    }

    fn millis(&mut self, name: &str) -> Result<Option<Duration>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let whole = value.as_u64().or_else(|| {
            // Some clients write every number as a float.
            value
                .as_f64()
                .filter(|number| number.fract() == 0.0 && *number >= 0.0)
                .map(|number| number as u64)
        });
        match whole.map(Duration::from_millis) {
            Some(limit) if limit > Duration::ZERO && limit <= MAX_LIMIT => Ok(Some(limit)),
            _ => Err(bad(
                name,
                format!("must be a whole number from 1 to {}", MAX_LIMIT.as_millis()),
            )),
        }
    }

    fn take_string(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                let kind = match other {
                    Value::Bool(_) => "true or false",
                    Value::Number(_) => "a number",
                    Value::Array(_) => "a list",
                    Value::Object(_) => "an object",
                    Value::Null | Value::String(_) => "something else",
                };
                Err(bad(name, format!("must be a text, and is {kind}")))
            }
        }
    }

    /// A value that is there; `null` is as good as none.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.shift_remove(name).filter(|value| !value.is_null())
    }
}

/// A directory, which must be absolute here: the server's own directory is nothing a caller knows.
fn working_dir(text: &str) -> std::result::Result<WorkingDir, InvalidValue> {
    if !Path::new(text).is_absolute() {
        return Err(InvalidValue("must be an absolute path of an existing directory".into()));
    }
    WorkingDir::existing(text)
}

/// An error about the field `name`.
pub(super) fn invalid(name: &str, problem: InvalidValue) -> FailureKind {
    FailureKind::BadInput { field: name.to_owned(), problem }
}

fn bad(name: &str, problem: String) -> FailureKind {
    invalid(name, InvalidValue(problem))
}
