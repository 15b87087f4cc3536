//! What clients are told of the tools: texts, schemas, hints.
//!
//! Written by hand, because space is short: Codex drops the descriptions of a schema over 5,000
//! bytes, Claude Code cuts long texts, and every byte is in the model's context. Limits stand in the
//! descriptions too, since Codex strips them from schemas.

use std::sync::{Arc, LazyLock};

use rmcp::model::{MetaObject, Tool as Definition, ToolAnnotations};
use serde_json::{Value, json};

use super::arguments::MAX_TEXT_CHARS;
use super::schema::object;
use super::verdict::VERDICTS;
use super::{JobTool, Tool};
use crate::model::limits::MAX_LIMIT;
use crate::model::options::{ApprovalPolicy, WebSearch};
use crate::model::outcome::duration;
use crate::model::sandbox::Sandbox;
use crate::model::settings::Settings;

/// What Claude Code lets through of a reply, in characters: the most it takes.
const MAX_RESULT_CHARS: u64 = 500_000;

/// Stands in a description for the limit that holds if a call sets none.
const DEFAULT_LIMIT: &str = "{limit}";

pub(super) fn of(tool: Tool) -> &'static Definition {
    static ALL: LazyLock<[Definition; Tool::ALL.len()]> = LazyLock::new(|| Tool::ALL.map(make));
    let at = Tool::ALL.iter().position(|listed| *listed == tool);
    &ALL[at.expect("all tools are in the list of all tools")]
}

fn make(tool: Tool) -> Definition {
    let (title, description, own, required) = match tool {
        Tool::Chat => (
            "Ask Codex",
            "Asks Codex, a second coding agent, or hands it a task: it reads the project, runs \
             commands and, if the sandbox allows, edits files. Returns its final message and a \
             session_id; pass that to go on in the same session. May take minutes.",
            chat_own(),
            json!(["prompt"]),
        ),
        Tool::GuardPlan => (
            "Have Codex review a plan",
            "Has Codex tear a plan apart before any code is written: missing requirements, risks, \
             open questions, tests to write; blockers apart from suggestions. Read-only: Codex looks \
             at the project and changes nothing. May take minutes.",
            json!({
                "requirements": text("What is to be achieved."),
                "plan": text("The plan, step by step."),
                "constraints": text("What must not change or happen."),
            }),
            json!(["requirements", "plan"]),
        ),
        Tool::GuardFinal => (
            "Have Codex review finished work",
            "Has Codex review finished work: correctness, regressions, gaps in the tests, rollback; \
             blockers apart from suggestions. Read-only: Codex looks at the code and changes \
             nothing. May take minutes.",
            json!({
                "change_summary": text("What was changed, why, and in which files or commits."),
                "test_results": text("What was run and what came out."),
                "open_questions": text("What you are unsure of."),
                "diff": {
                    "type": "string",
                    "description": "What to look at: uncommitted, base:<branch> or commit:<sha>.",
                },
            }),
            json!(["change_summary"]),
        ),
    };
    let read_only = tool != Tool::Chat;
    let annotations = ToolAnnotations::with_title(title)
        .read_only(read_only)
        .destructive(!read_only)
        .idempotent(false)
        .open_world(true);
    let input = closed(merged(own, common()), required);
    define(tool.name(), description, input, output(tool), annotations)
}

/// The schema of an object with these fields.
pub(super) fn schema(properties: Value, required: Value) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The same for an object that has no other fields.
pub(super) fn closed(properties: Value, required: Value) -> Value {
    merged(schema(properties, required), json!({ "additionalProperties": false }))
}

/// A tool as clients are told of it.
pub(super) fn define(
    name: &'static str,
    description: &'static str,
    input: Value,
    output: Value,
    annotations: ToolAnnotations,
) -> Definition {
    let title = annotations.title.clone().unwrap_or_default();
    let meta = json!({ "anthropic/maxResultSizeChars": MAX_RESULT_CHARS });
    Definition::new(name, description, Arc::new(object(input)))
        .with_title(title)
        .with_raw_output_schema(Arc::new(object(output)))
        .with_annotations(annotations)
        .with_meta(MetaObject(object(meta)))
}

pub(super) fn text(about: &str) -> Value {
    json!({
        "type": "string",
        "maxLength": MAX_TEXT_CHARS,
        "description": format!("{about} At most {MAX_TEXT_CHARS} characters in all fields together."),
    })
}

/// What `codex_chat` takes beyond what all take.
fn chat_own() -> Value {
    json!({
        "prompt": text("The question or task, with all the context Codex needs."),
        "sandbox": {
            "type": "string",
            "enum": Sandbox::ALL.map(Sandbox::as_str),
            "description": "What Codex's commands may do, from now on in this session. \
                Default: as the session was, for a new one as Codex is configured. \
                danger-full-access only if the operator allowed it.",
        },
        "fork": {
            "type": "boolean",
            "description": "Go on in a copy of session_id, which may be busy and stays as it is.",
        },
        "continue_last": {
            "type": "boolean",
            "description": "Go on in the last session in cwd, instead of session_id.",
        },
        "images": list("Absolute paths of pictures for Codex to see."),
        "add_dirs": list("Further absolute directories to write in (workspace-write)."),
        "output_schema": {
            "type": "object",
            "description": "JSON Schema of the final message, strict: every object closed, all fields required. The answer then has output, parsed.",
        },
        "web_search": words(
            "Where the model searches the web. Default: as Codex is configured.",
            WebSearch::ALL.iter().map(|search| search.as_str()),
        ),
        "profile": { "type": "string", "description": "Profile of Codex's configuration." },
        "config": { "type": "object", "description": "Codex settings by key (codex -c): words, numbers, booleans." },
        "approval_policy": words(
            "When Codex asks; nobody answers here, so what it asks for is refused. untrusted: only before 0.153.",
            ApprovalPolicy::ALL.iter().map(|policy| policy.as_str()),
        ),
        "base_instructions": { "type": "string", "description": "Replaces Codex's own instructions." },
        "extra_arguments": list("Arguments for codex exec, if the operator allows any."),
    })
}

