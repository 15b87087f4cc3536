//! A job as the task that it is for an MCP client: only its first turn counts.

use super::jobs::Jobs;
use super::log::LogReader;
use super::problem::{Result, storage};
use super::record::{JobEvent, Line};
use super::state::{State, TakenPrompt};
use super::status::Status;
use crate::model::job_id::JobId;

impl Jobs {
    /// The state of a job up to the end of its first turn. It does not change any more after that,
    /// just as a task never comes back to life.
    pub(crate) fn first_turn_state(&self, job: JobId) -> Result<State> {
        let mut state = self.state(job)?;
        let Some(end) = state.first_end else { return Ok(state) };
        if state.status.has_ended() && state.to_announce == end {
            return Ok(state);
        }
        let store = self.store()?;
        let storage = |error| storage(store, error);
        let log = LogReader::after(&store.folder(job).log(), end - 1).map_err(storage)?;
        let Some(mut log) = log else { return Ok(state) };
        let Some((_, line)) = log.next_line().map_err(storage)? else { return Ok(state) };
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| storage(error.into()))?;
        let Some(event) = &line.job else { return Ok(state) };
        // The results of later turns do not belong to the task.
        (state.result, state.output, state.effective) = (None, None, None);
        (state.error, state.usage) = (None, None);
        state.current_prompt = match event {
            JobEvent::Ended { prompt: Some(id), .. } if line.turn > 0 => {
                Some(TakenPrompt { id: *id, text: String::new() })
            }
            _ => None,
        };
        state.warnings.clear();
        state.apply(end, line.at(), event);
        state.status = match event {
            JobEvent::Ended { status, .. } => *status,
            _ => Status::Interrupted,
        };
        Ok(state)
    }

    /// Stops a job, unless its first turn has ended.
    pub(crate) fn cancel_first_turn(&self, job: JobId) -> Result<State> {
        let state = self.first_turn_state(job)?;
        if state.status.has_ended() { Ok(state) } else { self.cancel(job) }
    }
}
