//! The arguments of a call, read one by one. Each error names the field and the fix.

use std::path::Path;
use std::time::Duration;

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::model::command_line::COMPACT_PROMPT;
use crate::model::limits::MAX_LIMIT;
use crate::model::model_name::{Model, ReasoningEffort};
use crate::model::options::{
    Argument, Image, MAX_OPTION_BYTES, MAX_OPTION_ENTRIES, Options, OutputSchema, Override,
    check_total_bytes,
};
use crate::model::outcome::FailureKind;
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::model::session_id::SessionId;
use crate::model::text::excerpt;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;

/// The longest text of a call, in characters: what Codex accepts, minus room for the header.
pub(super) const MAX_TEXT_CHARS: usize = 1_000_000;

/// The parameter that holds the rarely needed ones.
const OPTIONS: &str = "options";

/// The longest list, in entries.
const MAX_LISTED: usize = 200;

/// Arguments that have not been read yet.
pub(super) struct Arguments {
    tool: &'static str,
    rest: JsonObject,
}

pub(super) type Result<T> = std::result::Result<T, FailureKind>;

impl Arguments {
    /// The arguments of a call to `tool`, whose parameters are in `schema`, and in `unlisted` those that
    /// clients do not see. Rejects unknown names: a misspelt `session_id` must not start a new session.
    pub(super) fn new(
        tool: &'static str,
        schema: &Value,
        unlisted: &Value,
        mut arguments: JsonObject,
    ) -> Result<Self> {
        let listed = schema.get("properties").and_then(Value::as_object);
        let listed = listed.expect("every tool's schema has properties");
        let mut known = listed.clone();
        let unlisted = unlisted.as_object().cloned().unwrap_or_default();
        spread_options(tool, listed, &unlisted, &mut arguments)?;
        known.extend(unlisted);
        if let Some(unknown) = arguments.keys().find(|name| !known.contains_key(*name)) {
            let names: Vec<&str> = listed.keys().map(String::as_str).collect();
            let problem =
                format!("is not a parameter of {tool}; its parameters are {}", names.join(", "));
            return Err(bad(&excerpt(unknown), problem));
        }
        arguments.retain(|_, value| value.as_str() != Some(""));
        for (name, value) in &mut arguments {
            if let Some(decoded) = decoded(value, &known[name]) {
                *value = decoded;
            }
        }
        Ok(Self { tool, rest: arguments })
    }