fn list(about: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": about })
}

fn words<'a>(about: &str, words: impl Iterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": words.collect::<Vec<_>>(), "description": about })
}

/// What `codex_chat` takes, for a turn of a job.
pub(super) fn turn_properties() -> Value {
    let mut all = merged(chat_own(), common());
    let limit = |about: &str| format!("{about} in ms, 1 to 86400000. Default {DEFAULT_LIMIT}.");
    all["timeout_ms"]["description"] = limit("Limit for a turn").into();
    all["idle_timeout_ms"]["description"] = limit("Limit for silence of Codex").into();
    all
}

fn common() -> Value {
    let limit = |about: &str| {
        let most = MAX_LIMIT.as_millis() as u64;
        let description = format!("{about} 1 to {most}.");
        json!({ "type": "integer", "minimum": 1, "maximum": most, "description": description })
    };
    json!({
        "session_id": {
            "type": "string",
            "format": "uuid",
            "description": "Session to go on in, as an earlier answer gave it (UUID). Left out: a new one.",
        },
        "cwd": {
            "type": "string",
            "description": "Directory to work in, absolute. Default: the session's, else the server's.",
        },
        "model": { "type": "string", "description": "Model, at most 128 characters. Default: Codex's." },
        "reasoning_effort": {
            "type": "string",
            "description": "low, medium, high or what else the model offers. Default: Codex's.",
        },
        "timeout_ms": limit(&format!("Limit for the whole call in ms. Default {DEFAULT_LIMIT}.")),
        "idle_timeout_ms": limit(&format!("Limit for silence of Codex in ms. Default {DEFAULT_LIMIT}.")),
    })
}

/// Tokens that were used.
fn usage(about: &str) -> Value {
    let integer = json!({ "type": "integer" });
    json!({
        "type": "object",
        "description": about,
        "properties": {
            "input_tokens": integer,
            "cached_input_tokens": integer,
            "output_tokens": integer,
            "reasoning_output_tokens": integer,
        },
        "required": ["input_tokens", "cached_input_tokens", "output_tokens"],
    })
}

fn output(tool: Tool) -> Value {
    let string = |about: &str| json!({ "type": "string", "description": about });
    let own = match tool {
        Tool::Chat => json!({
            "output": { "description": "The reply, parsed, if output_schema was given." },
        }),
        Tool::GuardPlan | Tool::GuardFinal => json!({
            "verdict": { "type": "string", "enum": VERDICTS },
            "findings": {
                "type": "array",
                "items": { "type": "object" },
                "description": "severity, title, where, why, suggestion",
            },
        }),
    };
    let all = json!({
            "session_id": string("Pass it to go on in this session."),
            tool.reply_field(): string("Codex's final message."),
            "resume_command": string("With it a person takes the session over, unless Codex keeps no record of it."),
            "cwd": string("Where Codex worked."),
            "effective": { "type": "object", "description": "What was in force: cwd, sandbox, approval_policy, model." },
            "usage": usage("Tokens of this call."),
            "session_usage": usage("Tokens of the session so far."),
            "warnings": { "type": "array", "items": { "type": "string" } },
    });
    json!({
        "type": "object",
        "properties": merged(all, own),
        "required": ["session_id", tool.reply_field(), "cwd"],
    })
}

/// The definition as it is under the operator's settings: with the limits that hold, without sandboxes
/// that are not allowed, and told as read-only where nothing can be changed.
pub(super) fn under(settings: &Settings, definition: &Definition) -> Definition {
    let policy = &settings.policy;
    let mut definition = definition.clone();
    let mut schema = (*definition.input_schema).clone();
    let limits = match JobTool::named(&definition.name) {
        Some(_) => settings.job_limits,
        None => settings.limits,
    };
    for (name, limit) in [("timeout_ms", limits.total), ("idle_timeout_ms", limits.idle)] {
        let field = schema.get_mut("properties").and_then(|fields| fields.get_mut(name));
        let described = field.and_then(|field| field.get_mut("description"));
        if let Some(Value::String(text)) = described {
            *text = text.replace(DEFAULT_LIMIT, &duration(limit));
        }
    }
    let sandbox = schema.get_mut("properties").and_then(|fields| fields.get_mut("sandbox"));
    let has_sandbox = sandbox.is_some();
    if let Some(sandbox) = sandbox {
        let allowed = Sandbox::ALL.into_iter().filter(|sandbox| *sandbox <= policy.max_sandbox);
        sandbox["enum"] = allowed.map(Sandbox::as_str).collect();
    }
    definition.input_schema = Arc::new(schema);
    if !has_sandbox {
        return definition;
    }
    if policy.max_sandbox == Sandbox::ReadOnly {
        let hints = definition.annotations.take().unwrap_or_default();
        definition.annotations = Some(hints.read_only(true).destructive(false));
    }
    definition
}

pub(super) fn merged(first: Value, second: Value) -> Value {
    let mut all = object(first);
    all.extend(object(second));
    Value::Object(all)
}
