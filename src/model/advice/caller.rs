//! Advice for callers of tools and readers of job records, who are models.

use std::io::ErrorKind;

use super::Cause;
use crate::model::outcome::{CancelledBy, FailureKind, Limit};
use crate::model::policy::MAX_DEPTH;

/// The remedy that applies to every problem with the jobs' folder.
const SET_FOLDER: &str = "set CODEX_PERSISTENT_MCP_STATE_DIR to another folder";

/// The remedy if the system cannot start processes.
const RAISE_LIMITS: &str = "If it keeps failing, ask the user to raise this server's limits (open \
                            files, processes, memory).";

/// How the reader repeats a call, or does without it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways<'a> {
    /// From the start: `call codex_chat again`.
    pub(super) again: &'a str,
    /// From where the turn stopped: `call codex_chat again with this session_id …`.
    pub(super) resume: &'a str,
    /// What works without the jobs' folder, as a sentence.
    pub(super) without_jobs: &'a str,
    /// The tools for jobs that the reader knows.
    pub(super) jobs: JobTools,
}

/// Tools for jobs, by what they do.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobTools {
    list: &'static str,
    wait: &'static str,
    cancel: &'static str,
    send: &'static str,
}

impl JobTools {
    /// The tools that are listed together with this one.
    pub(super) fn beside(tool: &str) -> Self {
        match tool.starts_with("job_") {
            true => {
                Self { list: "job_list", wait: "job_wait", cancel: "job_cancel", send: "job_reply" }
            }
            false => Self {
                list: "codex_jobs",
                wait: "codex_job_wait",
                cancel: "codex_job_send",
                send: "codex_job_send",
            },
        }
    }
}

/// What to do next, as sentences.
pub(super) fn advice(cause: Cause<'_>, ways: Ways<'_>) -> String {
    let Ways { again, resume, without_jobs, jobs } = ways;
    let JobTools { list, wait, cancel, send } = jobs;
    match cause {
        Cause::Failure(kind) => of_failure(kind, ways),
        Cause::JobNotFound => format!(
            "check the job_id; {list} lists the jobs. Ended jobs are removed after a while, but \
             codex_chat can still resume their sessions."
        ),
        Cause::SessionNotKept => {
            "start a new job without --ephemeral in extra_arguments, and repeat the context it needs. \
             This session cannot be resumed."
                .into()
        }
        Cause::TooManyJobs => {
            format!("wait for jobs to end with {wait}, or cancel some with {cancel}.")
        }
        Cause::TooManyPrompts => {
            format!("wait for turns of the job to end with {wait}, or cancel it with {cancel}.")
        }
        Cause::NoJobsFolder => format!("ask the user to {SET_FOLDER}. {without_jobs}"),
        Cause::JobsFolderUnusable(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            format!("ask the user to free disk space there or {SET_FOLDER}. {without_jobs}")
        }
        Cause::JobsFolderUnusable(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            format!("ask the user to make the folder writable or {SET_FOLDER}. {without_jobs}")
        }
        Cause::JobsFolderUnusable(_) => {
            format!("{again}; if it fails again, ask the user to {SET_FOLDER}. {without_jobs}")
        }
        Cause::JobsDiskHangs => {
            format!("{again} once the disk answers, or ask the user to {SET_FOLDER}. {without_jobs}")
        }
        Cause::JobsOutcomeUnknown => {
            format!("check with {list}, once it answers, before you {again}.")
        }
        Cause::RunnerNotStarted => {
            format!("{again} when fewer programs run on this machine. {without_jobs} {RAISE_LIMITS}")
        }
        Cause::Interrupted => {
            format!("nothing is lost: {resume}, or resume its session in a terminal.")
        }
        Cause::NotStarted => format!("send it again with {send}; Codex never received it."),
    }
}

