//! Stopping a job.

use super::jobs::Jobs;
use super::problem::{Problem, Result, storage};
use super::process::ProcessId;
use super::state::State;
use crate::model::job_id::JobId;

impl Jobs {
    /// Requests that a job stops, unless it has ended. [`Jobs::state`] shows when it has.
    pub(crate) fn cancel(&self, job: JobId) -> Result<State> {
        let state = self.state(job)?;
        let store = self.store()?;
        if state.status.has_ended() {
            return Ok(state);
        }
        let folder = store.folder(job);
        if let Err(error) = folder.request_cancel() {
            if !folder.path().is_dir() {
                return Err(Problem::NotFound(job));
            }
            tracing::warn!(%job, %error, "the cancel file cannot be created: signalling the job's process");
            if !state.runner.as_ref().is_some_and(ProcessId::terminate) {
                return Err(storage(store, error));
            }
        }
        // If it has ended in the meantime, no other process clears the request.
        store.clear_cancel_of_ended(&folder);
        Ok(state)
    }
}
