//! The answer to a call that has none: text alone, since that is what clients show of an error.
//!
//! It says what happened and what to do next, and is complete in itself.

use std::io::ErrorKind;

use rmcp::model::{CallToolResult, ContentBlock};

use super::reply::shortened;
use crate::job::Problem;
use crate::model::outcome::{Failure, FailureKind};
use crate::model::text::{LineBreaks, escape_controls, sanitize};
use crate::turn::advice::{self, Ways};

/// The most of a partial reply that an error carries: Claude Code cuts errors at 10,000 characters.
const MAX_PARTIAL_CHARS: usize = 6_000;

/// What helps whenever the jobs' folder cannot be used.
const OTHER_FOLDER: &str = "a person must name another folder by CODEX_PERSISTENT_MCP_STATE_DIR. \
                            codex_chat works without it";

/// Which errors the calls of a tool have, and how they are explained.
#[derive(Debug, Clone, Copy)]
pub(super) enum Family {
    Turn,
    /// Jobs, with what a call says when it did not do what it should.
    Job {
        not_done: &'static str,
    },
    Session,
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Error {
    /// A call was refused, or its turn was not completed.
    Failure(Box<Failure>),
    /// Something cannot be done with jobs.
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
        let text = match (self, family) {
            (Self::Failure(failure), Family::Turn) => failed(tool, failure),
            (Self::Failure(failure), Family::Session) => of_session_tool(tool, &failure.kind),
            (Self::Failure(failure), Family::Job { .. }) => refused(tool, &failure.kind),
            (Self::Jobs(problem), Family::Job { not_done }) => of_job_tool(tool, not_done, problem),
            (Self::Jobs(problem), Family::Turn | Family::Session) => of_job_tool(tool, "", problem),
        };
        CallToolResult::error(vec![ContentBlock::text(text)])
    }
}

/// The answer to a call that met a defect of this program.
pub(crate) fn internal(tool: &str, message: &str) -> CallToolResult {
    Error::from(FailureKind::Internal { message: message.into() }).result(tool, Family::Turn)
}

fn refused(name: &str, kind: &FailureKind) -> String {
    let again = format!("call {name} again");
    let next = advice::next(kind, Ways { again: &again, resume: &again });
    format!("{}: {kind}.\n\nNext: {next}\n", kind.word())
}

fn of_job_tool(name: &str, not_done: &str, problem: &Problem) -> String {
    let (word, next) = match problem {
        Problem::Refused(kind) => return refused(name, kind),
        Problem::NotFound(_) => (
            "job_not_found",
            "check the job_id; job_list has all jobs. Ended jobs are removed after a time; the \
             session of one is still there, and codex_chat goes on in it."
                .into(),
        ),
        Problem::NotKept(_) => (
            "session_not_kept",
            "nothing can go on in it: start a new job without --ephemeral in extra_arguments, and \
             tell it what it has to know."
                .into(),
        ),
        Problem::TooMany => (
            "too_many_jobs",
            "wait for jobs to end with job_wait, or stop some with job_cancel.".into(),
        ),
        Problem::TooManyPrompts => (
            "too_many_prompts",
            "wait for turns of the job to end with job_wait, or stop it with job_cancel.".into(),
        ),
        Problem::NoStateDir => ("storage", format!("{OTHER_FOLDER}.")),
        Problem::Storage { source, .. } => {
            let cure = match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    "a person must make room there, or else "
                }
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    "a person must make the folder writable, or else "
                }
                _ => "call it again; if that does not help, ",
            };
            ("storage", format!("{cure}{OTHER_FOLDER}."))
        }
        Problem::NoAnswer => {
            ("storage", format!("call {name} again when it does, or else {OTHER_FOLDER}."))
        }
        Problem::Unsure => (
            "storage",
            format!("look with job_list, when it answers, before you call {name} again."),
        ),
        Problem::NotStarted(_) => (
            "cannot_start",
            format!(
                "call {name} again when fewer programs run on this machine, or codex_chat. If it \
                 goes on, a person must raise the limits of this server (open files, processes, \
                 memory)."
            ),
        ),
    };
    let message = problem.to_string();
    let nothing = match problem {
        Problem::Unsure => "",
        _ => not_done,
    };
    let nothing = if nothing.is_empty() { String::new() } else { format!(" {nothing}") };
    format!("{word}: {message}.\n\nNext: {next}{nothing}\n")
}

fn of_session_tool(name: &str, trouble: &FailureKind) -> String {
    let next = match trouble {
        FailureKind::BadInput { field, .. } => {
            format!("correct {field} and call {name} again.")
        }
        FailureKind::SessionNotFound { .. } => {
            "check the session_id; codex_sessions has all sessions. They are looked for in \
             CODEX_HOME, so one made with another CODEX_HOME is not found."
                .into()
        }
        FailureKind::NotAllowed { field, .. } => format!(
            "ask with another {field}, or have the person who runs this server allow it; \
             codex_sessions has the sessions that can be read."
        ),
        _ => format!("call {name} again."),
    };
    format!("{}: {trouble}.\n\nNext: {next}\n", trouble.word())
}

/// The answer of the tool of this name, whose turn was not completed, or did not begin.
fn failed(tool: &str, failure: &Failure) -> String {
    let Failure { kind, session_id, partial_reply, working_dir, warnings } = failure;
    let mut text =
        format!("{}: {}.\n\nNext: {}\n", kind.word(), sentence(kind), next(tool, failure));
    if let Some(session) = session_id {
        text += &format!("\nsession_id: {session}\nresume_command: {}\n", session.resume_command());
        if let Some(working_dir) = working_dir {
            text += &format!("cwd: {}\n", sanitize(working_dir.display(), LineBreaks::Escape));
        }
    }
    for warning in warnings {
        text += &format!("\nWarning: {warning}\n");
    }
    if let Some(partial) = partial_reply {
        text += &said_before(partial);
    }
    text
}

/// What Codex had said before it went wrong, as an error has it.
pub(super) fn said_before(partial: &str) -> String {
    let (partial, _) = shortened(partial.to_owned(), MAX_PARTIAL_CHARS);
    format!("\nWhat Codex had said before:\n{}\n", escape_controls(&partial, LineBreaks::Keep))
}

fn sentence(kind: &FailureKind) -> String {
    let text = kind.to_string();
    let text = text.trim_end_matches('.');
    match text.chars().next() {
        // A field's name stays as it is written.
        Some(first) if !starts_with_a_field(kind) => {
            first.to_uppercase().collect::<String>() + &text[first.len_utf8()..]
        }
        _ => text.to_owned(),
    }
}

fn starts_with_a_field(kind: &FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::BadInput { .. }
            | FailureKind::NotAllowed { .. }
            | FailureKind::NeedsNewerCodex { .. }
            | FailureKind::CannotStart { .. }
    )
}

/// What the caller can do about it.
fn next(tool: &str, failure: &Failure) -> String {
    let again = format!("call {tool} again");
    let resume = match failure.session_id {
        Some(_) => format!("{again} with this session_id to go on from where it stopped"),
        None => again.clone(),
    };
    advice::next(&failure.kind, Ways { again: &again, resume: &resume })
}
