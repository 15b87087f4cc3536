//! The status of a job, and why a turn of it was not completed.

use serde::{Deserialize, Serialize};

use crate::model::advice::{Cause, Reader, advice_for};
use crate::model::outcome::FailureKind;
use crate::model::value::InvalidValue;

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for its session or for a place in the queue.
    Queued,
    /// Codex is working.
    Running,
    /// The last turn was completed.
    Completed,
    /// The last turn failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It was stopped by a timeout.
    TimedOut,
    /// The process that ran it is gone, and had not recorded an end.
    Interrupted,
}

impl Status {
    /// All statuses.
    pub(crate) const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// The name of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nothing more happens without a reply.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl std::str::FromStr for Status {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            InvalidValue(format!("must be one of {}", Self::ALL.map(Self::as_str).join(", ")))
        })
    }
}

/// Why a job's turn was not completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// An error code, such as those of [`FailureKind::code`](crate::FailureKind::code).
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What can be done about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// The partial reply of the turn, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_reply: Option<String>,
}

impl JobError {
    /// The error of a turn that ended with `kind`.
    pub(crate) fn of(kind: &FailureKind) -> Self {
        Self::new(Cause::Failure(kind), kind.to_string())
    }

    /// The job's process is gone or exiting, or a more urgent prompt came.
    pub(crate) fn interrupted(message: &str) -> Self {
        Self::new(Cause::Interrupted, message.into())
    }

    /// The same, before the turn of a prompt had started.
    pub(crate) fn not_started(why: &str) -> Self {
        Self::new(Cause::NotStarted, format!("this prompt was not started: {why}"))
    }

    fn new(cause: Cause<'_>, message: String) -> Self {
        Self {
            kind: cause.code().as_str().into(),
            message,
            next: advice_for(cause, Reader::JobRecord),
            partial_reply: None,
        }
    }
}
