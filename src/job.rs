//! Jobs: turns that run apart from this process, and outlive it.
//!
//! Each job is run by a process of its own ([`runner`]), which writes down all that happens in the
//! job's folder ([`folder`], [`writer`]). [`Jobs`] is the door for whoever starts, reads, answers and
//! stops jobs; what it keeps in memory can be lost, so every server of the user sees the same.

mod activity;
mod began;
mod bell;
mod commit;
pub(crate) mod display;
mod ended;
mod folder;
mod inbox;
mod log;
pub(crate) mod notifications;
mod process;
mod prune;
mod record;
pub(crate) mod runner;
mod scope;
pub(crate) mod snapshot;
mod state;
mod status;
mod store;
pub(crate) mod view;
mod writer;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub use crate::model::job_id::JobId;
pub(crate) use crate::model::time::Time;
pub(crate) use commit::Commit;
pub(crate) use inbox::QueuedPrompt;
pub(crate) use notifications::Notification;
pub(crate) use process::ProcessId;
pub(crate) use prune::Pruned;
pub(crate) use snapshot::{listed, snapshot};
pub(crate) use state::State;
pub(crate) use status::Status;

use crate::admission::scope::Scope;
use crate::codex::home::codex_home;
use crate::model::outcome::FailureKind;
use crate::model::request::TurnRequest;
use crate::model::settings::Retention;
use crate::model::settings::Settings;
use crate::model::text::{excerpt, head};
use crate::model::value::InvalidValue;
use crate::turn::vet::Vetted;
use began::Began;
use folder::Folder;
use process::{Runner, this_program};
use record::JobEvent;
use store::Store;
use uuid::Uuid;
use writer::Writer;

/// How many jobs may wait and run at a time.
pub(crate) const MAX_UNFINISHED: usize = 256;

/// How many prompts of one job may wait.
pub(crate) const MAX_WAITING: usize = 64;

/// How often something is looked at that another process changes.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How much of a prompt is kept in the record, for people, and how much stands for the job, in
/// characters.
const PROMPT_CHARS: usize = 2_000;
const TITLE_CHARS: usize = 160;

/// How long whoever is at a job's files may take.
const LOCK_WITHIN: Duration = Duration::from_secs(5);

/// Why something cannot be done with jobs. Nothing was changed, if it is not said otherwise.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("there is no folder for jobs: neither a home directory nor a setting says where")]
    NoStateDir,
    #[error("there is no job {0}")]
    NotFound(JobId),
    #[error("{0}")]
    Refused(Box<FailureKind>),
    #[error("{MAX_UNFINISHED} jobs are waiting and running, which is the limit")]
    TooMany,
    #[error("Codex keeps no record of the session of job {0}, which was started with --ephemeral")]
    NotKept(JobId),
    #[error("{MAX_WAITING} prompts of this job are waiting, which is the limit")]
    TooManyPrompts,
    #[error("the jobs' folder {} cannot be used: {source}", excerpt(.path.display()))]
    Storage { path: PathBuf, source: io::Error },
    #[error("the process that would run the job cannot be started: {}", excerpt(.0))]
    NotStarted(io::Error),
    #[error("the disk that the jobs lie on does not answer")]
    NoAnswer,
    #[error(
        "the disk that the jobs lie on does not answer, and what was asked may be done all the same"
    )]
    Unsure,
}

type Result<T> = std::result::Result<T, Problem>;

impl From<FailureKind> for Problem {
    fn from(kind: FailureKind) -> Self {
        Self::Refused(Box::new(kind))
    }
}

/// How much was told of jobs, and when one was started last.
pub(crate) type Mark = (u64, Option<SystemTime>);

/// All that lies on the disk of jobs.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) jobs: usize,
    pub(crate) bytes: u64,
}

/// All jobs of the user that are within scope of whoever asks. Cheap to clone. Every method blocks, for
/// milliseconds if nothing is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Jobs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Option<Store>,
    settings: Settings,
    scope: Scope,
    /// Held by the one of this server's calls that starts a job.
    starts: tokio::sync::Mutex<()>,
}

impl Jobs {
    /// Nothing is told of jobs that are out of scope, and nothing done to them.
    pub(crate) fn new(settings: &Settings, scope: Scope) -> Self {
        Self(Arc::new(Shared {
            store: settings.state_dir.as_deref().map(Store::new),
            settings: settings.clone(),
            scope,
            starts: tokio::sync::Mutex::default(),
        }))
    }

    /// Waits for other calls of this server that [start](Jobs::start) jobs: they go one after the
    /// other, and are not to block a thread each.
    pub(crate) async fn before_start(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.starts.lock().await
    }

