//! What the tools share that run a turn and answer with its outcome.

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::arguments::{Arguments, Result};
use super::definition::{Answer, CALL_IDLE, Call};
use super::progress::Progress;
use super::reply::{Form, content};
use super::schema::{integer, merged, open, string, strings};
use crate::model::event::Event;
use crate::model::limits::MAX_LIMIT;
use crate::model::outcome::{CancelledBy, FailureKind};
use crate::model::request::TurnRequest;
use crate::model::settings::Origin;
use crate::turn::Turn;

/// The parameters of every turn, with the descriptions of its two timeouts.
pub(super) fn properties(total: &str, idle: &str) -> Value {
    let timeout = |about: &str| {
        let most = MAX_LIMIT.as_millis() as u64;
        json!({ "type": "integer", "minimum": 1, "maximum": most, "description": about })
    };
    json!({
        "session_id": {
            "type": "string",
            "format": "uuid",
            "description": "Session to resume (UUID). Default: a new session.",
        },
        "cwd": string("Absolute directory to work in. Default: the session's, else the server's."),
        "model": string("Model, at most 128 characters. Default: Codex's."),
        "reasoning_effort": string("low, medium, high or another level of the model. Default: \
         Codex's."),
        "timeout_ms": timeout(total),
        "idle_timeout_ms": timeout(idle),
    })
}

/// The same as tools for agents list them, in few words. `total` says which timeout applies otherwise.
pub(super) fn listed_properties(total: &str) -> Value {
    let timeout = format!("Default {total}. At most {}", MAX_LIMIT.as_millis());
    json!({
        "session_id": string("UUID of the session to continue. Default: a new one"),
        "cwd": string("Absolute. Default: the session's, else the server's"),
        "model": string("Default: Codex's"),
        "reasoning_effort": string("low, medium, high, …"),
        "timeout_ms": integer(&timeout),
    })
}

/// The parameters of every turn that those tools also take.
pub(super) fn unlisted_properties() -> Value {
    let most = MAX_LIMIT.as_millis();
    let idle =
        format!("Timeout without any event of Codex, in ms. Default {CALL_IDLE}. 1 to {most}.");
    json!({ "idle_timeout_ms": integer(&idle) })
}

/// The schema of an answer whose text is in `reply_field`.
pub(super) fn output(reply_field: &str, own: Value) -> Value {
    let common = json!({
        "session_id": string("Pass it to continue this session."),
        reply_field: string("Codex's final message."),
        "resume_command": string("Lets a user take over the session. Absent if Codex keeps no \
         record of it."),
        "cwd": string("Where Codex worked."),
        "effective": { "type": "object", "description": "Settings in effect: cwd, sandbox, \
         approval_policy, model." },
        "usage": usage("Tokens of this call."),
        "session_usage": usage("Tokens of the session so far."),
        "warnings": strings("What the caller should know."),
    });
    open(merged(common, own), &["session_id", reply_field, "cwd"])
}

/// Used tokens.
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

/// Runs a turn and waits for its outcome.
pub(super) async fn run(
    request: fn(Arguments, &Origin) -> Result<TurnRequest>,
    form: Form,
    Call { arguments, services, context }: Call<'_>,
) -> Answer {
    let codex = &services.codex;
    let request = request(arguments, &codex.settings().origin)?;
    let started = Instant::now();
    let request = codex.find_last(request).await?;
    let progress = Progress::new(started, request.continued_session().is_some());
    match follow(codex.start(request), progress, context, |_| ()).await {
        Some(turn) => Ok(content(form, turn.outcome().await?)),
        None => Err(FailureKind::Cancelled { by: CancelledBy::Caller }.into()),
    }
}

/// Reports progress to the client until there is an outcome, and shows each event to `seen`. `None` if the client cancelled the call:
/// the turn is dropped, which stops it, and nobody waits for an answer.
pub(super) async fn follow(
    mut turn: Turn,
    mut progress: Progress,
    context: &RequestContext<RoleServer>,
    mut seen: impl FnMut(&Event),
) -> Option<Turn> {
    let token = context.meta.get_progress_token();
    loop {
        tokio::select! {
            biased;
            () = context.ct.cancelled() => return None,
            () = sleep_until(progress.due()), if token.is_some() => {
                let (number, message) = progress.report(Instant::now());
                if let Some(token) = &token {
                    let params = ProgressNotificationParam::new(token.clone(), f64::from(number))
                        .with_message(message);
                    // The transport never blocks on a message, so this takes no time.
                    drop(context.peer.notify_progress(params).await);
                }
            }
            event = turn.next_event() => match event {
                Some(event) => {
                    seen(&event);
                    progress.note(&event);
                }
                None => return Some(turn),
            },
        }
    }
}