    /// The name of the tool.
    pub(super) fn tool(&self) -> &'static str {
        self.tool
    }

    /// Whether this argument was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.get(name).is_some_and(|value| !value.is_null())
    }

    /// The argument, which stays.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.rest.get(name)
    }

    /// Drops an argument that another one replaces.
    pub(super) fn drop_argument(&mut self, name: &str) {
        self.rest.shift_remove(name);
    }

    /// Gives an argument another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.rest.shift_remove(from) {
            self.rest.insert(to.into(), value);
        }
    }

    /// Reads the number in a text, if there is one.
    pub(super) fn decode_number(&mut self, name: &str) {
        if let Some(value) = self.rest.get_mut(name)
            && let Some(number) = value.as_str().and_then(|text| text.parse::<u64>().ok())
        {
            *value = number.into();
        }
    }

    /// A required text.
    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        match self.optional_text(name)? {
            Some(text) => Ok(text),
            None => Err(bad(name, format!("is required by {} and must be a string", self.tool))),
        }
    }

    /// An optional text. A blank one counts as missing.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(text) = self.take_string(name)? else { return Ok(None) };
        if text.len() > MAX_TEXT_CHARS && text.chars().count() > MAX_TEXT_CHARS {
            let problem = format!(
                "has {} characters, but the limit is {MAX_TEXT_CHARS}; put the rest into a file \
                 and name it",
                text.chars().count()
            );
            return Err(bad(name, problem));
        }
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    /// An optional value that is parsed from a string.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> std::result::Result<T, InvalidValue>,
    ) -> Result<Option<T>> {
        self.take_string(name)?
            .map(|text| parse(&text).map_err(|problem| invalid(name, problem)))
            .transpose()
    }

    /// A required value that is parsed from a string.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> std::result::Result<T, InvalidValue>,
    ) -> Result<T> {
        let value = self.parsed(name, parse)?;
        value.ok_or_else(|| bad(name, format!("is required by {} and must be a string", self.tool)))
    }

    /// An optional whole number from `least` to `most`.
    pub(super) fn whole(&mut self, name: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole(&value) {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ if most == u64::MAX => {
                Err(bad(name, format!("must be an integer of at least {least}")))
            }
            _ => Err(bad(name, format!("must be an integer from {least} to {most}"))),
        }
    }

    /// A boolean. Default: false.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(bad(name, "must be true or false".into())),
        }
    }

    /// A list of strings. Default: empty.
    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let texts = match self.take(name) {
            None => Some(Vec::new()),
            Some(Value::Array(values)) => {
                values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
            }
            Some(_) => None,
        };
        match texts {
            Some(texts) if texts.len() <= MAX_LISTED => Ok(texts),
            _ => Err(bad(name, format!("must be a list of at most {MAX_LISTED} strings"))),
        }
    }

    /// An optional object.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<JsonObject>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(bad(name, "must be an object".into())),
        }
    }

    /// A list of at most [`MAX_OPTION_ENTRIES`] values that are parsed from strings.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> std::result::Result<T, InvalidValue>,
    ) -> Result<Vec<T>> {
        let texts = self.texts(name)?;
        if texts.len() > MAX_OPTION_ENTRIES {
            return Err(bad(name, format!("must have at most {MAX_OPTION_ENTRIES} entries")));
        }
        texts.iter().map(|text| parse(text).map_err(|problem| invalid(name, problem))).collect()
    }

    /// The options of a turn that `codex_chat` accepts.
    pub(super) fn options(&mut self) -> Result<Options> {
        let schema =
            |schema| OutputSchema::new(schema).map_err(|problem| invalid("output_schema", problem));
        let (config, compact_prompt) = self.config()?;
        Ok(Options {
            model: None,
            reasoning_effort: None,
            profile: self.parsed("profile", str::parse)?,
            config,
            compact_prompt,
            approval_policy: self.parsed("approval_policy", str::parse)?,
            add_dirs: self.list("add_dirs", working_dir)?,
            images: self.list("images", |path| Image::from_absolute_path(path))?,
            output_schema: self.object("output_schema")?.map(schema).transpose()?,
            web_search: self.parsed("web_search", str::parse)?,
            base_instructions: self.optional_text("base_instructions")?,
            developer_instructions: None,
            extra_arguments: self.extra_arguments()?,
        })
    }

    /// Codex settings, and the compact prompt, which Codex reads from a file.
    fn config(&mut self) -> Result<(Vec<Override>, Option<String>)> {
        let mut settings = self.object("config")?.unwrap_or_default();
        if settings.len() > MAX_OPTION_ENTRIES {
            return Err(bad("config", format!("must have at most {MAX_OPTION_ENTRIES} settings")));
        }
        let compact_prompt = match settings.shift_remove(COMPACT_PROMPT) {
            None => None,
            Some(Value::String(text)) if text.len() <= MAX_OPTION_BYTES => Some(text),
            Some(_) => {
                let problem = format!(
                    "has a {COMPACT_PROMPT} that is not a string of at most {MAX_OPTION_BYTES} \
                     bytes"
                );
                return Err(bad("config", problem));
            }
        };
        let setting = |(key, value): (&String, &Value)| {
            Override::new(key, value).map_err(|problem| invalid("config", problem))
        };
        let settings = settings.iter().map(setting).collect::<Result<_>>()?;
        let settings = check_total_bytes(settings, |setting: &Override| setting.to_string().len())
            .map_err(|problem| invalid("config", problem))?;
        Ok((settings, compact_prompt.filter(|text| !text.trim().is_empty())))
    }

    fn extra_arguments(&mut self) -> Result<Vec<Argument>> {
        let arguments = self.list("extra_arguments", str::parse)?;
        check_total_bytes(arguments, |argument: &Argument| argument.as_str().len())
            .map_err(|problem| invalid("extra_arguments", problem))
    }

    /// Asserts that every argument was read.
    pub(super) fn end(self) {
        debug_assert!(self.rest.is_empty(), "a parameter in the schema is not read");
    }

    /// A request for `prompt` with the parameters that every turn accepts.
    pub(super) fn into_request(mut self, prompt: Prompt, options: Options) -> Result<TurnRequest> {
        let request = TurnRequest::new(prompt)
            .options(options)
            .resume(self.parsed("session_id", str::parse::<SessionId>)?)
            .working_dir(self.parsed("cwd", working_dir)?)
            .model(self.parsed("model", Model::parse)?)
            .reasoning_effort(self.parsed("reasoning_effort", ReasoningEffort::parse)?)
            .total_limit(self.millis("timeout_ms")?)
            .idle_limit(self.millis("idle_timeout_ms")?);
        self.end();
        Ok(request)
    }

    fn millis(&mut self, name: &str) -> Result<Option<Duration>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole(&value).map(Duration::from_millis) {
            Some(limit) if limit > Duration::ZERO && limit <= MAX_LIMIT => Ok(Some(limit)),
            _ => Err(bad(name, format!("must be an integer from 1 to {}", MAX_LIMIT.as_millis()))),
        }
    }

    fn take_string(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                let kind = match other {
                    Value::Bool(_) => "a boolean",
                    Value::Number(_) => "a number",
                    Value::Array(_) => "a list",
                    Value::Object(_) => "an object",
                    Value::Null | Value::String(_) => "something else",
                };
                Err(bad(name, format!("must be a string, not {kind}")))
            }
        }
    }

    /// The value, unless it is missing or `null`.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.shift_remove(name).filter(|value| !value.is_null())
    }
}