    fn store(&self) -> Result<&Store> {
        self.0.store.as_ref().ok_or(Problem::NoStateDir)
    }

    /// The state of a job.
    pub(crate) fn look(&self, job: JobId) -> Result<State> {
        let state = self.look_at_own(job)?;
        scope::check(&self.0.scope, &state)?;
        Ok(state)
    }

    /// The state of a job that whoever asks has just started.
    pub(crate) fn look_at_own(&self, job: JobId) -> Result<State> {
        let store = self.store()?;
        let state = store.look(job).map_err(|error| storage(store, error))?;
        state.ok_or(Problem::NotFound(job))
    }

    /// The state of a job as it is as long as its first turn goes on, and stays when that has ended:
    /// what a task is at, which never comes back to life.
    pub(crate) fn look_at_first_turn(&self, job: JobId) -> Result<State> {
        let mut state = self.look(job)?;
        let Some(end) = state.first_end else { return Ok(state) };
        if state.status.has_ended() && state.to_announce == end {
            return Ok(state);
        }
        let store = self.store()?;
        let storage = |error| storage(store, error);
        let log = log::LogReader::after(&store.folder(job).log(), end - 1).map_err(storage)?;
        let Some(mut log) = log else { return Ok(state) };
        let Some((_, line)) = log.next_line().map_err(storage)? else { return Ok(state) };
        let line: record::Line<'_> =
            serde_json::from_slice(line).map_err(|error| storage(error.into()))?;
        let Some(event) = &line.job else { return Ok(state) };
        // What later turns left is nothing of the task's.
        (state.result, state.output, state.effective) = (None, None, None);
        (state.error, state.usage) = (None, None);
        state.at_work = match event {
            JobEvent::Ended { prompt: Some(id), .. } if line.turn > 0 => {
                Some(state::Prompted { id: *id, text: String::new() })
            }
            _ => None,
        };
        state.warnings.clear();
        state.take(end, line.at(), event);
        state.status = match event {
            JobEvent::Ended { status, .. } => *status,
            _ => Status::Interrupted,
        };
        Ok(state)
    }

    /// Stops a job, unless its first turn has ended.
    pub(crate) fn cancel_first_turn(&self, job: JobId) -> Result<State> {
        let state = self.look_at_first_turn(job)?;
        if state.status.has_ended() { Ok(state) } else { self.cancel(job) }
    }

    /// Starts a job, unless that is given up before its process is there. It goes on when this process is
    /// gone. Must be called on a Tokio runtime.
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
        // Until it is there, so that nobody else counts what is not yet there. Whoever cannot have the
        // lock for so long goes on without.
        let _lock = store.lock_starts(LOCK_WITHIN).map_err(storage)?;
        if self.unfinished(store).map_err(storage)? >= MAX_UNFINISHED {
            return Err(Problem::TooMany);
        }
        let runner = self.runner()?;
        let job = JobId::new();
        let folder = store.folder(job);
        let ask = QueuedPrompt::new(head(text, PROMPT_CHARS), &request, &self.0.settings.policy);
        let started = self.create(store, job, &ask, label, &runner, commit);
        if started.is_err() {
            // The process, if it was started, finds nothing to do and leaves.
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
        ask: &QueuedPrompt,
        label: Option<String>,
        runner: &Runner,
        commit: &Commit,
    ) -> Result<()> {
        let storage = |error| storage(store, error);
        let folder = &store.folder(job);
        folder.create().map_err(storage)?;
        let lock = folder.try_lock().map_err(storage)?;
        let lock = lock.expect("nobody else knows the folder that was just made");
        folder.put(ask).map_err(storage)?;
        let mut writer = store.writer(folder, State::new(job), lock).map_err(storage)?;
        let created = JobEvent::Created {
            label,
            prompt: head(&ask.text, TITLE_CHARS),
            cwd: ask.cwd.clone(),
            // A copy's own id is known when Codex has told it.
            session_id: ask.session_id.filter(|_| !ask.fork),
            began: Began::of(ask.session_id, ask.fork),
            codex_home: codex_home(),
            lasting: ask.lasting.clone(),
        };
        writer.note(0, created).map_err(storage)?;
        commit.begin().map_err(storage)?;
        self.start_runner(store, folder, runner, &mut writer)
    }

    fn runner(&self) -> Result<Runner> {
        let program = this_program().map_err(Problem::NotStarted)?;
        Ok(Runner { program, arguments: self.0.settings.runner_arguments() })
    }

    /// Starts the process that runs a job, and writes down which one that is.
    fn start_runner(
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
        writer.hand_over(process).map_err(|error| storage(store, error))?;
        store.tell_of_start();
        Ok(())
    }

