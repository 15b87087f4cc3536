//! Remembers which jobs have ended for good, so that they are not read again until they change: of
//! thousands of jobs few are running. Can be lost.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::status::Status;
use crate::model::job_id::JobId;

/// How many jobs are remembered before starting over.
const MAX: usize = 100_000;

/// Distinguishes one content of a file that is written whole from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    number: u64,
}

impl Stamp {
    /// `None` if there is no such file.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        let (length, number) = (metadata.len(), number(&metadata));
        Some(Self { modified: metadata.modified().ok(), length, number })
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_metadata: &Metadata) -> u64 {
    0
}

#[derive(Debug, Default)]
pub(super) struct EndedJobs(Mutex<HashMap<JobId, (Stamp, Status)>>);

impl EndedJobs {
    /// The status of a job that has ended for good, if its file is still the same.
    pub(super) fn status(&self, job: JobId, file: &Path) -> Option<Status> {
        let (stamp, status) =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&job).cloned()?;
        (Stamp::of(file)? == stamp).then_some(status)
    }

    pub(super) fn remember(&self, job: JobId, stamp: Option<Stamp>, status: Status) {
        let Some(stamp) = stamp else { return };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX {
            all.clear();
        }
        all.insert(job, (stamp, status));
    }
}
