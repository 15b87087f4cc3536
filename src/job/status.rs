//! Where a job is in its life, and why its turns came to nothing.

use serde::{Deserialize, Serialize};

use crate::model::advice::{Cause, Reader, advice_for};
use crate::model::outcome::FailureKind;
use crate::model::value::InvalidValue;

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for its session or for a place.
    Queued,
    /// Codex is at work.
    Running,
    /// Its last turn was completed.
    Completed,
    /// Its last turn failed.
    Failed,
    /// It was stopped because somebody said so.
    Cancelled,
    /// It was stopped because a limit was reached.
    TimedOut,
    /// The process that ran it is gone, and had not said how it ended.
    Interrupted,
}

impl Status {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// The word for it.
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

    /// Whether nothing more happens unless somebody replies.
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
    /// One of the codes of [`FailureKind::code`](crate::FailureKind::code), or `interrupted`.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What can be done about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// What Codex had said before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_reply: Option<String>,
}

impl JobError {
    /// What a turn of the job ended with.
    pub(crate) fn of(kind: &FailureKind) -> Self {
        Self::new(Cause::Failure(kind), kind.to_string())
    }

    /// The job's process is gone or leaving, or something more urgent came.
    pub(crate) fn interrupted(message: &str) -> Self {
        Self::new(Cause::Interrupted, message.into())
    }

    /// The same happened to the job before the turn of a prompt had begun.
    pub(crate) fn not_begun(why: &str) -> Self {
        Self::new(Cause::NotStarted, format!("this prompt was not begun: {why}"))
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
