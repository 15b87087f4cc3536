//! Stopping a job.

use super::jobs::Jobs;
use super::problem::{Problem, Result, storage};
use super::process::ProcessId;
use super::state::State;
use crate::model::job_id::JobId;

impl Jobs {
    /// Tells a job to stop, unless it has ended. [`Jobs::look`] tells when it has.
    pub(crate) fn cancel(&self, job: JobId) -> Result<State> {
        let state = self.look(job)?;
        let store = self.store()?;
        if state.status.has_ended() {
            return Ok(state);
        }
        let folder = store.folder(job);
        if let Err(error) = folder.ask_to_stop() {
            if !folder.path().is_dir() {
                return Err(Problem::NotFound(job));
            }
            tracing::warn!(%job, %error, "the job cannot be told by a file to stop: signalling it");
            if !state.runner.as_ref().is_some_and(ProcessId::ask_to_leave) {
                return Err(storage(store, error));
            }
        }
        // It may have ended meanwhile, and then nobody else takes the wish back.
        store.forget_stop_of_ended(&folder);
        Ok(state)
    }
}
