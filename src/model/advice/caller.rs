//! Advice for callers of tools and readers of job records, who are models.

use std::io::ErrorKind;

use super::Cause;
use crate::model::outcome::{CancelledBy, FailureKind, Limit};

/// The remedy that applies to every problem with the jobs' folder.
const OTHER_FOLDER: &str = "a person must name another folder by CODEX_PERSISTENT_MCP_STATE_DIR. \
                            codex_chat works without it";

/// How the reader repeats a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways<'a> {
    /// From the start: `call codex_chat again`.
    pub(super) again: &'a str,
    /// From where the turn stopped: `call codex_chat again with this session_id …`.
    pub(super) resume: &'a str,
}

/// What to do next, as sentences.
pub(super) fn advice(cause: Cause<'_>, ways: Ways<'_>) -> String {
    let Ways { again, resume } = ways;
    match cause {
        Cause::Failure(kind) => of_failure(kind, ways),
        Cause::JobNotFound => {
            "check the job_id; job_list has all jobs. Ended jobs are removed after a time; the \
             session of one is still there, and codex_chat goes on in it."
                .into()
        }
        Cause::SessionNotKept => {
            "nothing can go on in it: start a new job without --ephemeral in extra_arguments, and \
             tell it what it has to know."
                .into()
        }
        Cause::TooManyJobs => {
            "wait for jobs to end with job_wait, or stop some with job_cancel.".into()
        }
        Cause::TooManyPrompts => {
            "wait for turns of the job to end with job_wait, or stop it with job_cancel.".into()
        }
        Cause::NoJobsFolder => format!("{OTHER_FOLDER}."),
        Cause::JobsFolderUnusable(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            format!("a person must make room there, or else {OTHER_FOLDER}.")
        }
        Cause::JobsFolderUnusable(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            format!("a person must make the folder writable, or else {OTHER_FOLDER}.")
        }
        Cause::JobsFolderUnusable(_) => {
            format!("call it again; if that does not help, {OTHER_FOLDER}.")
        }
        Cause::JobsDiskHangs => format!("{again} when it does, or else {OTHER_FOLDER}."),
        Cause::JobsOutcomeUnknown => {
            format!("look with job_list, when it answers, before you {again}.")
        }
        Cause::RunnerNotStarted => format!(
            "{again} when fewer programs run on this machine, or codex_chat. If it goes on, a person \
             must raise the limits of this server (open files, processes, memory)."
        ),
        Cause::Interrupted => {
            format!("nothing is lost: {resume}, or resume its session by hand.")
        }
        Cause::NotStarted => "Codex never saw it: send it again with job_reply.".into(),
    }
}

