//! A job as the library shows it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::job::state::State;
use crate::job::status::{JobError, Status};
use crate::model::job_id::JobId;
use crate::model::session_id::SessionId;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// A job as it was when it was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The name that it was given.
    pub label: Option<String>,
    /// What it is doing, or how its last turn ended.
    pub status: Status,
    /// Its session, as soon as Codex has reported it. Any later turn can resume it, and so can a user with
    /// `codex resume`.
    pub session_id: Option<SessionId>,
    /// The directory of its last turn, as soon as that is decided.
    pub working_dir: Option<PathBuf>,
    /// The start of the last prompt, at most 2,000 characters.
    pub prompt: String,
    /// When it was started.
    pub created_at: SystemTime,
    /// When its first turn started.
    pub started_at: Option<SystemTime>,
    /// When it ended. `None` while it waits or runs.
    pub ended_at: Option<SystemTime>,
    /// The number of turns that have started.
    pub turns: u64,
    /// Codex's last message in the last turn that was completed.
    pub reply: Option<String>,
    /// That reply, parsed, if the request had a schema and the reply is JSON.
    pub output: Option<Value>,
    /// Why the last turn was not completed. `None` if it was, and while a turn runs.
    pub failure: Option<JobFailure>,
    /// Sentences that the caller should read although the last turn was completed.
    pub warnings: Vec<String>,
    /// Tokens of all turns of the job, as far as Codex reported them.
    pub usage: Option<Usage>,
    /// Tokens of its session after the last completed turn.
    pub session_usage: Option<Usage>,
    /// What it does now or did last, in one line.
    pub last_activity: String,
    /// When something happened last.
    pub last_activity_at: SystemTime,
    /// Why the running turn looks stuck, if it does: a step that is repeated again and again, or no event for long.
    pub stuck: Option<String>,
    /// The number of the last entry of its log.
    pub cursor: u64,
}

impl Job {
    pub(super) fn of(state: State) -> Self {
        let stuck = state.activity.stuck(Time::now());
        let warnings = state.warnings.into_iter().chain(state.activity.warning()).collect();
        Self {
            id: state.job_id,
            label: state.label,
            status: state.status,
            session_id: state.session_id,
            working_dir: state.cwd,
            prompt: state.prompt,
            created_at: system_time(state.created_at),
            started_at: state.started_at.map(system_time),
            ended_at: state.ended_at.map(system_time),
            turns: state.turns,
            reply: state.result,
            output: state.output,
            failure: state.error.map(JobFailure::of),
            warnings,
            usage: state.usage,
            session_usage: state.session_usage,
            last_activity: state.activity.last_activity,
            last_activity_at: system_time(state.activity.last_activity_at),
            stuck,
            cursor: state.cursor,
        }
    }
}

/// Why a turn of a job was not completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
#[non_exhaustive]
pub struct JobFailure {
    /// An error code: one of [`FailureKind::code`](crate::FailureKind::code), or `interrupted` if the job's process
    /// is gone or the turn was stopped for the next prompt.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Codex's messages up to then, if there were any.
    pub partial_reply: Option<String>,
}

impl JobFailure {
    pub(super) fn of(error: JobError) -> Self {
        let JobError { kind, message, next: _, partial_reply } = error;
        Self { code: kind, message, partial_reply }
    }
}

pub(super) fn system_time(time: Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(time.0)
}
