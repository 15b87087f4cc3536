//! Why something cannot be done with jobs.

use std::io;
use std::path::PathBuf;

use super::store::Store;
use super::{MAX_UNFINISHED, MAX_WAITING};
use crate::model::job_id::JobId;
use crate::model::outcome::FailureKind;
use crate::model::text::excerpt;

/// Why something cannot be done with jobs. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("there is no folder for jobs: neither a home directory nor a state folder is set")]
    NoStateDir,
    #[error("there is no job {0}")]
    NotFound(JobId),
    #[error("{0}")]
    Refused(Box<FailureKind>),
    #[error("{MAX_UNFINISHED} jobs are waiting and running, which is the limit")]
    TooMany,
    #[error("job {0} was started with --ephemeral, so Codex keeps no record of its session")]
    SessionNotRecorded(JobId),
    #[error("{MAX_WAITING} prompts of this job are waiting, which is the limit")]
    TooManyPrompts,
    #[error("the jobs folder {} cannot be used: {source}", excerpt(.path.display()))]
    Storage { path: PathBuf, source: io::Error },
    #[error("the job's process cannot be started: {}", excerpt(.0))]
    NotStarted(io::Error),
    #[error("the disk with the jobs does not respond")]
    NoAnswer,
    #[error("the disk with the jobs does not respond, but the request may still take effect")]
    Unsure,
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
