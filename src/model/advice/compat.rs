//! Advice for callers of `codex` and `codex-reply`. They have neither timeouts nor a fork, and the server may list no
//! other tools.

use crate::model::outcome::{CancelledBy, FailureKind, Limit};
use crate::model::policy::{MAX_DEPTH, MAX_SANDBOX};
use crate::model::sandbox::Sandbox;

/// What to do next, as sentences. `has_thread`: the answer names a thread that can be continued.
pub(super) fn advice(kind: &FailureKind, tool: &str, has_thread: bool) -> String {
    let again = format!("call {tool} again");
    let resume = match has_thread {
        true => "call codex-reply with this threadId to continue from where it stopped".to_owned(),
        false => again.clone(),
    };
    match kind {
        // A reply works where its thread does.
        FailureKind::BadInput { field, .. } if field == "cwd" && tool == "codex-reply" => format!(
            "restore that folder and {again}, or call codex with another cwd to start a new thread. \
             Nothing was started."
        ),
        FailureKind::BadInput { field, .. } => {
            format!("correct {field} and {again}. Nothing was started.")
        }
        FailureKind::NotAllowed { setting: MAX_DEPTH, .. } => {
            "answer without this tool, or ask the operator to allow deeper nesting. Nothing was started."
                .into()
        }
        // A reply cannot choose these.
        FailureKind::NotAllowed { field, .. } if tool == "codex-reply" && field != "threadId" => {
            format!(
                "call codex with another {field} to start a new thread, or ask the operator to allow this \
                 one. Nothing was started."
            )
        }
        FailureKind::NotAllowed { setting: MAX_SANDBOX, field, problem } => format!(
            "use another {field}, or ask the operator to start this server with --max-sandbox {}. \
             Nothing was started.",
            needed_sandbox(problem).as_str()
        ),
        FailureKind::NotAllowed { field, .. } => {
            format!("use another {field}, or ask the operator to allow it. Nothing was started.")
        }
        FailureKind::NeedsNewerCodex { .. } => {
            "ask the user to update Codex (npm install -g @openai/codex). Nothing was started.".into()
        }
        FailureKind::LooserThanAllowed { .. } | FailureKind::LooserThanAsked { .. } => {
            "tell the operator that the configuration of Codex or of this machine grants more than it \
             should. Do not continue until that is fixed. What Codex did is in the thread."
                .into()
        }
        FailureKind::CodexNotFound { .. } => {
            "install Codex (npm install -g @openai/codex), or ask the operator to set CODEX_BIN. \
             Nothing was started."
                .into()
        }
        FailureKind::CannotStart { .. } => format!(
            "{again} when fewer programs run on this machine, or with fewer and shorter settings if the \
             argument list is too long. Nothing was started."
        ),
        FailureKind::Storage { .. } => {
            "ask the user to free disk space, make the folder writable, or set \
             CODEX_PERSISTENT_MCP_STATE_DIR to another folder. Nothing was started."
                .into()
        }
        FailureKind::ConfigNotLoaded { .. } => format!(
            "ask the user to fix the setting it names in Codex's config.toml or profile; or, if this \
             call set it, {again} without it. The model was not called."
        ),
        FailureKind::McpServerFailed { .. } => format!(
            "ask the user to fix that server, remove `required` from it in Codex's config.toml, or \
             start this server with --nested-mcp none. Then {again}. The model was not called."
        ),
        FailureKind::CodexHomeUnusable { .. } => format!(
            "ask the user to make that folder and everything in it writable for this server, free \
             space on its disk, or set CODEX_HOME to another folder. Then {again}. The model was not \
             called."
        ),
        FailureKind::NotLoggedIn { .. } => format!(
            "ask the user to run `codex login` or to give Codex its API key; some clients do not pass \
             CODEX_HOME or OPENAI_API_KEY to their servers. Then {resume}."
        ),
        FailureKind::RefreshTokenUsed { .. } => {
            format!("{resume}. Ask the user to run `codex login` only if it fails again.")
        }
        FailureKind::UsageLimit { .. } => {
            format!("do not retry at once. When the limit is lifted, {resume}.")
        }
        FailureKind::SessionNotFound { .. } => {
            "check the threadId, and whether the thread was created with another CODEX_HOME than this \
             server's. To start a new thread, call codex."
                .into()
        }
        FailureKind::SessionBusy { .. } => format!(
            "close the thread where it is open and {again}, or call codex to start a new thread. Newer \
             versions of Codex keep a thread open for half an hour after a user leaves it, unless \
             config.toml sets thread_unload_delay_secs."
        ),
        FailureKind::AnotherSession { .. } => {
            "check the threadId, or call codex to start a new thread. Codex before 0.120 does this for \
             unknown ids; it was stopped at once."
                .into()
        }
        FailureKind::ContextFull { .. } => {
            "call codex to start a new thread with a summary of what matters; this thread cannot \
             continue. If it was new, the prompt is too long: put the material into files and name them."
                .into()
        }
        FailureKind::SchemaRefused { .. } | FailureKind::PictureRefused { .. } => {
            "call codex to start a new thread; this one cannot continue with this model.".into()
        }
        FailureKind::TurnFailed { .. } => {
            format!("{resume}. If it fails again, try another model or a new thread.")
        }
        FailureKind::TimedOut { started: false, .. } => {
            format!("{again} later, or ask the operator to raise --timeout. Nothing was started.")
        }
        FailureKind::TimedOut { limit: Limit::Total(_), .. } => {
            format!("nothing is lost: {resume}, or ask the operator to raise --timeout.")
        }
        FailureKind::TimedOut { limit: Limit::Idle(_), .. } => {
            format!("nothing is lost: {resume}, or ask the operator to raise --idle-timeout.")
        }
        FailureKind::Cancelled { by: CancelledBy::Caller } => format!("nothing is lost: {resume}."),
        FailureKind::Cancelled { by: CancelledBy::Shutdown } => {
            format!("nothing is lost: when the server runs again, {resume}.")
        }
        FailureKind::NotRecorded { .. } => {
            format!("ask the user to free space on the disk, then {resume}.")
        }
        FailureKind::NoResult { .. } => format!(
            "{resume}. If it happens again, run `codex exec hello` in a terminal to see what is wrong \
             with Codex, or start a new thread."
        ),
        FailureKind::TooManyCalls { .. } => {
            format!("wait for calls to end, then {again}. Nothing was started.")
        }
        FailureKind::Internal { .. } => {
            format!("{resume}. Please report this bug; the server's log has details.")
        }
    }
}

/// The sandbox that the operator would have to allow: the one that the problem starts with, if it was requested by
/// name. Settings that could bypass a sandbox need full access.
fn needed_sandbox(problem: &str) -> Sandbox {
    let first = problem.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or(Sandbox::DangerFullAccess)
}
