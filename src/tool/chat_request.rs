//! The request that `codex_chat` and `job_start` make of their arguments, and the parameters that they share.

use serde_json::{Value, json};

use super::arguments::{Arguments, Result, invalid};
use super::schema::{boolean, merged, one_of, string, strings, text};
use crate::model::options::{ApprovalPolicy, WebSearch};
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::settings::Origin;
use crate::model::value::InvalidValue;

/// The parameters of `codex_chat` and `job_start` beyond those of all turns.
pub(super) fn properties() -> Value {
    let own = json!({
        "prompt": text("The question or task, with all the context Codex needs."),
        "sandbox": one_of(
            "What Codex's commands may do, in this and later turns of the session. Default: the \
             session's, else Codex's. danger-full-access only if the operator allows it.",
            Sandbox::ALL.map(Sandbox::as_str),
        ),
    });
    merged(own, rare())
}

/// The parameters that are rarely needed: `codex_chat` takes them in `options`, and beside it.
pub(super) fn rare() -> Value {
    json!({
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

pub(super) fn request(arguments: Arguments, origin: &Origin) -> Result<TurnRequest> {
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
