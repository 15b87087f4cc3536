//! Starting a job: its folder, its first prompt, and the process that runs it.

use std::fs;
use std::io;

use super::commit::Commit;
use super::folder::Folder;
use super::inbox::QueuedPrompt;
use super::jobs::Jobs;
use super::problem::{Problem, Result, storage};
use super::process::{Runner, installed, this_program};
use super::record::JobEvent;
use super::session_origin::SessionOrigin;
use super::state::State;
use super::store::Store;
use super::writer::Writer;
use super::{LOCK_WITHIN, MAX_UNFINISHED, PROMPT_CHARS, TITLE_CHARS};
use crate::codex::home::codex_home;
use crate::model::job_id::JobId;
use crate::model::text::head;
use crate::model::value::InvalidValue;
use crate::settings::runner_arguments;
use crate::turn::vet::Vetted;

/// The longest label, in characters.
const MAX_LABEL: usize = 200;

/// Refuses a label that is too long to show.
pub(crate) fn check_label(label: &str) -> std::result::Result<(), InvalidValue> {
    if label.chars().count() <= MAX_LABEL {
        return Ok(());
    }
    Err(InvalidValue(format!("must have at most {MAX_LABEL} characters")))
}

impl Jobs {
    /// Waits for other calls of this server that [start](Jobs::start) jobs. They take turns here,
    /// so that they do not block a thread each.
    pub(crate) async fn before_start(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.starts.lock().await
    }

    /// Starts a job, unless the caller abandons that before its process exists. The job outlives
    /// this process. Must be called on a Tokio runtime.
    pub(crate) fn start(
        &self,
        request: Vetted,
        text: &str,
        label: Option<String>,
        commit: &Commit,
    ) -> Result<JobId> {
        let store = self.store()?;
        let storage = |error| storage(store, error);
        let mut request = request.into_request();
        if request.session.is_none() && request.working_dir.is_none() {
            request.working_dir = Some(self.0.settings.working_dir.clone());
        }
        store.create().map_err(storage)?;
        // Held until the job exists, so that all jobs are counted. If another process keeps the
        // lock for too long, this one continues without it.
        let _lock = store.lock_starts(LOCK_WITHIN).map_err(storage)?;
        if self.unfinished(store).map_err(storage)? >= MAX_UNFINISHED {
            return Err(Problem::TooMany);
        }
        let runner = self.runner()?;
        let job = JobId::new();
        let folder = store.folder(job);
        let prompt = QueuedPrompt::new(head(text, PROMPT_CHARS), &request, &self.0.settings.policy);
        let started = self.create(store, job, &prompt, label, &runner, commit);
        if started.is_err() {
            // The process, if it was started, finds nothing to do and exits.
            drop(fs::remove_dir_all(folder.path()));
        }
        started.map(|()| {
            tracing::info!(%job, "job started");
            job
        })
    }

    fn create(
        &self,
        store: &Store,
        job: JobId,
        prompt: &QueuedPrompt,
        label: Option<String>,
        runner: &Runner,
        commit: &Commit,
    ) -> Result<()> {
        let storage = |error| storage(store, error);
        let folder = &store.folder(job);
        folder.create().map_err(storage)?;
        let lock = folder.try_lock().map_err(storage)?;
        let lock = lock.expect("nobody else knows the folder that was just made");
        folder.enqueue(prompt).map_err(storage)?;
        let mut writer = store.writer(folder, State::new(job), lock).map_err(storage)?;
        let created = JobEvent::Created {
            label,
            prompt: head(&prompt.text, TITLE_CHARS),
            cwd: prompt.cwd.clone(),
            // The id of a copy is not known before Codex has reported it.
            session_id: prompt.session_id.filter(|_| !prompt.fork),
            origin: SessionOrigin::of(prompt.session_id, prompt.fork),
            codex_home: codex_home(),
            job_options: prompt.job_options.clone(),
        };
        writer.record(0, created).map_err(storage)?;
        commit.start().map_err(storage)?;
        self.start_runner(store, folder, runner, &mut writer)
    }

    pub(super) fn runner(&self) -> Result<Runner> {
        let program = self.0.program.as_deref().map_or_else(this_program, installed);
        let program = program.map_err(Problem::NotStarted)?;
        Ok(Runner { program, arguments: runner_arguments(&self.0.settings) })
    }

    /// Starts the process that runs a job, and records which one that is.
    pub(super) fn start_runner(
        &self,
        store: &Store,
        folder: &Folder,
        runner: &Runner,
        writer: &mut Writer,
    ) -> Result<()> {
        let log = folder.open_runner_log().map_err(Problem::NotStarted)?;
        let state = writer.state();
        let process = runner
            .start(&state.job_id.to_string(), log, state.codex_home.as_deref())
            .map_err(Problem::NotStarted)?;
        writer.record_runner(process).map_err(|error| storage(store, error))?;
        store.touch_starts();
        Ok(())
    }

    fn unfinished(&self, store: &Store) -> io::Result<usize> {
        let mut count = 0;
        for state in store.states(|status| !status.has_ended())? {
            state?;
            count += 1;
        }
        Ok(count)
    }
}
