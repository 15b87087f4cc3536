//! `codex_chat`: a question, a task, the next message of a session.

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

use super::arguments::{Arguments, Result, invalid};
use super::definition::{Answer, Call, Effect, Tool};
use super::error::Family;
use super::job::{start, turn_wait};
use super::reply::Form;
use super::schema::{boolean, closed, integer, merged, one_of, string, strings, text};
use super::{plain, turn};
use crate::model::options::{ApprovalPolicy, WebSearch};
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::settings::Origin;
use crate::model::value::InvalidValue;

pub(crate) const NAME: &str = "codex_chat";

/// The parameter that makes a call start a job.
pub(super) const BACKGROUND: &str = "background";

pub(super) fn tool() -> Tool {
    let own_output = json!({
        "output": { "description": "The reply, parsed, if output_schema was given." },
        "files_changed": strings("What Codex changed with its edit tool, relative to cwd. Absent if it \
         was not allowed to write and changed nothing."),
        "files_changed_omitted": integer("How many more there are than files_changed lists."),
        "job_id": string("The job, if background was set."),
        "status": string("Its status."),
    });
    Tool {
        name: NAME,
        title: "Ask Codex",
        description: "Ask Codex, OpenAI's coding agent, a question or delegate a task to it in this \
                      project. Codex does not see this conversation: put all it needs into prompt. \
                      Returns its reply and a session_id; pass that to continue. Takes minutes: for \
                      work over 2 minutes set background, then call codex_job_wait.",
        input: closed(input(), &["prompt"]),
        unlisted: merged(
            merged(rare(), json!({ "label": start::label() })),
            turn::unlisted_properties(),
        ),
        output: turn::output("reply", own_output),
        effect: Effect::Works,
        family: Family::Turn,
        plain: plain_text,
        search_hint: Some(
            "gpt, ask another model, delegate work to another agent, long running task",
        ),
        always_load: true,
        run: |call| Box::pin(chat(call)),
    }
}

/// The listed parameters.
fn input() -> Value {
    let words = |all: Vec<&str>| all.join("|");
    let web_search = words(WebSearch::ALL.iter().map(|search| search.as_str()).collect());
    let approval = words(ApprovalPolicy::ALL.iter().map(|policy| policy.as_str()).collect());
    let options = format!(
        "Rarely needed. label: the job's name; fork: true continues in a copy of the session; \
         continue_last: true continues the last session in cwd; images, add_dirs: absolute paths \
         [to attach, to write in]; output_schema: strict JSON Schema of the reply; web_search: \
         {web_search}; profile; config: {{codex -c settings}}; approval_policy: {approval}; \
         base_instructions; extra_arguments: [for codex exec]; idle_timeout_ms"
    );
    let own = json!({
        "prompt": string("Question or task, with all context. All texts of a call: at most 1,000,000 characters"),
        "sandbox": one_of(
            "What Codex may do, from now on in the session. Default: as configured, mostly read-only: \
             pass workspace-write to have files changed",
            Sandbox::ALL.map(Sandbox::as_str),
        ),
        BACKGROUND: boolean("Start a job, which outlives this client; returns job_id at once"),
    });
    let options = json!({ "options": { "type": "object", "description": options, "additionalProperties": true } });
    merged(merged(own, turn::listed_properties("{call total}; of a job {job total}")), options)
}

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
fn rare() -> Value {
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

/// Whether a call asks for a job. Some clients write a boolean as a text.
pub(crate) fn is_background(arguments: Option<&JsonObject>) -> bool {
    match arguments.and_then(|arguments| arguments.get(BACKGROUND)) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.trim() == "true",
        _ => false,
    }
}

async fn chat(mut call: Call<'_>) -> Answer {
    if call.arguments.flag(BACKGROUND)? {
        return start::in_background(call.arguments, call.services).await;
    }
    if call.arguments.has("label") {
        let problem = "is the name of a job: it requires background";
        return Err(invalid("label", InvalidValue(problem.into())).into());
    }
    turn::run(request, Form::Reply, call).await
}

fn plain_text(content: &Map<String, Value>) -> String {
    match content.contains_key("reply") {
        true => plain::turn(content),
        false => turn_wait::plain_text(content),
    }
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
