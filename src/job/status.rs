//! Where a job is in its life, and why its turns came to nothing.

use serde::{Deserialize, Serialize};

use crate::model::outcome::FailureKind;
use crate::model::value::InvalidValue;
use crate::turn::advice::{self, Ways};

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
    /// One of the words of [`FailureKind::word`](crate::FailureKind::word), or `interrupted`.
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

/// How a job is gone on with.
const WAYS: Ways<'_> = Ways {
    again: "reply to the job (job_reply)",
    resume: "reply to the job (job_reply) to go on from where it stopped",
};

impl JobError {
    /// What a turn of the job ended with.
    pub(crate) fn of(kind: &FailureKind) -> Self {
        Self {
            kind: kind.word().into(),
            message: kind.to_string(),
            next: advice::next(kind, WAYS),
            partial_reply: None,
        }
    }

    /// The job's process is gone or leaving, or something more urgent came.
    pub(crate) fn interrupted(message: &str) -> Self {
        Self {
            kind: Status::Interrupted.as_str().into(),
            message: message.into(),
            next: format!("nothing is lost: {}, or resume its session by hand.", WAYS.resume),
            partial_reply: None,
        }
    }

    /// The same happened to the job before the turn of a prompt had begun.
    pub(crate) fn not_begun(why: &str) -> Self {
        Self {
            kind: Status::Interrupted.as_str().into(),
            message: format!("this prompt was not begun: {why}"),
            next: "Codex never saw it: send it again with job_reply.".into(),
            partial_reply: None,
        }
    }
}
