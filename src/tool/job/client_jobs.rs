//! The jobs of one client, and which of their ends it has been told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::job::JobId;

/// How many jobs of a client are remembered. The oldest are forgotten first, and can still be named.
const MAX_JOBS: usize = 1_000;

/// The jobs that a client started or replied to through this server. A clone shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientJobs(Arc<Mutex<VecDeque<ClientJob>>>);

/// A job, and the last line of its log with an end that the client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientJob {
    pub(super) id: JobId,
    pub(super) known_end: u64,
}

impl ClientJobs {
    /// Adds a job of which the client knows the ends up to this line of the log, or moves it to the newest.
    pub(super) fn add(&self, id: JobId, known_end: u64) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|job| job.id != id);
        if jobs.len() >= MAX_JOBS {
            jobs.pop_front();
        }
        jobs.push_back(ClientJob { id, known_end });
    }

    /// Remembers that the client was told of this end, if the job is one of its own.
    pub(super) fn told(&self, id: JobId, end: u64) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = jobs.iter_mut().find(|job| job.id == id) {
            job.known_end = job.known_end.max(end);
        }
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> Vec<ClientJob> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    pub(super) fn has(&self, id: JobId) -> bool {
        self.all().iter().any(|job| job.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_jobs_are_forgotten_and_an_end_is_told_once() {
        let jobs = ClientJobs::default();
        let first = JobId::new();
        jobs.add(first, 0);
        jobs.told(first, 7);
        jobs.told(first, 3);
        assert_eq!(jobs.all(), [ClientJob { id: first, known_end: 7 }]);
        for _ in 0..MAX_JOBS {
            jobs.add(JobId::new(), 0);
        }
        assert!(!jobs.has(first) && jobs.all().len() == MAX_JOBS);
    }
}
