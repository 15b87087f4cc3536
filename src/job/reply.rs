//! Giving a job its next prompt.

use std::path::PathBuf;
use std::time::Instant;

use uuid::Uuid;

use super::commit::Commit;
use super::folder::{Folder, WriteLock};
use super::inbox::QueuedPrompt;
use super::jobs::Jobs;
use super::problem::{Problem, Result, storage};
use super::process::{ProcessId, Runner};
use super::session_origin::SessionOrigin;
use super::state::State;
use super::store::Store;
use super::{LOCK_WITHIN, MAX_WAITING, POLL_EVERY, PROMPT_CHARS};
use crate::model::job_id::JobId;
use crate::model::request::TurnRequest;
use crate::model::text::head;
use crate::turn::vet::Vetted;

impl Jobs {
    /// The next turn of a job, to be vetted, and the Codex home that it runs with.
    pub(crate) fn next_turn(
        &self,
        job: JobId,
        request: &TurnRequest,
    ) -> Result<(TurnRequest, Option<PathBuf>)> {
        let state = self.state(job)?;
        let begins_anew = state.session_id.is_none() && state.status.has_ended();
        if !state.has_record() && !begins_anew {
            return Err(Problem::SessionNotRecorded(job));
        }
        let mut prompt = QueuedPrompt::new(String::new(), request, &self.0.settings.policy);
        prompt.job_options = state.job_options.for_later_turns();
        prompt.session_id = state.session_id;
        if state.session_id.is_none() {
            prompt.cwd.clone_from(&state.cwd);
            if let SessionOrigin::CopyOf(original) = state.origin {
                prompt.session_id = Some(original);
                prompt.fork = true;
            }
        }
        let (request, _policy) = prompt.into_request()?;
        Ok((request, state.codex_home))
    }

    /// Hands a job its [next turn](Jobs::next_turn), unless the caller abandons that before. A job
    /// that has ended is run again.
    pub(crate) fn reply(
        &self,
        job: JobId,
        request: Vetted,
        text: &str,
        interrupt: bool,
        commit: &Commit,
    ) -> Result<State> {
        let state = self.state(job)?;
        let store = self.store()?;
        let folder = store.folder(job);
        let storage = |error| match folder.path().is_dir() {
            true => storage(store, error),
            // It was removed in the meantime.
            false => Problem::NotFound(job),
        };
        let request = request.into_request();
        let mut prompt =
            QueuedPrompt::new(head(text, PROMPT_CHARS), &request, &self.0.settings.policy);
        prompt.interrupt = interrupt && !state.status.has_ended();
        let runner = self.runner()?;
        let id = self.enqueue(&folder, job, &prompt, commit).map_err(|problem| match problem {
            Problem::Storage { .. } if !folder.path().is_dir() => Problem::NotFound(job),
            problem => problem,
        })?;
        let until = Instant::now() + LOCK_WITHIN;
        loop {
            let state = self.state(job)?;
            let taken = state.has_taken(id)
                || !folder
                    .queued_prompts()
                    .map_err(storage)?
                    .iter()
                    .any(|(waiting, _)| *waiting == id);
            if taken {
                return Ok(state);
            }
            if let Some(lock) = folder.try_lock().map_err(storage)? {
                let started = self.run_again(store, &folder, job, lock, &runner);
                started.inspect_err(|_| folder.withdraw(id))?;
            }
            if Instant::now() > until {
                // It stays in the inbox for the process that runs the job. Before the session is
                // known, taking it may take as long as the first turn.
                return Ok(state);
            }
            std::thread::sleep(POLL_EVERY / 2);
        }
    }

    /// Puts a prompt into the inbox, unless too many are waiting.
    fn enqueue(
        &self,
        folder: &Folder,
        job: JobId,
        prompt: &QueuedPrompt,
        commit: &Commit,
    ) -> Result<Uuid> {
        let store = self.store()?;
        let storage = |error| storage(store, error);
        let _lock = folder.lock_inbox().map_err(storage)?;
        // In this order, a prompt that is taken in the meantime is counted at least once.
        let queued_prompts = folder.queued_prompts().map_err(storage)?;
        let waiting = self.state(job)?.waiting;
        let untaken = queued_prompts
            .iter()
            .filter(|(id, _)| waiting.iter().all(|prompt| prompt.id != *id))
            .count();
        if waiting.len() + untaken >= MAX_WAITING {
            return Err(Problem::TooManyPrompts);
        }
        commit.start().map_err(storage)?;
        folder.enqueue(prompt).map_err(storage)
    }

    fn run_again(
        &self,
        store: &Store,
        folder: &Folder,
        job: JobId,
        lock: WriteLock,
        runner: &Runner,
    ) -> Result<()> {
        let storage = |error| storage(store, error);
        folder.ensure_reserve().map_err(storage)?;
        let state = store.recover(folder, job).map_err(storage)?;
        if state.starting && state.runner.as_ref().is_some_and(ProcessId::is_alive) {
            // Another reply was faster. The process that it started only waits for the lock.
            return Ok(());
        }
        if state.is_settled() {
            folder.remove_unaccepted().map_err(storage)?;
        }
        // It was meant for a turn that is over.
        folder.clear_cancel().map_err(storage)?;
        let mut writer = store.writer(folder, state, lock).map_err(storage)?;
        self.start_runner(store, folder, runner, &mut writer)
    }
}
