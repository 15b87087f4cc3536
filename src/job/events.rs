//! What happened to jobs: the events of one, and the notifications of all.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::jobs::Jobs;
use super::log::last_number;
use super::notifications::Notification;
use super::problem::{Problem, Result, storage};
use super::state::State;
use super::view;
use crate::model::job_id::JobId;
use crate::model::outcome::FailureKind;
use crate::model::value::InvalidValue;

impl Jobs {
    /// A page of a job's events, and its state.
    pub(crate) fn events(&self, job: JobId, query: &view::Query) -> Result<(view::Page, State)> {
        let state = self.state(job)?;
        let store = self.store()?;
        let log = store.folder(job).log();
        let last = last_number(&log).map_err(|error| storage(store, error))?;
        let last = last.max(state.cursor);
        if query.cursor > last {
            let problem = format!(
                "is {}, but the job's last event is {last}; pass a cursor from an earlier answer",
                query.cursor
            );
            return Err(bad_cursor(problem));
        }
        let page = view::page(&store.folder(job), query).map_err(|error| storage(store, error))?;
        Ok((page, state))
    }

    /// The notifications after `cursor` of these jobs, or of all that are `wanted`, and the cursor to
    /// continue from. First finds jobs whose process is gone.
    pub(crate) fn notifications(
        &self,
        cursor: u64,
        jobs: &[JobId],
        wanted: Option<&dyn Fn(&State) -> bool>,
        limit: usize,
    ) -> Result<(Vec<(u64, Notification)>, u64)> {
        let store = self.store()?;
        let storage = |error| storage(store, error);
        if jobs.is_empty() {
            for state in store.states(|status| !status.has_ended()).map_err(storage)? {
                state.map_err(storage)?;
            }
        }
        let mut named = HashSet::new();
        for job in jobs {
            named.insert(self.state(*job)?.job_id);
        }
        let last = self.last_notification()?;
        if cursor > last {
            let problem = format!(
                "is {cursor}, but the last notification is {last}; pass a cursor from an earlier answer"
            );
            return Err(bad_cursor(problem));
        }
        if !jobs.is_empty() {
            let found = store.notifications().after(cursor, |job| named.contains(&job), limit);
            return found.map_err(storage);
        }
        // Where a removed job ran is no longer known, so it is outside of any limited scope.
        let is_limited = self.0.scope.is_limited() || wanted.is_some();
        let inside = RefCell::new(HashMap::new());
        let is_wanted = |job| {
            self.state(job).is_ok_and(|state| wanted.is_none_or(|is_wanted| is_wanted(&state)))
        };
        let is_inside = |job| *inside.borrow_mut().entry(job).or_insert_with(|| is_wanted(job));
        let is_told = |job| !is_limited || is_inside(job);
        store.notifications().after(cursor, is_told, limit).map_err(storage)
    }

    /// The cursor of the last notification of all jobs.
    pub(crate) fn last_notification(&self) -> Result<u64> {
        let store = self.store()?;
        store.notifications().last().map_err(|error| storage(store, error))
    }
}

fn bad_cursor(problem: String) -> Problem {
    let problem = InvalidValue(problem);
    FailureKind::BadInput { field: "cursor".into(), problem }.into()
}
