//! Errors as answers: text only, because that is what clients show of an error. Each is complete in
//! itself: the code, what happened, and what to do next.

use rmcp::model::{CallToolResult, ContentBlock};

use super::reply::shortened;
use crate::job::Problem;
use crate::model::advice::{Cause, Reader, advice_for};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::text::{LineBreaks, escape_controls, sanitize};

/// The longest partial reply in an error, in characters: Claude Code cuts errors at 10,000.
pub(super) const MAX_PARTIAL_CHARS: usize = 6_000;

/// The family of a tool, which decides how its errors are explained.
#[derive(Debug, Clone, Copy)]
pub(super) enum Family {
    Turn,
    /// Jobs. `not_done` says what did not happen if a call fails, or is empty.
    Job {
        not_done: &'static str,
    },
    Session,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Error {
    /// A call was refused, or its turn was not completed.
    Failure(Box<Failure>),
    /// An error of the jobs themselves.
    Jobs(Problem),
}

impl From<FailureKind> for Error {
    fn from(kind: FailureKind) -> Self {
        Self::Failure(Failure::of(kind, None))
    }
}

impl From<Box<Failure>> for Error {
    fn from(failure: Box<Failure>) -> Self {
        Self::Failure(failure)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Refused(kind) => (*kind).into(),
            problem => Self::Jobs(problem),
        }
    }
}

impl Error {
    /// The answer to the call of a tool.
    pub(super) fn result(&self, tool: &str, family: Family) -> CallToolResult {
        let (cause, message, has_session) = match self {
            Self::Failure(failure) => {
                let Failure { kind, session_id, .. } = &**failure;
                (Cause::Failure(kind), kind.to_string(), session_id.is_some())
            }
            Self::Jobs(problem) => (problem.cause(), problem.to_string(), false),
        };
        let reader = match family {
            Family::Turn => Reader::TurnTool { tool, has_session },
            Family::Job { not_done } => Reader::JobTool { tool, not_done },
            Family::Session => Reader::SessionTool { tool },
        };
        let mut text = render(cause.code().as_str(), &message, &advice_for(cause, reader));
        if let Self::Failure(failure) = self {
            text += &details(failure, "session_id");
        }
        CallToolResult::error(vec![ContentBlock::text(text)])
    }
}

/// The answer to a call that hit a bug in this program.
pub(crate) fn internal(tool: &str, message: &str) -> CallToolResult {
    Error::from(FailureKind::Internal { message: message.into() }).result(tool, Family::Turn)
}

/// The format of every error. A message from Codex may end with a full stop of its own.
pub(super) fn render(code: &str, message: &str, advice: &str) -> String {
    let message = message.trim_end_matches('.');
    format!("{code}: {message}.\n\nNext: {advice}\n")
}

/// The session, warnings and partial reply of a turn that was not completed. `id` is what the tool calls the id of a
/// session.
pub(super) fn details(failure: &Failure, id: &str) -> String {
    let Failure { session_id, partial_reply, working_dir, warnings, .. } = failure;
    let mut text = String::new();
    if let Some(session) = session_id {
        text += &format!("\n{id}: {session}\nresume_command: {}\n", session.resume_command());
        if let Some(working_dir) = working_dir {
            text += &format!("cwd: {}\n", sanitize(working_dir.display(), LineBreaks::Escape));
        }
    }
    for warning in warnings {
        text += &format!("\nWarning: {warning}\n");
    }
    if let Some(partial) = partial_reply {
        text += &partial_reply_text(partial);
    }
    text
}

/// The partial reply as an error shows it.
pub(super) fn partial_reply_text(partial: &str) -> String {
    let (partial, _) = shortened(partial.to_owned(), MAX_PARTIAL_CHARS);
    format!("\nPartial reply:\n{}\n", escape_controls(&partial, LineBreaks::Keep))
}
