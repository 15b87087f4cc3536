//! All jobs of the user on the disk. Everything here blocks, for milliseconds.
//!
//! Any process may read a job at any time. Only the holder of a job's lock writes: the process that
//! runs it, the one that starts that process, or the one that finds it gone and records that.

mod lost;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::ended::{EndedJobs, Stamp};
use super::folder::{Folder, WriteLock};
use super::log::LogReader;
use super::notifications::Notifications;
use super::record::Line;
use super::state::State;
use super::status::Status;
use super::writer::Writer;
use crate::model::event::Event;
use crate::model::job_id::JobId;
use crate::system::file_lock::{FileLock, LockError};
use crate::system::private;
use crate::system::private::read_whole;

/// The extension of a job's folder that is being removed.
pub(crate) const REMNANT: &str = "gone";

/// The jobs below one state folder. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    state_dir: PathBuf,
    notifications: Notifications,
    settled: Arc<EndedJobs>,
}

impl Store {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            notifications: Notifications::new(state_dir),
            settled: Arc::default(),
        }
    }

    pub(crate) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    pub(crate) fn notifications(&self) -> &Notifications {
        &self.notifications
    }

    pub(crate) fn folder(&self, job: JobId) -> Folder {
        Folder::of(&self.jobs(), job)
    }

    fn jobs(&self) -> PathBuf {
        self.state_dir.join("jobs")
    }

    /// Whether there was ever a job.
    pub(super) fn exists(&self) -> bool {
        self.jobs().is_dir()
    }

    /// Creates the folder of all jobs.
    pub(crate) fn create(&self) -> io::Result<()> {
        private::create_folder(&self.jobs())
    }

    /// Keeps other processes from starting jobs. `None` if another one does so for longer than
    /// `bound`.
    pub(crate) fn lock_starts(&self, bound: Duration) -> io::Result<Option<FileLock>> {
        LockError::none_if_held(FileLock::lock_within(&self.starts(), bound))
    }

    fn starts(&self) -> PathBuf {
        self.state_dir.join("jobs.lock")
    }

    /// Notifies processes that wait for jobs that one was started.
    pub(crate) fn touch_starts(&self) {
        let starts = private::open_options().write(true).open(self.starts());
        drop(starts.and_then(|starts| starts.set_modified(SystemTime::now())));
    }

    /// When a job was last started.
    pub(crate) fn last_start(&self) -> Option<SystemTime> {
        self.starts().metadata().ok()?.modified().ok()
    }

    /// The ids of all jobs, newest first.
    pub(crate) fn names(&self) -> io::Result<Vec<JobId>> {
        let entries = match fs::read_dir(self.jobs()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names: Vec<JobId> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        names.sort_unstable_by(|one, two| two.cmp(one));
        Ok(names)
    }

    /// The folders of jobs whose removal was interrupted.
    pub(crate) fn remnants(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.jobs()).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| path.extension().is_some_and(|kind| kind == REMNANT)).collect()
    }

    /// The states of all jobs that may have one of these statuses, newest first. A job that has
    /// ended for good is not read again until it changes. One that cannot be read yields its error.
    pub(crate) fn states(
        &self,
        may_be: impl Fn(Status) -> bool,
    ) -> io::Result<impl Iterator<Item = io::Result<State>>> {
        Ok(self.names()?.into_iter().filter_map(move |job| {
            let file = self.folder(job).state();
            if self.settled.status(job, &file).is_some_and(|status| !may_be(status)) {
                return None;
            }
            // Taken before reading, so that a change in the meantime causes another read.
            let stamp = Stamp::of(&file);
            let state = match self.state(job) {
                Ok(state) => state?,
                Err(error) => return Some(Err(error)),
            };
            if state.is_settled() {
                self.settled.remember(job, stamp, state.status);
            }
            may_be(state.status).then_some(Ok(state))
        }))
    }

    /// The state of a job, `None` if there is no such job. If the job's process is gone, this is
    /// where it is noticed and recorded as interrupted.
    pub(crate) fn state(&self, job: JobId) -> io::Result<Option<State>> {
        let folder = self.folder(job);
        if !folder.path().is_dir() {
            return Ok(None);
        }
        // A job has no state between its creation and its lock, but nobody knows its id yet.
        let state = match read_whole::<State>(&folder.state()) {
            Ok(state) => state,
            Err(error) => match self.recover(&folder, job) {
                Ok(state) => state,
                Err(_) => {
                    tracing::debug!(%job, %error, "the job's state cannot be read");
                    return Ok(None);
                }
            },
        };
        if state.is_settled()
            || state.runner.as_ref().is_some_and(super::process::ProcessId::is_alive)
        {
            return Ok(Some(state));
        }
        self.record_lost(&folder, state).map(Some)
    }

    /// The state of a job including all of its log: applies what was logged after the state was
    /// last saved, or all of it if the state cannot be read.
    pub(crate) fn recover(&self, folder: &Folder, job: JobId) -> io::Result<State> {
        let saved = read_whole::<State>(&folder.state());
        let mut state = saved.unwrap_or_else(|_| State::new(job));
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let log = LogReader::from_byte(&folder.log(), state.log_bytes)?;
        let Some(mut log) = log else {
            return if state.cursor > 0 { Ok(state) } else { Err(missing()) };
        };
        while let Some((cursor, line)) = log.next_line()? {
            let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { continue };
            if let Some(event) = &line.job {
                state.apply(cursor, line.at(), event);
            }
            if let Some(event) = line.codex.and_then(|raw| Event::decode(raw.get().as_bytes())) {
                state.apply_event(cursor, line.at(), &event);
            }
        }
        if state.cursor == 0 { Err(missing()) } else { Ok(state) }
    }

    /// Withdraws the request to stop a job that has ended and that nobody runs.
    pub(crate) fn clear_cancel_of_ended(&self, folder: &Folder) {
        if !folder.is_cancel_requested() {
            return;
        }
        let Ok(Some(_lock)) = folder.try_lock() else { return };
        let over = |state: &State| state.status.has_ended() && !state.starting;
        if read_whole::<State>(&folder.state()).is_ok_and(|state| over(&state)) {
            drop(folder.clear_cancel());
        }
    }

    /// The writer of a job, which continues where `state` ends.
    pub(crate) fn writer(
        &self,
        folder: &Folder,
        state: State,
        lock: WriteLock,
    ) -> io::Result<Writer> {
        Writer::open(folder.clone(), self.notifications.clone(), state, lock)
    }

    pub(super) fn try_lock(&self, folder: &Folder) -> io::Result<Option<WriteLock>> {
        match folder.try_lock() {
            // Nobody writes to a folder that is gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            lock => lock,
        }
    }
}
