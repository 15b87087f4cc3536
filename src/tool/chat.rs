//! `codex_chat`: a question, a task, the next message of a session.

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

use super::arguments::invalid;
use super::chat_request::{rare, request};
use super::definition::{Answer, CALL_TOTAL, Call, Effect, JOB_TOTAL, Tool};
use super::error::Family;
use super::job::{start, turn_wait};
use super::reply::Form;
use super::schema::{boolean, closed, integer, merged, one_of, string, strings};
use super::{plain, turn};
use crate::model::options::{ApprovalPolicy, WebSearch};
use crate::model::sandbox::Sandbox;
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
        "Rarely needed: label (of the job), fork (true: continue in a copy of the session), \
         continue_last (true: the last session in cwd), images [paths], add_dirs [more writable \
         paths], output_schema {{strict JSON Schema of the reply}}, web_search {web_search}, profile, \
         config {{codex -c keys}}, approval_policy {approval}, base_instructions, extra_arguments \
         [of codex exec], idle_timeout_ms"
    );
    let options = json!({ "type": "object", "description": options, "additionalProperties": true });
    let own = json!({
        "prompt": string("Question or task, with all context. At most 1,000,000 characters"),
        "sandbox": one_of(
            "What Codex may do, from now on in the session. Default: as configured, mostly read-only: \
             pass workspace-write to have files changed",
            Sandbox::ALL.map(Sandbox::as_str),
        ),
        BACKGROUND: boolean("Start a job, which outlives this client; returns job_id at once"),
    });
    let total = format!("{CALL_TOTAL}; of a job {JOB_TOTAL}");
    let common = turn::listed_properties(&total);
    merged(merged(own, common), json!({ "options": options }))
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
