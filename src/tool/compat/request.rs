//! From what a call says to the turn that it requests. Pure.

use rmcp::model::JsonObject;
use serde_json::Value;

use super::codex::{self, CodexCall};
use super::codex_reply::{self, ReplyCall};
use super::turn::Prepared;
use crate::model::model_name::Model;
use crate::model::options::{
    ApprovalPolicy, MAX_OPTION_BYTES, MAX_OPTION_ENTRIES, Override, check_total_bytes,
};
use crate::model::outcome::FailureKind;
use crate::model::prompt::Prompt;
use crate::model::prompt_envelope::{Part, compose, is_one_off};
use crate::model::request::TurnRequest;
use crate::model::sandbox::SandboxChoice;
use crate::model::settings::Settings;
use crate::model::text::excerpt;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::tool::arguments::MAX_TEXT_CHARS;

type Result<T> = std::result::Result<T, FailureKind>;

impl CodexCall {
    /// The request for a turn in a new thread.
    ///
    /// # Errors
    ///
    /// The first value that cannot be used.
    pub(super) fn prepare(self, settings: &Settings) -> Result<Prepared> {
        let notes = self.notes();
        let mut request = TurnRequest::new(prompt(codex::NAME, &self.prompt, settings)?);
        if let Some(model) = self.model {
            let model = Model::parse(&model).map_err(|problem| invalid("model", problem))?;
            request = request.model(model);
        }
        if let Some(cwd) = &self.cwd {
            let dir = WorkingDir::from_path(settings.working_dir.as_path().join(cwd));
            request = request.working_dir(dir.map_err(|problem| invalid("cwd", problem))?);
        }
        if let Some(sandbox) = self.sandbox {
            request = request.sandbox(SandboxChoice::Set(sandbox));
        }
        let options = &mut request.options;
        options.profile = self
            .profile
            .map(|name| name.parse().map_err(|problem| invalid("profile", problem)))
            .transpose()?;
        options.config = overrides(self.config)?;
        options.base_instructions =
            text("base-instructions", self.base_instructions, MAX_TEXT_CHARS)?;
        options.compact_prompt = text("compact-prompt", self.compact_prompt, MAX_OPTION_BYTES)?;
        if text("developer-instructions", self.developer_instructions, MAX_TEXT_CHARS)?.is_some() {
            let problem = "cannot be passed to Codex without showing them in the list of processes; put \
                           them into prompt or base-instructions";
            return Err(bad("developer-instructions", problem.into()));
        }
        Ok(Prepared { request, notes })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(policy) = self.approval_policy.filter(|policy| *policy != ApprovalPolicy::Never)
        {
            notes.push(format!(
                "approval-policy {} works like never: nobody can answer an approval request here, so \
                 whatever needs approval is denied.",
                policy.as_str()
            ));
        }
        if !self.ignored.is_empty() {
            let names: Vec<String> = self.ignored.iter().take(MAX_NAMED).map(excerpt).collect();
            let more = match self.ignored.len() - names.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            notes.push(format!("codex has no parameter {}{more}; ignored.", names.join(", ")));
        }
        notes
    }
}

/// How many ignored arguments a note names.
const MAX_NAMED: usize = 20;

impl ReplyCall {
    /// The request for a turn in the thread. It keeps the thread's directory and sandbox.
    ///
    /// # Errors
    ///
    /// If the prompt cannot be used.
    pub(super) fn prepare(self, settings: &Settings) -> Result<Prepared> {
        let request = TurnRequest::new(prompt(codex_reply::NAME, &self.prompt, settings)?);
        Ok(Prepared { request: request.resume(self.thread), notes: Vec::new() })
    }
}

/// The prompt as it is, or with this program's header if the settings say so.
fn prompt(tool: &str, text: &str, settings: &Settings) -> Result<Prompt> {
    if text.trim().is_empty() {
        return Err(bad("prompt", "must not be empty".into()));
    }
    // A text that looks like the prompt of a guard would change what the next turn inherits.
    let prompt = if settings.prompt_header || is_one_off(text) {
        compose(&settings.origin, tool, None, &[Part { title: "request", text }])
    } else {
        Prompt::new(text)
    };
    prompt.map_err(|problem| invalid("prompt", problem))
}

/// A text of at most `most` bytes. A blank one counts as missing.
fn text(field: &str, text: Option<String>, most: usize) -> Result<Option<String>> {
    let text = text.filter(|text| !text.trim().is_empty());
    match &text {
        Some(long) if long.len() > most => {
            Err(bad(field, format!("has {} bytes, but the limit is {most}", long.len())))
        }
        _ => Ok(text),
    }
}

/// The settings of Codex, as for `-c`.
fn overrides(config: JsonObject) -> Result<Vec<Override>> {
    if config.len() > MAX_OPTION_ENTRIES {
        return Err(bad("config", format!("must have at most {MAX_OPTION_ENTRIES} settings")));
    }
    let settings = config.into_iter().map(|(key, mut value)| {
        without_null(&mut value);
        Override::new(&key, &value).map_err(|problem| invalid("config", problem))
    });
    let settings = settings.collect::<Result<_>>()?;
    check_total_bytes(settings, |setting: &Override| setting.to_string().len())
        .map_err(|problem| invalid("config", problem))
}

/// TOML has no null. Codex's server took it for an empty text.
fn without_null(value: &mut Value) {
    match value {
        Value::Null => *value = "".into(),
        Value::Array(values) => values.iter_mut().for_each(without_null),
        Value::Object(fields) => fields.values_mut().for_each(without_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn invalid(field: &str, problem: InvalidValue) -> FailureKind {
    FailureKind::BadInput { field: field.into(), problem }
}

fn bad(field: &str, problem: String) -> FailureKind {
    invalid(field, InvalidValue(problem))
}
