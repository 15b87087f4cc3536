//! What to do about an error, for each reader: the only place with such texts. Pure.
//!
//! A new kind of error needs advice for callers ([`caller`], and [`compat`] for Codex's own tools), for callers of session
//! tools, and for users ([`user`]). No match here has a catch-all arm.

mod caller;
mod compat;
mod user;

use std::io;

use super::error_code::ErrorCode;
use super::outcome::FailureKind;
use super::session_id::SessionId;
use caller::{JobTools, Ways};

/// What went wrong, as far as advice depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause<'a> {
    /// A call was refused, or its turn was not completed.
    Failure(&'a FailureKind),
    JobNotFound,
    /// Codex keeps no record of the job's session.
    SessionNotKept,
    TooManyJobs,
    TooManyPrompts,
    NoJobsFolder,
    JobsFolderUnusable(io::ErrorKind),
    /// The disk with the jobs does not respond, and nothing was done.
    JobsDiskHangs,
    /// The disk with the jobs does not respond, and it is unknown whether the work was done.
    JobsOutcomeUnknown,
    /// The process that would run the job could not be started.
    RunnerNotStarted,
    /// The job's process is gone, or its turn was stopped for something more urgent.
    Interrupted,
    /// The same, before the turn of a prompt started.
    NotStarted,
}

impl Cause<'_> {
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::Failure(kind) => kind.error_code(),
            Self::JobNotFound => ErrorCode::JobNotFound,
            Self::SessionNotKept => ErrorCode::SessionNotKept,
            Self::TooManyJobs => ErrorCode::TooManyJobs,
            Self::TooManyPrompts => ErrorCode::TooManyPrompts,
            Self::NoJobsFolder
            | Self::JobsFolderUnusable(_)
            | Self::JobsDiskHangs
            | Self::JobsOutcomeUnknown => ErrorCode::Storage,
            Self::RunnerNotStarted => ErrorCode::CannotStart,
            Self::Interrupted | Self::NotStarted => ErrorCode::Interrupted,
        }
    }

    /// Whether message or advice already say what was not done.
    fn says_what_was_done(self) -> bool {
        matches!(self, Self::Failure(_) | Self::JobsOutcomeUnknown)
    }
}

