//! Errors as answers. The text is complete in itself: the code, what happened, and what to do next. A client
//! that can take it gets the same as structured content.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::details::Details;
use super::schema::object;
use crate::job::Problem;
use crate::model::advice::{Cause, Reader, advice_for};
use crate::model::error_code::ErrorCode;
use crate::model::outcome::{Failure, FailureKind};

/// What an error says if no job was started.
pub(super) const NOT_STARTED: &str = "Nothing was started.";

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
    /// The answer to the call of a tool, with structured content if the client takes it.
    pub(super) fn result(&self, tool: &str, family: Family, is_structured: bool) -> CallToolResult {
        let (cause, message, has_session) = match self {
            Self::Failure(failure) => {
                let Failure { kind, session_id, .. } = &**failure;
                (Cause::Failure(kind), kind.to_string(), session_id.is_some())
            }
            Self::Jobs(problem) => (problem.cause(), problem.to_string(), false),
        };
        let reader = match (family, self) {
            // A call that starts a job.
            (Family::Turn, Self::Jobs(_)) => Reader::JobTool { tool, not_done: NOT_STARTED },
            (Family::Turn, _) => Reader::TurnTool { tool, has_session },
            (Family::Job { not_done }, _) => Reader::JobTool { tool, not_done },
            (Family::Session, _) => Reader::SessionTool { tool },
        };
        let (code, next) = (cause.code().as_str(), advice_for(cause, reader));
        let mut text = render(code, &message, &next);
        let mut structure = structure(code, &message, &next);
        if let Self::Failure(failure) = self {
            let details = Details::from(&**failure);
            text += &details.text("session_id");
            structure.extend(details.fields());
        }
        answer(text, is_structured.then_some(structure))
    }
}

/// An error as an answer.
pub(super) fn answer(text: String, structure: Option<Map<String, Value>>) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = structure.map(Value::Object);
    result
}

/// The structured content of every error.
pub(super) fn structure(code: &str, message: &str, advice: &str) -> Map<String, Value> {
    let message = message.trim_end_matches('.');
    let mut error = json!({ "kind": code, "message": message, "next": advice });
    // Not in the text, whose every word costs the caller tokens.
    if let Some(code) = ErrorCode::parse(code) {
        error["help"] = code.help().into();
    }
    object(json!({ "error": error }))
}

/// The answer to a call that hit a bug in this program.
pub(crate) fn internal(tool: &str, message: &str) -> CallToolResult {
    Error::from(FailureKind::Internal { message: message.into() }).result(tool, Family::Turn, false)
}

/// The format of every error. A message from Codex may end with a full stop of its own.
pub(super) fn render(code: &str, message: &str, advice: &str) -> String {
    let message = message.trim_end_matches('.');
    format!("{code}: {message}.\n\nNext: {advice}\n")
}
