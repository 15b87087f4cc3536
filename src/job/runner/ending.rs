//! How a turn of a job ends, as recorded in the job's log. Pure.

use serde_json::json;
use uuid::Uuid;

use crate::job::record::JobEvent;
use crate::job::status::{JobError, Status};
use crate::model::outcome::{Answer, CancelledBy, Class, Failure, FailureKind};

/// Why the turns of a job end that was not cancelled.
pub(super) const TERMINATED: &str = "the job's process was terminated by a signal";

/// Why a turn is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The job was cancelled.
    Cancelled,
    /// The next prompt interrupts it.
    ForReply,
}

pub(super) type Outcome = Result<Answer, Box<Failure>>;

/// Adjusts the end of a prompt whose turn had not started: Codex knows nothing about it.
pub(super) fn not_started(mut event: JobEvent) -> JobEvent {
    if let JobEvent::Ended { status: Status::Interrupted, error, .. } = &mut event {
        *error = Some(JobError::not_started(TERMINATED));
    }
    event
}

/// The event for the end of a turn.
pub(super) fn ending(
    prompt: Option<Uuid>,
    outcome: Outcome,
    stopped: Option<Stopped>,
    more: bool,
) -> JobEvent {
    match outcome {
        Ok(answer) => JobEvent::Ended {
            status: Status::Completed,
            prompt,
            notify: true,
            more,
            session_id: Some(answer.session_id),
            result: Some(answer.reply),
            error: None,
            usage: answer.usage,
            session_usage: answer.session_usage,
            warnings: answer.warnings,
            output: answer.output,
            effective: answer.effective.map(|effective| json!(effective)),
            files_changed: answer.files_changed,
        },
        Err(failure) => {
            let Failure { kind, session_id, partial_reply, warnings, files_changed, .. } = *failure;
            let status = status(&kind, stopped);
            let error = match status {
                Status::Interrupted => JobError::interrupted(match stopped {
                    Some(_) => "the turn was interrupted for the next prompt",
                    None => TERMINATED,
                }),
                _ => JobError::of(&kind),
            };
            JobEvent::Ended {
                status,
                prompt,
                notify: stopped != Some(Stopped::ForReply),
                more,
                session_id,
                result: None,
                error: Some(JobError { partial_reply, ..error }),
                usage: None,
                session_usage: None,
                warnings,
                output: None,
                effective: None,
                files_changed,
            }
        }
    }
}

fn status(kind: &FailureKind, stopped: Option<Stopped>) -> Status {
    match (kind.class(), stopped) {
        (Class::Cancelled(CancelledBy::Shutdown), _)
        | (Class::Cancelled(CancelledBy::Caller), Some(Stopped::ForReply)) => Status::Interrupted,
        (Class::Cancelled(CancelledBy::Caller), _) => Status::Cancelled,
        (Class::TimedOut, _) => Status::TimedOut,
        (Class::Refused | Class::Failed, _) => Status::Failed,
    }
}