fn of_failure(kind: &FailureKind, Ways { again, resume }: Ways<'_>) -> String {
    match kind {
        FailureKind::BadInput { field, .. } => {
            format!("correct {field} and {again}. Nothing was started.")
        }
        FailureKind::NotAllowed { field, .. } => format!(
            "ask with another {field}, or have the person who runs this server allow it. Nothing \
             was started."
        ),
        FailureKind::NeedsNewerCodex { only_with, .. } if !only_with.is_empty() => {
            "have a person update Codex (npm install -g @openai/codex), or take away what makes it \
             necessary. Nothing was started."
                .into()
        }
        FailureKind::NeedsNewerCodex { field, .. } => format!(
            "{again} without {field}, or have a person update Codex (npm install -g @openai/codex). \
             Nothing was started."
        ),
        FailureKind::LooserThanAllowed { .. } => {
            "tell the person who runs this server: something in Codex's own configuration gives more \
             than they allow. What Codex did is in the session. Do not go on before that is mended."
                .into()
        }
        FailureKind::LooserThanAsked { .. } => {
            "tell the person who runs this server: something in the configuration of Codex or of this \
             machine gives turns more than they ask for. What Codex did is in the session. Do not go on \
             before that is mended."
                .into()
        }
        FailureKind::CodexNotFound { .. } => {
            "install Codex (npm install -g @openai/codex), or have \
             the operator name the program by CODEX_BIN. Nothing was started."
                .into()
        }
        FailureKind::CannotStart { .. } => format!(
            "{again} when fewer programs run on this machine, or with fewer and shorter options if it \
             says that the argument list is too long. If it goes on, a person must raise the limits of \
             this server (open files, processes, memory). Nothing was started."
        ),
        FailureKind::Storage { .. } => {
            "a person must make room there, or the folder writable, or name another one by \
             CODEX_PERSISTENT_MCP_STATE_DIR. codex_chat works without it as long as it has no \
             output_schema, base_instructions or compact_prompt. Nothing was started."
                .into()
        }
        FailureKind::ConfigNotLoaded { .. } => format!(
            "a person must mend what it names in Codex's config.toml or profile; or, if it is a \
             setting of this call (config, profile, extra_arguments), {again} without it. The model \
             was not asked."
        ),
        FailureKind::McpServerFailed { .. } => format!(
            "a person must mend that server, or take `required` from it in Codex's config.toml, or \
             have this server start Codex without it: --nested-mcp none, or the names of those that \
             are wanted. Then {again}. The model was not asked."
        ),
        FailureKind::CodexHomeUnusable { .. } => format!(
            "a person must make that folder, and all in it, writable for whoever runs this server, or \
             make room on its disk, or name another one by CODEX_HOME. Then {again}. The model was not \
             asked."
        ),
        FailureKind::RefreshTokenUsed { .. } => format!(
            "{resume}: other calls with the same login go on. Only if it fails again must a person \
             run `codex login`."
        ),
        FailureKind::ContextFull { .. } => format!(
            "this session cannot go on, and a fork of it neither: begin a new one ({again} without \
             session_id) with a summary of what matters. If it was new, the prompt is too long: put \
             the material into files and name them."
        ),
        FailureKind::SchemaRefused { .. } => format!(
            "correct output_schema as the message says and {again}. A guard has a schema of its own: \
             if one is refused, ask with another model."
        ),
        FailureKind::PictureRefused { .. } => format!(
            "the picture stays in the session, which cannot go on with this model: begin a new one \
             ({again} without session_id), without that picture or with another model."
        ),
        FailureKind::NotLoggedIn { .. } => format!(
            "a person must run `codex login`, or give Codex its API key: some clients do not pass \
             CODEX_HOME or OPENAI_API_KEY on to their servers. Then {resume}."
        ),
        FailureKind::UsageLimit { .. } => {
            format!("do not try again at once. When the limit is lifted, {resume}.")
        }
        FailureKind::SessionNotFound { .. } => format!(
            "check the session_id. Sessions are looked for in CODEX_HOME, so one made with another \
             CODEX_HOME is not found. To begin a new session, {again} without session_id."
        ),
        FailureKind::SessionBusy { .. } => format!(
            "wait until whoever uses the session is done and {again}, or with fork to go on in a copy \
             (codex_chat, job_start), or without session_id to begin anew. Newer versions of Codex keep a \
             session open for half an hour after a person has left it, unless their config.toml has \
             thread_unload_delay_secs."
        ),
        FailureKind::AnotherSession { .. } => format!(
            "Codex was stopped at once. Codex before 0.120 does this when it does not know the \
             session: check the session_id, or {again} without it to begin a new session."
        ),
        FailureKind::TurnFailed { .. } => {
            format!("{resume}. If it fails again, try another model or a new session.")
        }
        FailureKind::TimedOut { started: false, .. } => {
            format!("{again} later, or with a larger timeout_ms.")
        }
        FailureKind::TimedOut { limit: Limit::Total(_), .. } => {
            format!("nothing is lost: {resume}, with a larger timeout_ms if the work is long.")
        }
        FailureKind::TimedOut { limit: Limit::Idle(_), .. } => format!(
            "nothing is lost: {resume}, with a larger idle_timeout_ms if the model needs long to think."
        ),
        FailureKind::Cancelled { by: CancelledBy::Caller } => format!("nothing is lost: {resume}."),
        FailureKind::Cancelled { by: CancelledBy::Shutdown } => {
            format!("nothing is lost: when the server runs again, {resume}.")
        }
        FailureKind::NotRecorded { .. } => {
            format!("make room on the disk that holds the server's state folder, then {resume}.")
        }
        FailureKind::NoResult { .. } => format!(
            "{resume}. If it ends so again, run `codex exec hello` in a terminal to see what is wrong \
             with Codex, or begin a new session."
        ),
        FailureKind::TooManyCalls { .. } => {
            format!("wait for calls to end, then {again}. Nothing was started.")
        }
        FailureKind::Internal { .. } => {
            format!("{resume}. Please report this; the server's log has more.")
        }
    }
}
