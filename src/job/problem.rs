//! Why something cannot be done with jobs.

use std::io;
use std::path::PathBuf;

use super::store::Store;
use super::{MAX_UNFINISHED, MAX_WAITING};
use crate::model::advice::Cause;
use crate::model::job_id::JobId;
use crate::model::outcome::FailureKind;
use crate::model::text::excerpt;

/// Why something cannot be done with jobs. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// [`Settings::state_dir`](crate::Settings::state_dir) is not set.
    #[error("there is no folder for jobs: neither a home directory nor a state folder is set")]
    NoStateDir,
    /// There is no such job, or it was removed.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// The request is invalid or not allowed, or its turn would be refused.
    #[error("{0}")]
    Refused(Box<FailureKind>),
    /// Too many jobs have not ended.
    #[error("{MAX_UNFINISHED} jobs are waiting and running, which is the limit")]
    TooMany,
    /// Codex keeps no record of the job's session, so nothing can continue it.
    #[error("job {0} was started with --ephemeral, so Codex keeps no record of its session")]
    SessionNotRecorded(JobId),
    /// Too many prompts of the job wait.
    #[error("{MAX_WAITING} prompts of this job are waiting, which is the limit")]
    TooManyPrompts,
    /// The folder cannot be read or written.
    #[error("the jobs folder {} cannot be used: {source}", excerpt(.path.display()))]
    Storage {
        /// The state folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The program that would run the job cannot be started.
    #[error("the job's process cannot be started: {}", excerpt(.0))]
    NotStarted(io::Error),
    /// The disk did not respond within 30 s, and nothing was done.
    #[error("the disk with the jobs does not respond")]
    NoAnswer,
    /// The disk did not respond within 30 s, and the request may still take effect.
    #[error("the disk with the jobs does not respond, but the request may still take effect")]
    Unsure,
}

impl Problem {
    /// The code: one of a fixed vocabulary, for programs and for searching. It is that of
    /// [`FailureKind::code`] if the request was refused.
    pub fn code(&self) -> &'static str {
        self.cause().code().as_str()
    }

    /// What advice depends on.
    pub(crate) fn cause(&self) -> Cause<'_> {
        match self {
            Self::Refused(kind) => Cause::Failure(kind),
            Self::NotFound(_) => Cause::JobNotFound,
            Self::SessionNotRecorded(_) => Cause::SessionNotKept,
            Self::TooMany => Cause::TooManyJobs,
            Self::TooManyPrompts => Cause::TooManyPrompts,
            Self::NoStateDir => Cause::NoJobsFolder,
            Self::Storage { source, .. } => Cause::JobsFolderUnusable(source.kind()),
            Self::NoAnswer => Cause::JobsDiskHangs,
            Self::Unsure => Cause::JobsOutcomeUnknown,
            Self::NotStarted(_) => Cause::RunnerNotStarted,
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, Problem>;

impl From<FailureKind> for Problem {
    fn from(kind: FailureKind) -> Self {
        Self::Refused(Box::new(kind))
    }
}

pub(super) fn storage(store: &Store, source: io::Error) -> Problem {
    Problem::Storage { path: store.state_dir().to_owned(), source }
}