fn of_failure(kind: &FailureKind, Ways { again, resume, .. }: Ways<'_>) -> String {
    match kind {
        FailureKind::BadInput { field, .. } => {
            format!("correct {field} and {again}. Nothing was started.")
        }
        FailureKind::NotAllowed { setting: MAX_DEPTH, .. } => {
            "answer without this tool, or ask the operator to allow deeper nesting. Nothing was started."
                .into()
        }
        FailureKind::NotAllowed { field, .. } => {
            format!("use another {field}, or ask the operator to allow it. Nothing was started.")
        }
        FailureKind::NeedsNewerCodex { only_with, .. } if !only_with.is_empty() => {
            "ask the user to update Codex (npm install -g @openai/codex), or avoid the condition that \
             requires it. Nothing was started."
                .into()
        }
        FailureKind::NeedsNewerCodex { field, .. } => format!(
            "{again} without {field}, or ask the user to update Codex (npm install -g @openai/codex). \
             Nothing was started."
        ),
        FailureKind::LooserThanAllowed { .. } => {
            "tell the operator that Codex's own configuration grants more than this server allows. Do \
             not continue until that is fixed. What Codex did is in the session."
                .into()
        }
        FailureKind::LooserThanAsked { .. } => {
            "tell the operator that the configuration of Codex or of this machine grants turns more \
             than they request. Do not continue until that is fixed. What Codex did is in the session."
                .into()
        }
        FailureKind::CodexNotFound { .. } => {
            "install Codex (npm install -g @openai/codex), or ask the operator to set CODEX_BIN. \
             Nothing was started."
                .into()
        }
        FailureKind::CannotStart { .. } => format!(
            "{again} when fewer programs run on this machine, or with fewer and shorter options if the \
             argument list is too long. {RAISE_LIMITS} Nothing was started."
        ),
        FailureKind::Storage { .. } => format!(
            "ask the user to free disk space, make the folder writable, or {SET_FOLDER}. codex_chat \
             works without it, unless it has output_schema, base_instructions or compact_prompt. \
             Nothing was started."
        ),
        FailureKind::ConfigNotLoaded { .. } => format!(
            "ask the user to fix the setting it names in Codex's config.toml or profile; or, if this \
             call set it (config, profile, extra_arguments), {again} without it. The model was not \
             called."
        ),
        FailureKind::McpServerFailed { .. } => format!(
            "ask the user to fix that server, remove `required` from it in Codex's config.toml, or \
             exclude it with --nested-mcp none (or the names of the servers to keep). Then {again}. \
             The model was not called."
        ),
        FailureKind::CodexHomeUnusable { .. } => format!(
            "ask the user to make that folder and everything in it writable for this server, free \
             space on its disk, or set CODEX_HOME to another folder. Then {again}. The model was not \
             called."
        ),
        FailureKind::RefreshTokenUsed { .. } => format!(
            "{resume}; other calls with the same login still work. Ask the user to run `codex login` \
             only if it fails again."
        ),
        FailureKind::ContextFull { .. } => format!(
            "start a new session ({again} without session_id) with a summary of what matters; neither \
             this session nor a fork of it can continue. If it was new, the prompt is too long: put \
             the material into files and name them."
        ),
        FailureKind::SchemaRefused { .. } => format!(
            "correct output_schema as the message says and {again}. A guard has a fixed schema: if the \
             model rejects that, use another model."
        ),
        FailureKind::PictureRefused { .. } => format!(
            "start a new session ({again} without session_id), without that image or with another \
             model. The image stays in this session, which cannot continue with this model."
        ),
        FailureKind::NotLoggedIn { .. } => format!(
            "ask the user to run `codex login` or to give Codex its API key; some clients do not pass \
             CODEX_HOME or OPENAI_API_KEY to their servers. Then {resume}."
        ),
        FailureKind::UsageLimit { .. } => {
            format!("do not retry at once. When the limit is lifted, {resume}.")
        }
        FailureKind::SessionNotFound { .. } => format!(
            "check the session_id, and whether the session was created with another CODEX_HOME than \
             this server's. To start a new session, {again} without session_id."
        ),
        FailureKind::SessionBusy { .. } => format!(
            "wait until the session is free and {again}; or use fork to continue in a copy, or omit session_id to start a new session. Newer versions of Codex keep a \
             session open for half an hour after a user leaves it, unless config.toml sets \
             thread_unload_delay_secs."
        ),
        FailureKind::AnotherSession { .. } => format!(
            "check the session_id, or {again} without it to start a new session. Codex before 0.120 \
             does this for unknown ids; it was stopped at once."
        ),
        FailureKind::TurnFailed { .. } => {
            format!("{resume}. If it fails again, try another model or a new session.")
        }
        FailureKind::TimedOut { started: false, .. } => {
            format!("{again} later, or with a larger timeout_ms.")
        }
        FailureKind::TimedOut { limit: Limit::Total(_), .. } => {
            format!("nothing is lost: {resume}, with a larger timeout_ms for long work.")
        }
        FailureKind::TimedOut { limit: Limit::Idle(_), .. } => format!(
            "nothing is lost: {resume}, with a larger idle_timeout_ms if the model needs time to think."
        ),
        FailureKind::Cancelled { by: CancelledBy::Caller } => format!("nothing is lost: {resume}."),
        FailureKind::Cancelled { by: CancelledBy::Shutdown } => {
            format!("nothing is lost: when the server runs again, {resume}.")
        }
        FailureKind::NotRecorded { .. } => format!(
            "ask the user to free space on the disk with the server's state folder, then {resume}."
        ),
        FailureKind::NoResult { .. } => format!(
            "{resume}. If it happens again, run `codex exec hello` in a terminal to see what is wrong \
             with Codex, or start a new session."
        ),
        FailureKind::TooManyCalls { .. } => {
            format!("wait for calls to end, then {again}. Nothing was started.")
        }
        FailureKind::Internal { .. } => {
            format!("{resume}. Please report this bug; the server's log has details.")
        }
    }
}