/// Moves what is in `options` beside it, if the tool has this parameter.
fn spread_options(
    tool: &str,
    listed: &JsonObject,
    unlisted: &JsonObject,
    arguments: &mut JsonObject,
) -> Result<()> {
    let Some(schema) = listed.get(OPTIONS) else { return Ok(()) };
    let Some(options) = arguments.shift_remove(OPTIONS) else { return Ok(()) };
    let options = match decoded(&options, schema).unwrap_or(options) {
        Value::Object(options) => options,
        Value::Null => return Ok(()),
        Value::String(text) if text.is_empty() => return Ok(()),
        _ => return Err(bad(OPTIONS, "must be an object".into())),
    };
    for (name, value) in options.into_iter().filter(|(_, value)| !value.is_null()) {
        let refused = |problem| Err(bad(&format!("{OPTIONS}.{}", excerpt(&name)), problem));
        if listed.contains_key(&name) {
            return refused(format!("is a parameter of {tool}: pass it beside {OPTIONS}"));
        }
        if !unlisted.contains_key(&name) {
            let names: Vec<&str> = unlisted.keys().map(String::as_str).collect();
            return refused(format!(
                "is not an option of {tool}; the options are {}",
                names.join(", ")
            ));
        }
        if arguments.get(&name).is_some_and(|value| !value.is_null()) {
            return refused(format!("is also given beside {OPTIONS}: give it once"));
        }
        arguments.insert(name, value);
    }
    Ok(())
}

/// The value that a string holds as JSON, if the schema expects that type and not a string: models send
/// numbers, lists and objects this way, and Claude Code passes them on unchanged.
fn decoded(value: &Value, schema: &Value) -> Option<Value> {
    let (text, expected) = (value.as_str()?, schema.get("type")?.as_str()?);
    if expected == "string" {
        return None;
    }
    let decoded: Value = serde_json::from_str(text).ok()?;
    let fits = match &decoded {
        Value::Null => true,
        Value::Bool(_) => expected == "boolean",
        Value::Number(_) => expected == "integer",
        Value::Array(_) => expected == "array",
        Value::Object(_) => expected == "object",
        Value::String(_) => false,
    };
    fits.then_some(decoded)
}

/// A whole number. Some clients write every number as a float.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && *number >= 0.0)
            .map(|number| number as u64)
    })
}

/// A directory. It must be absolute, because callers do not know the server's own. A later step checks
/// whether it exists, without blocking other calls.
fn working_dir(text: &str) -> std::result::Result<WorkingDir, InvalidValue> {
    if !Path::new(text).is_absolute() {
        return Err(InvalidValue("must be the absolute path of an existing directory".into()));
    }
    WorkingDir::from_path(text)
}

/// An error about the field `name`.
pub(super) fn invalid(name: &str, problem: InvalidValue) -> FailureKind {
    FailureKind::BadInput { field: name.to_owned(), problem }
}

fn bad(name: &str, problem: String) -> FailureKind {
    invalid(name, InvalidValue(problem))
}
