//! A tool: what clients see of it, and how it is called.
//!
//! Descriptions and schemas are written by hand, because space is short: Codex drops the descriptions of
//! a schema over 5,000 bytes, Claude Code cuts long texts, and every byte is in the model's context.
//! Descriptions repeat the bounds of values, because Codex strips those from schemas.

use std::sync::Arc;

use futures::future::BoxFuture;
use rmcp::model::{CallToolResult, JsonObject, MetaObject, Tool as Definition, ToolAnnotations};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::client::takes_structured_errors;
use super::error::{Error, Family};
use super::job::client_jobs::ClientJobs;
use super::one_thread::OneThread;
use super::plain::Plain;
use super::schema::object;
use super::size_limit::structured;
use super::threads::Threads;
use crate::codex::sessions::Store;
use crate::job::Jobs;
use crate::model::model_name::Model;
use crate::model::outcome::duration;
use crate::model::policy::Policy;
use crate::model::sandbox::Sandbox;
use crate::model::settings::Settings;
use crate::turn::Codex;

/// How much of an answer Claude Code passes on, in characters: the most that it accepts.
const MAX_RESULT_CHARS: u64 = 500_000;

/// How many of the allowed models a description names.
const MAX_MODELS: usize = 10;

/// The parameter for what Codex may do.
const SANDBOX: &str = "sandbox";

/// Placeholders in a description for the timeouts that apply if a call sets none.
pub(super) const CALL_TOTAL: &str = "{call total}";
pub(super) const CALL_IDLE: &str = "{call idle}";
pub(super) const JOB_TOTAL: &str = "{job total}";
pub(super) const JOB_IDLE: &str = "{job idle}";

/// What the tools work with.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    pub(crate) codex: Codex,
    pub(crate) jobs: Jobs,
    pub(crate) store: Store,
    /// The jobs of the client.
    pub(crate) client_jobs: ClientJobs,
    /// The threads of `codex`.
    pub(crate) threads: Threads,
    /// The one that they share, if the operator wants that.
    pub(crate) one_thread: OneThread,
}

/// A call with arguments that are known to be the tool's.
pub(super) struct Call<'a> {
    pub(super) arguments: Arguments,
    pub(super) services: &'a Services,
    pub(super) context: &'a RequestContext<RoleServer>,
}

/// The structured content of an answer.
pub(super) type Answer = Result<Map<String, Value>, Error>;

/// What a call can change, so that clients know when to ask their user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Reads what is on this machine.
    Reads,
    /// Lets Codex read and answer.
    Reviews,
    /// Lets Codex work, within its sandbox.
    Works,
    /// Stops work.
    Stops,
}

/// A tool of this server.
pub(crate) struct Tool {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// The schema of its parameters: a closed object.
    pub(super) input: Value,
    /// Further properties that a call may have, for clients that know the tool from before.
    pub(super) unlisted: Value,
    /// The schema of its structured content.
    pub(super) output: Value,
    pub(super) effect: Effect,
    pub(super) family: Family,
    /// The text block of a success.
    pub(super) plain: Plain,
    /// Words that Claude Code's tool search finds the tool by, besides its name and description.
    pub(super) search_hint: Option<&'static str>,
    /// Whether Claude Code puts the tool into every request, instead of behind its tool search.
    pub(super) always_load: bool,
    pub(super) run: for<'a> fn(Call<'a>) -> BoxFuture<'a, Answer>,
}

impl Tool {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What clients see of the tool, whatever the operator's settings.
    pub(crate) fn definition(&self) -> Definition {
        let (read_only, destructive, idempotent, open_world) = match self.effect {
            Effect::Reads => (true, false, false, false),
            Effect::Reviews => (true, false, false, true),
            Effect::Works => (false, true, false, true),
            Effect::Stops => (false, false, true, false),
        };
        let hints = ToolAnnotations::with_title(self.title)
            .read_only(read_only)
            .destructive(destructive)
            .idempotent(idempotent)
            .open_world(open_world);
        let mut meta = json!({ "anthropic/maxResultSizeChars": MAX_RESULT_CHARS });
        if let Some(hint) = self.search_hint {
            meta["anthropic/searchHint"] = hint.into();
        }
        if self.always_load {
            meta["anthropic/alwaysLoad"] = true.into();
        }
        Definition::new(self.name, self.description, Arc::new(object(self.input.clone())))
            .with_title(self.title)
            .with_raw_output_schema(Arc::new(lean(&self.output)))
            .with_annotations(hints)
            .with_meta(MetaObject(object(meta)))
    }