/// Who reads an error.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reader<'a> {
    /// The caller of a tool that runs a turn.
    TurnTool { tool: &'a str, has_session: bool },
    /// The caller of `codex` or `codex-reply`. `has_thread`: the error names a thread that can be continued.
    CompatTool { tool: &'a str, has_thread: bool },
    /// The caller of a tool for jobs. `not_done` is a sentence that says what did not happen, or empty.
    JobTool { tool: &'a str, not_done: &'a str },
    /// The caller of a tool that reads Codex's sessions.
    SessionTool { tool: &'a str },
    /// The reader of a job's record, through any tool.
    JobRecord,
    /// The user at the command line, with the session to continue.
    User { session: Option<SessionId> },
}

/// What works without the jobs' folder and processes.
const CHAT: &str = "codex_chat works without it.";
const CHAT_WITHOUT_JOBS: &str = "Without background codex_chat works without it; if the client runs \
                                 calls as tasks, the operator can turn those off (--tasks false).";

/// What to do next: sentences for callers, a clause for users.
pub(crate) fn advice_for(cause: Cause<'_>, reader: Reader<'_>) -> String {
    match reader {
        Reader::TurnTool { tool, has_session } => {
            let again = format!("call {tool} again");
            let resume = match has_session {
                true => format!("{again} with this session_id to continue from where it stopped"),
                false => again.clone(),
            };
            let jobs = JobTools::beside(tool);
            caller::advice(cause, Ways { again: &again, resume: &resume, without_jobs: CHAT, jobs })
        }
        Reader::CompatTool { tool, has_thread } => match cause {
            Cause::Failure(kind) => compat::advice(kind, tool, has_thread),
            // These tools start no jobs.
            Cause::JobNotFound
            | Cause::SessionNotKept
            | Cause::TooManyJobs
            | Cause::TooManyPrompts
            | Cause::NoJobsFolder
            | Cause::JobsFolderUnusable(_)
            | Cause::JobsDiskHangs
            | Cause::JobsOutcomeUnknown
            | Cause::RunnerNotStarted
            | Cause::Interrupted
            | Cause::NotStarted => format!("call {tool} again."),
        },
        Reader::JobTool { tool, not_done } => {
            let again = format!("call {tool} again");
            // A call to codex_chat may be a job, too.
            let without_jobs = if tool == "codex_chat" { CHAT_WITHOUT_JOBS } else { CHAT };
            let jobs = JobTools::beside(tool);
            let ways = Ways { again: &again, resume: &again, without_jobs, jobs };
            let advice = caller::advice(cause, ways);
            match not_done {
                "" => advice,
                _ if cause.says_what_was_done() => advice,
                _ => format!("{advice} {not_done}"),
            }
        }
        Reader::SessionTool { tool } => for_session_tool(cause, tool),
        Reader::JobRecord => caller::advice(
            cause,
            Ways {
                again: "send the job its prompt again",
                resume: "send the job another prompt to continue from where it stopped",
                without_jobs: CHAT,
                jobs: JobTools::beside(""),
            },
        ),
        Reader::User { session } => user::advice(Some(cause.code()), session),
    }
}

/// The advice for a user about a recorded error, of which only the code is left. `None` is a code that this
/// version does not know.
pub(crate) fn advice_for_code(code: Option<ErrorCode>, session: Option<SessionId>) -> String {
    user::advice(code, session)
}

fn for_session_tool(cause: Cause<'_>, tool: &str) -> String {
    match cause {
        Cause::Failure(FailureKind::BadInput { field, .. }) => {
            format!("correct {field} and call {tool} again.")
        }
        Cause::Failure(FailureKind::NotAllowed { field, .. }) => format!(
            "use another {field}, or ask the operator to allow it; codex_sessions lists the \
             sessions that can be read."
        ),
        Cause::Failure(FailureKind::SessionNotFound { .. }) => {
            "check the session_id; codex_sessions lists all sessions in this server's CODEX_HOME."
                .into()
        }
        // Session tools have almost none of these.
        Cause::Failure(
            FailureKind::LooserThanAllowed { .. }
            | FailureKind::LooserThanAsked { .. }
            | FailureKind::NeedsNewerCodex { .. }
            | FailureKind::CodexNotFound { .. }
            | FailureKind::CannotStart { .. }
            | FailureKind::Storage { .. }
            | FailureKind::ConfigNotLoaded { .. }
            | FailureKind::McpServerFailed { .. }
            | FailureKind::CodexHomeUnusable { .. }
            | FailureKind::NotLoggedIn { .. }
            | FailureKind::RefreshTokenUsed { .. }
            | FailureKind::UsageLimit { .. }
            | FailureKind::SessionBusy { .. }
            | FailureKind::AnotherSession { .. }
            | FailureKind::ContextFull { .. }
            | FailureKind::SchemaRefused { .. }
            | FailureKind::PictureRefused { .. }
            | FailureKind::TurnFailed { .. }
            | FailureKind::TimedOut { .. }
            | FailureKind::Cancelled { .. }
            | FailureKind::NotRecorded { .. }
            | FailureKind::NoResult { .. }
            | FailureKind::TooManyCalls { .. }
            | FailureKind::Internal { .. },
        )
        | Cause::JobNotFound
        | Cause::SessionNotKept
        | Cause::TooManyJobs
        | Cause::TooManyPrompts
        | Cause::NoJobsFolder
        | Cause::JobsFolderUnusable(_)
        | Cause::JobsDiskHangs
        | Cause::JobsOutcomeUnknown
        | Cause::RunnerNotStarted
        | Cause::Interrupted
        | Cause::NotStarted => format!("call {tool} again."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_tools_that_are_listed_beside_the_called_one() {
        let advice = |tool| {
            let reader = Reader::JobTool { tool, not_done: "" };
            [Cause::JobNotFound, Cause::TooManyJobs, Cause::TooManyPrompts, Cause::NotStarted]
                .map(|cause| advice_for(cause, reader))
                .join(" ")
        };
        let agents = advice("codex_job_send");
        for name in ["codex_jobs", "codex_job_wait", "codex_job_send"] {
            assert!(agents.contains(name), "{agents}");
        }
        let of_async = advice("job_reply");
        for name in [" job_list", " job_wait", " job_cancel", " job_reply"] {
            assert!(!agents.contains(name), "{agents}");
            assert!(of_async.contains(name), "{of_async}");
        }
    }
}
