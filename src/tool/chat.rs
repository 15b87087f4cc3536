//! `codex_chat`: a question, a task, the next message of a session.

use serde_json::{Value, json};

use super::arguments::{Arguments, Result, invalid};
use super::definition::{Effect, Tool};
use super::error::Family;
use super::reply::Form;
use super::schema::{boolean, closed, merged, one_of, string, strings, text};
use super::{plain, turn};
use crate::model::options::{ApprovalPolicy, WebSearch};
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::settings::Origin;
use crate::model::value::InvalidValue;

pub(crate) const NAME: &str = "codex_chat";

pub(super) fn tool() -> Tool {
    let own_output = json!({
        "output": { "description": "The reply, parsed, if output_schema was given." },
    });
    Tool {
        name: NAME,
        title: "Ask Codex",
        description: "Asks Codex, a second coding agent, or gives it a task: it reads the \
                      project, runs commands and, if the sandbox allows, edits files. Returns its \
                      final message and a session_id; pass that to continue the session. May take \
                      minutes.",
        input: closed(merged(properties(), turn::call_properties()), &["prompt"]),
        output: turn::output("reply", own_output),
        effect: Effect::Works,
        family: Family::Turn,
        plain: plain::turn,
        search_hint: None,
        always_load: false,
        unlisted: Value::Null,
        run: |call| Box::pin(turn::run(request, Form::Reply, call)),
    }
}

/// The parameters of `codex_chat` and `job_start` beyond those of all turns.
pub(super) fn properties() -> Value {
    json!({
        "prompt": text("The question or task, with all the context Codex needs."),
        "sandbox": one_of(
            "What Codex's commands may do, in this and later turns of the session. Default: the \
             session's, else Codex's. danger-full-access only if the operator allows it.",
            Sandbox::ALL.map(Sandbox::as_str),
        ),
        "fork": boolean("Continue in a copy of session_id, which may be busy and stays unchanged."),
        "continue_last": boolean("Continue the last session in cwd, instead of session_id."),
        "images": strings("Absolute paths of images to attach."),
        "add_dirs": strings("Additional writable directories, absolute (workspace-write)."),
        "output_schema": {
            "type": "object",
            "description": "Strict JSON Schema of the final message: no additionalProperties, all fields required. The answer then has the parsed output.",
        },
        "web_search": one_of(
            "Where the model searches the web. Default: Codex's.",
            WebSearch::ALL.iter().map(|search| search.as_str()),
        ),
        "profile": string("Profile in Codex's configuration."),
        "config": { "type": "object", "description": "Codex settings by key (codex -c): words, numbers, booleans." },
        "approval_policy": one_of(
            "When Codex asks for approval. Nobody can answer here, so requests are denied. \
             untrusted: only before 0.153.",
            ApprovalPolicy::ALL.iter().map(|policy| policy.as_str()),
        ),
        "base_instructions": string("Replaces Codex's built-in instructions."),
        "extra_arguments": strings("Arguments for codex exec, if the operator allows any."),
    })
}

fn request(arguments: Arguments, origin: &Origin) -> Result<TurnRequest> {
    Ok(request_and_text(arguments, origin)?.0)
}

/// The request, and the caller's own text in it.
pub(super) fn request_and_text(
    mut arguments: Arguments,
    origin: &Origin,
) -> Result<(TurnRequest, String)> {
    let text = arguments.text("prompt")?;
    let sandbox = arguments.parsed("sandbox", str::parse::<Sandbox>)?;
    let parts = [Part { title: "request", text: &text }];
    let prompt = compose(origin, arguments.tool(), None, &parts)
        .map_err(|problem| invalid("prompt", problem))?;
    let sandbox = sandbox.map_or(SandboxChoice::Inherit, SandboxChoice::Set);
    let options = arguments.options()?;
    let fork = arguments.flag("fork")?;
    let last = arguments.flag("continue_last")?;
    let request = arguments.into_request(prompt, options)?.sandbox(sandbox);
    let request = request.fork(fork).continue_last(last);
    if fork && request.session.is_none() && !last {
        let problem = InvalidValue("requires session_id, the session to copy".into());
        return Err(invalid("fork", problem));
    }
    Ok((request, text))
}