    /// The definition under the operator's settings: with the timeouts that apply, the allowed sandboxes and
    /// models, and marked read-only if the tool cannot change anything.
    pub(crate) fn definition_under(&self, settings: &Settings) -> Definition {
        let mut definition = self.definition();
        let mut schema = object(self.input.clone());
        if let Some(Value::Object(fields)) = schema.get_mut("properties") {
            fit(fields, settings);
            let is_read_only = settings.policy.max_sandbox == Sandbox::ReadOnly;
            if is_read_only && fields.contains_key(SANDBOX) {
                let hints = definition.annotations.take().unwrap_or_default();
                definition.annotations = Some(hints.read_only(true).destructive(false));
            }
        }
        definition.input_schema = Arc::new(schema);
        definition
    }

    /// The parameters that it takes although clients do not see them, under the operator's settings.
    #[cfg(test)]
    pub(super) fn unlisted_under(&self, settings: &Settings) -> JsonObject {
        let mut fields = object(self.unlisted.clone());
        fit(&mut fields, settings);
        fields
    }

    /// The whole schema of its structured content, of which clients see a [`lean`] one.
    #[cfg(test)]
    pub(super) fn output(&self) -> &Value {
        &self.output
    }

    /// Answers a call.
    pub(crate) async fn call(
        &self,
        arguments: JsonObject,
        services: &Services,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let answer = match Arguments::new(self.name, &self.input, &self.unlisted, arguments) {
            Ok(arguments) => (self.run)(Call { arguments, services, context }).await,
            Err(kind) => Err(kind.into()),
        };
        match answer {
            Ok(content) => structured(content, self.plain),
            Err(error) => error.result(self.name, self.family, takes_structured_errors(context)),
        }
    }
}

/// Fits parameters to the operator's settings.
fn fit(fields: &mut JsonObject, settings: &Settings) {
    let timeouts = [
        (CALL_TOTAL, settings.limits.total),
        (CALL_IDLE, settings.limits.idle),
        (JOB_TOTAL, settings.job_limits.total),
        (JOB_IDLE, settings.job_limits.idle),
    ];
    for name in ["timeout_ms", "idle_timeout_ms"] {
        let description = fields.get_mut(name).and_then(|field| field.get_mut("description"));
        if let Some(Value::String(text)) = description {
            for (placeholder, timeout) in timeouts {
                *text = text.replace(placeholder, &duration(timeout));
            }
        }
    }
    let Policy { max_sandbox, allowed_models, .. } = &settings.policy;
    if let Some(sandbox) = fields.get_mut(SANDBOX) {
        let allowed = Sandbox::ALL.into_iter().filter(|sandbox| sandbox <= max_sandbox);
        sandbox["enum"] = allowed.map(Sandbox::as_str).collect();
        if *max_sandbox == Sandbox::ReadOnly {
            sandbox["description"] = "The operator allows Codex to read only".into();
        }
    }
    if let Some(model) = fields.get_mut("model")
        && !allowed_models.is_empty()
    {
        let names = allowed_models.iter().map(Model::as_str).take(MAX_MODELS);
        let mut names = names.collect::<Vec<_>>().join(", ");
        if allowed_models.len() > MAX_MODELS {
            names += &format!(" and {} more", allowed_models.len() - MAX_MODELS);
        }
        model["description"] = format!("Allowed: {names}. Default: Codex's").into();
    }
}

/// The schema of an answer as clients see it: the names and types of its fields. The model of most clients
/// does not see it at all. Nothing is required, so that the content of an error matches it, too.
fn lean(schema: &Value) -> JsonObject {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let types: JsonObject = fields
        .filter_map(|(name, field)| Some((name.clone(), json!({ "type": field.get("type")? }))))
        .collect();
    object(json!({ "type": "object", "properties": types }))
}
