//! Errors as answers. The text is complete in itself: the code, what happened, and what to do next. A client
//! that can take it gets the same as structured content.

use std::path::Path;

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::reply::{changed, shortened};
use crate::job::Problem;
use crate::model::advice::{Cause, Reader, advice_for};
use crate::model::changed_files::ChangedFiles;
use crate::model::outcome::{Failure, FailureKind};
use crate::model::text::{LineBreaks, escape_controls, sanitize};

/// The longest partial reply in an error, in characters: Claude Code cuts errors at 10,000.
pub(super) const MAX_PARTIAL_CHARS: usize = 6_000;

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
        let mut structure = json!({
            "error": { "kind": code, "message": message.trim_end_matches('.'), "next": next },
        });
        if let Self::Failure(failure) = self {
            text += &details(failure, "session_id");
            if let Value::Object(structure) = &mut structure {
                structure.extend(fields(failure));
            }
        }
        let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
        result.structured_content = is_structured.then_some(structure);
        result
    }
}

/// What [`details`] says, as fields.
fn fields(failure: &Failure) -> Map<String, Value> {
    let Failure { session_id, partial_reply, working_dir, files_changed, warnings, .. } = failure;
    let mut fields = Map::new();
    if let Some(session) = session_id {
        fields.insert("session_id".into(), session.to_string().into());
        fields.insert("resume_command".into(), session.resume_command().into());
        let cwd = working_dir.as_ref().map(|dir| dir.to_string_lossy().into());
        fields.extend(cwd.map(|cwd| ("cwd".to_owned(), cwd)));
    }
    if let Some(partial) = partial_reply {
        let (partial, _) = shortened(partial.clone(), MAX_PARTIAL_CHARS);
        fields.insert("partial_reply".into(), partial.into());
    }
    fields.extend(changed(files_changed, working_dir.as_deref(), false));
    if !warnings.is_empty() {
        fields.insert("warnings".into(), warnings.clone().into());
    }
    fields
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

/// The session, warnings and partial reply of a turn that was not completed. `id` is what the tool calls the id of a
/// session.
pub(super) fn details(failure: &Failure, id: &str) -> String {
    let Failure { session_id, partial_reply, working_dir, files_changed, warnings, .. } = failure;
    let mut text = String::new();
    if let Some(session) = session_id {
        text += &format!("\n{id}: {session}\nresume_command: {}\n", session.resume_command());
        if let Some(working_dir) = working_dir {
            text += &format!("cwd: {}\n", sanitize(working_dir.display(), LineBreaks::Escape));
        }
    }
    if !files_changed.is_empty() {
        text += &format!("\nFiles changed: {}\n", listed(files_changed, working_dir.as_deref()));
    }
    for warning in warnings {
        text += &format!("\nWarning: {warning}\n");
    }
    if let Some(partial) = partial_reply {
        text += &partial_reply_text(partial);
    }
    text
}

/// The changed files on one line.
fn listed(files: &ChangedFiles, working_dir: Option<&Path>) -> String {
    let paths = match working_dir {
        Some(dir) => files.relative_to(dir),
        None => files.paths.clone(),
    };
    let names = sanitize(paths.join(", "), LineBreaks::Escape);
    match files.omitted {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// The partial reply as an error shows it.
pub(super) fn partial_reply_text(partial: &str) -> String {
    let (partial, _) = shortened(partial.to_owned(), MAX_PARTIAL_CHARS);
    format!("\nPartial reply:\n{}\n", escape_controls(&partial, LineBreaks::Keep))
}
