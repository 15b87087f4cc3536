//! The handle to all jobs of the user, and how they are read.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::MAX_UNFINISHED;
use super::problem::{Problem, Result, storage};
use super::process::ProcessId;
use super::prune::{self, Pruned};
use super::scope;
use super::state::State;
use super::status::Status;
use super::store::Store;
use crate::admission::scope::Scope;
use crate::model::job_id::JobId;
use crate::model::settings::{Retention, Settings};

/// The length of all notifications, and when a job was last started.
pub(crate) type Mark = (u64, Option<SystemTime>);

/// The space that jobs take on the disk.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) jobs: usize,
    pub(crate) bytes: u64,
}

/// All jobs of the user within the caller's scope. Cheap to clone. Every method blocks, for
/// milliseconds if nothing is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Jobs(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    store: Option<Store>,
    pub(super) settings: Settings,
    pub(super) scope: Scope,
    /// The program whose command `run-job` runs a job, or `None` for this one.
    pub(super) program: Option<PathBuf>,
    /// Held by the call of this server that is starting a job.
    pub(super) starts: tokio::sync::Mutex<()>,
}

impl Jobs {
    /// Jobs outside of `scope` are neither shown nor changed.
    pub(crate) fn new(settings: &Settings, scope: Scope) -> Self {
        Self::run_by(None, settings, scope)
    }

    /// The same, with jobs run by `program`: a path, or a name on the PATH.
    pub(super) fn run_by(program: Option<PathBuf>, settings: &Settings, scope: Scope) -> Self {
        Self(Arc::new(Shared {
            program,
            store: settings.state_dir.as_deref().map(Store::new),
            settings: settings.clone(),
            scope,
            starts: tokio::sync::Mutex::default(),
        }))
    }

    pub(super) fn store(&self) -> Result<&Store> {
        self.0.store.as_ref().ok_or(Problem::NoStateDir)
    }

    /// The state of a job.
    pub(crate) fn state(&self, job: JobId) -> Result<State> {
        let state = self.state_unscoped(job)?;
        scope::check(&self.0.scope, &state)?;
        Ok(state)
    }

    /// The state of a job that the caller has just started.
    pub(crate) fn state_unscoped(&self, job: JobId) -> Result<State> {
        let store = self.store()?;
        let state = store.state(job).map_err(|error| storage(store, error))?;
        state.ok_or(Problem::NotFound(job))
    }

    /// The file with the events of a job.
    pub(crate) fn log(&self, job: JobId) -> Result<PathBuf> {
        Ok(self.store()?.folder(job).log())
    }

    /// The jobs that match, newest first. `may_be` selects by status, before a job is read.
    pub(crate) fn list(
        &self,
        limit: usize,
        may_be: impl Fn(Status) -> bool,
        is_wanted: impl Fn(&State) -> bool,
    ) -> Result<Vec<State>> {
        let store = self.store()?;
        let states = store.states(may_be).map_err(|error| storage(store, error))?;
        // A job that was removed in the meantime, or cannot be read, must not hide the others.
        let states = states.filter_map(io::Result::ok).filter(is_wanted);
        Ok(states.filter(|state| scope::is_inside(&self.0.scope, state)).take(limit).collect())
    }

    /// The number of all jobs, including unreadable ones, and their total size.
    pub(crate) fn size(&self) -> Result<Size> {
        let store = self.store()?;
        let names = store.names().map_err(|error| storage(store, error))?;
        let bytes = names.iter().map(|job| prune::size(store.folder(*job).path())).sum();
        Ok(Size { jobs: names.len(), bytes })
    }

    /// The live processes that run these jobs, or all: when one ends, there may be a notification.
    pub(crate) fn runners(&self, jobs: &[JobId]) -> Result<Vec<ProcessId>> {
        let current_prompt = self.list(
            MAX_UNFINISHED,
            |status| !status.has_ended(),
            |state| jobs.is_empty() || jobs.contains(&state.job_id),
        )?;
        let runners = current_prompt.into_iter().filter_map(|state| state.runner);
        Ok(runners.filter(ProcessId::is_alive).collect())
    }

    /// Removes ended jobs that need not be kept.
    pub(crate) fn prune(&self, retention: Retention) -> Result<Pruned> {
        let store = self.store()?;
        prune::prune(store, retention, None).map_err(|error| storage(store, error))
    }

    /// Removes a job. Returns whether it had ended; else it stays.
    pub(crate) fn remove(&self, job: JobId) -> Result<bool> {
        let store = self.store()?;
        self.state(job)?;
        prune::remove_job(store, job).map_err(|error| storage(store, error))
    }

    /// How long ended jobs are kept.
    pub(crate) fn retention(&self) -> Retention {
        self.0.settings.retention
    }

    /// Changes when there is a new notification, or a job was started.
    pub(crate) fn mark(&self) -> Mark {
        let mark = |store: &Store| (store.notifications().length(), store.last_start());
        self.0.store.as_ref().map(mark).unwrap_or_default()
    }
}