    fn unfinished(&self, store: &Store) -> io::Result<usize> {
        let mut count = 0;
        for state in store.look_for(|status| !status.has_ended())? {
            state?;
            count += 1;
        }
        Ok(count)
    }

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
        lock: folder::WriteLock,
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

    /// The jobs that are wanted, of the statuses that they may have, the newest first.
    pub(crate) fn list(
        &self,
        limit: usize,
        may_be: impl Fn(Status) -> bool,
        is_wanted: impl Fn(&State) -> bool,
    ) -> Result<Vec<State>> {
        let store = self.store()?;
        let states = store.look_for(may_be).map_err(|error| storage(store, error))?;
        // One that was removed meanwhile, or cannot be read, is not worth losing the others.
        let states = states.filter_map(io::Result::ok).filter(is_wanted);
        Ok(states.filter(|state| scope::is_inside(&self.0.scope, state)).take(limit).collect())
    }

    /// How many jobs there are, also those that cannot be read, and how large they are in all.
    pub(crate) fn size(&self) -> Result<Size> {
        let store = self.store()?;
        let names = store.names().map_err(|error| storage(store, error))?;
        let bytes = names.iter().map(|job| prune::size(store.folder(*job).path())).sum();
        Ok(Size { jobs: names.len(), bytes })
    }

    /// A page of a job's events, and its state.
    pub(crate) fn events(&self, job: JobId, query: &view::Query) -> Result<(view::Page, State)> {
        let state = self.look(job)?;
        let store = self.store()?;
        let log = store.folder(job).log();
        let last = log::last_number(&log).map_err(|error| storage(store, error))?;
        let last = last.max(state.cursor);
        if query.cursor > last {
            let problem = format!(
                "is {}, and the job's last event is {last}; pass the cursor of an earlier answer",
                query.cursor
            );
            return Err(bad_cursor(problem));
        }
        let page = view::page(&store.folder(job), query).map_err(|error| storage(store, error))?;
        Ok((page, state))
    }

    /// The notifications after `cursor` of these jobs, or of all, and the cursor to go on from. Jobs
    /// whose processes are gone are found out first.
    pub(crate) fn notifications(
        &self,
        cursor: u64,
        jobs: &[JobId],
        limit: usize,
    ) -> Result<(Vec<(u64, Notification)>, u64)> {
        let store = self.store()?;
        let storage = |error| storage(store, error);
        if jobs.is_empty() {
            for state in store.look_for(|status| !status.has_ended()).map_err(storage)? {
                state.map_err(storage)?;
            }
        }
        let mut named = HashSet::new();
        for job in jobs {
            named.insert(self.look(*job)?.job_id);
        }
        let last = self.last_notification()?;
        if cursor > last {
            let problem = format!(
                "is {cursor}, and the last notification is {last}; pass the cursor of an earlier \
                 answer"
            );
            return Err(bad_cursor(problem));
        }
        if !jobs.is_empty() {
            let found = store.notifications().after(cursor, |job| named.contains(&job), limit);
            return found.map_err(storage);
        }
        // A job that was removed is one of which it is not known where it was.
        let is_limited = self.0.scope.is_limited();
        let inside = RefCell::new(HashMap::new());
        let is_inside =
            |job| *inside.borrow_mut().entry(job).or_insert_with(|| self.look(job).is_ok());
        let is_told = |job| !is_limited || is_inside(job);
        store.notifications().after(cursor, is_told, limit).map_err(storage)
    }

    /// The processes that run these jobs, or all: when one is gone, something is to be told.
    pub(crate) fn runners(&self, jobs: &[JobId]) -> Result<Vec<ProcessId>> {
        let at_work = self.list(
            MAX_UNFINISHED,
            |status| !status.has_ended(),
            |state| jobs.is_empty() || jobs.contains(&state.job_id),
        )?;
        let runners = at_work.into_iter().filter_map(|state| state.runner);
        Ok(runners.filter(ProcessId::is_alive).collect())
    }

    /// The cursor of the last notification of all.
    pub(crate) fn last_notification(&self) -> Result<u64> {
        let store = self.store()?;
        store.notifications().last().map_err(|error| storage(store, error))
    }

    /// Removes ended jobs that need not be kept.
    pub(crate) fn prune(&self, retention: Retention) -> Result<Pruned> {
        let store = self.store()?;
        prune::prune(store, retention, None).map_err(|error| storage(store, error))
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

fn bad_cursor(problem: String) -> Problem {
    let problem = InvalidValue(problem);
    FailureKind::BadInput { field: "cursor".into(), problem }.into()
}

fn storage(store: &Store, source: io::Error) -> Problem {
    Problem::Storage { path: store.state_dir().to_owned(), source }
}
