//! Giving a job its next prompt.

use std::path::PathBuf;
use std::time::Instant;

use uuid::Uuid;

use super::began::Began;
use super::commit::Commit;
use super::folder::{Folder, WriteLock};
use super::inbox::QueuedPrompt;
use super::jobs::Jobs;
use super::problem::{Problem, Result, storage};
use super::process::{ProcessId, Runner};
use super::state::State;
use super::store::Store;
use super::{LOCK_WITHIN, LOOK_EVERY, MAX_WAITING, PROMPT_CHARS};
use crate::model::job_id::JobId;
use crate::model::request::TurnRequest;
use crate::model::text::head;
use crate::turn::vet::Vetted;

impl Jobs {
    /// The next turn of a job, as it is to be vetted, and the Codex home that it runs with.
    pub(crate) fn next_turn(
        &self,
        job: JobId,
        request: &TurnRequest,
    ) -> Result<(TurnRequest, Option<PathBuf>)> {
        let state = self.look(job)?;
        let begins_anew = state.session_id.is_none() && state.status.has_ended();
        if !state.is_kept() && !begins_anew {
            return Err(Problem::NotKept(job));
        }
        let mut ask = QueuedPrompt::new(String::new(), request, &self.0.settings.policy);
        ask.lasting = state.lasting.later();
        ask.session_id = state.session_id;
        if state.session_id.is_none() {
            ask.cwd.clone_from(&state.cwd);
            if let Began::CopyOf(original) = state.began {
                ask.session_id = Some(original);
                ask.fork = true;
            }
        }
        let (request, _policy) = ask.into_request()?;
        Ok((request, state.codex_home))
    }

    /// Hands a job its [next turn](Jobs::next_turn), unless that is given up before. If it has ended, it
    /// is run again.
    pub(crate) fn reply(
        &self,
        job: JobId,
        request: Vetted,
        text: &str,
        interrupt: bool,
        commit: &Commit,
    ) -> Result<State> {
        let state = self.look(job)?;
        let store = self.store()?;
        let folder = store.folder(job);
        let storage = |error| match folder.path().is_dir() {
            true => storage(store, error),
            // It was removed meanwhile.
            false => Problem::NotFound(job),
        };
        let request = request.into_request();
        let mut ask =
            QueuedPrompt::new(head(text, PROMPT_CHARS), &request, &self.0.settings.policy);
        ask.interrupt = interrupt && !state.status.has_ended();
        let runner = self.runner()?;
        let id = self.put(&folder, job, &ask, commit).map_err(|problem| match problem {
            Problem::Storage { .. } if !folder.path().is_dir() => Problem::NotFound(job),
            problem => problem,
        })?;
        let until = Instant::now() + LOCK_WITHIN;
        loop {
            let state = self.look(job)?;
            let taken = state.has_taken(id)
                || !folder.asks().map_err(storage)?.iter().any(|(waiting, _)| *waiting == id);
            if taken {
                return Ok(state);
            }
            if let Some(lock) = folder.try_lock().map_err(storage)? {
                let started = self.run_again(store, &folder, job, lock, &runner);
                started.inspect_err(|_| folder.take_back(id))?;
            }
            if Instant::now() > until {
                // It stays in the inbox, for whoever runs the job: before a session is known, that
                // may take as long as the first turn.
                return Ok(state);
            }
            std::thread::sleep(LOOK_EVERY / 2);
        }
    }

    /// Puts a prompt into the inbox, unless too many are waiting.
    fn put(
        &self,
        folder: &Folder,
        job: JobId,
        ask: &QueuedPrompt,
        commit: &Commit,
    ) -> Result<Uuid> {
        let store = self.store()?;
        let storage = |error| storage(store, error);
        let _lock = folder.lock_inbox().map_err(storage)?;
        // In this order one that is taken meanwhile is seen at least once.
        let asks = folder.asks().map_err(storage)?;
        let waiting = self.look(job)?.waiting;
        let untaken =
            asks.iter().filter(|(id, _)| waiting.iter().all(|prompt| prompt.id != *id)).count();
        if waiting.len() + untaken >= MAX_WAITING {
            return Err(Problem::TooManyPrompts);
        }
        commit.begin().map_err(storage)?;
        folder.put(ask).map_err(storage)
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
        folder.keep_reserve().map_err(storage)?;
        let state = store.recover(folder, job).map_err(storage)?;
        if state.starting && state.runner.as_ref().is_some_and(ProcessId::is_alive) {
            // Somebody else's reply was a moment earlier. That process only waits for the lock.
            return Ok(());
        }
        if state.is_settled() {
            folder.remove_unaccepted().map_err(storage)?;
        }
        // It was meant for a turn that is over.
        folder.forget_stop().map_err(storage)?;
        let mut writer = store.writer(folder, state, lock).map_err(storage)?;
        self.start_runner(store, folder, runner, &mut writer)
    }
}
