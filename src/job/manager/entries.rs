//! What happened in a job, as the library shows it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::SystemTime;

use tokio::time::sleep;

use super::job::system_time;
use super::{Job, JobFailure, JobManager, READ_EVERY};
use crate::job::jobs::Jobs;
use crate::job::log::LogReader;
use crate::job::problem::{Result, storage};
use crate::job::process::ProcessId;
use crate::job::record::{JobEvent, Line};
use crate::job::state::State;
use crate::job::status::Status;
use crate::model::event::Event;
use crate::model::job_id::JobId;

/// The size of a page: in entries, and in bytes of the log after which it ends.
const PAGE: usize = 200;
const PAGE_BYTES: usize = 8 << 20;

/// An entry of a job's log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobEntry {
    /// Its number in the log. The numbers grow, but some are missing.
    pub cursor: u64,
    /// When it was recorded.
    pub at: SystemTime,
    /// The turn that it belongs to, counted from 1; 0 for none.
    pub turn: u64,
    /// What happened.
    pub kind: JobEntryKind,
}

/// What happened in a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum JobEntryKind {
    /// A prompt is in the queue.
    Prompt {
        /// Its start, at most 2,000 characters.
        text: String,
        /// Whether it stops the running turn.
        interrupts: bool,
    },
    /// Codex is being started.
    TurnStarted {
        /// The directory that it works in.
        working_dir: PathBuf,
    },
    /// An event of Codex, or something that Codex did but omitted from its events.
    Codex {
        /// The event.
        event: Event,
        /// The same as `codex exec --json` printed it, with all that `event` leaves out, such as the output of a
        /// command. Its format is that of the user's Codex.
        json: String,
    },
    /// A line of Codex's output was left out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// A turn has ended, or a prompt that never became a turn.
    TurnEnded {
        /// How it ended.
        status: Status,
        /// Codex's last message, if the turn was completed.
        reply: Option<String>,
        /// Why it was not completed.
        failure: Option<JobFailure>,
    },
    /// The process that ran the job is gone.
    Interrupted {
        /// What is known about it.
        failure: JobFailure,
    },
}

impl JobEntryKind {
    fn of(line: Line<'_>) -> Option<Self> {
        Some(match (line.job, line.codex) {
            (Some(JobEvent::Prompt { text, interrupt, id: _ }), _) => {
                Self::Prompt { text, interrupts: interrupt }
            }
            (Some(JobEvent::Running { cwd, prompt: _ }), _) => {
                Self::TurnStarted { working_dir: cwd }
            }
            (Some(JobEvent::Skipped { reason }), _) => Self::Skipped { reason },
            (Some(JobEvent::Ended { status, result, error, .. }), _) => {
                Self::TurnEnded { status, reply: result, failure: error.map(JobFailure::of) }
            }
            (Some(JobEvent::Interrupted { error }), _) => {
                Self::Interrupted { failure: JobFailure::of(error) }
            }
            (None, Some(codex)) => {
                let event = Event::decode(codex.get().as_bytes())?;
                Self::Codex { event, json: codex.get().to_owned() }
            }
            (Some(JobEvent::Created { .. }), _) | (None, None) => return None,
        })
    }
}

/// Some entries of a job's log, and the job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobPage {
    /// The entries, in order.
    pub entries: Vec<JobEntry>,
    /// Where the next page begins: pass it as `after`.
    pub cursor: u64,
    /// Whether there are more already.
    pub more: bool,
    /// The job. It was read before the entries, so these are complete if it has ended and there are no more.
    pub job: Job,
}

impl Jobs {
    /// A page of a job's log. Blocks for milliseconds.
    pub(super) fn entries(&self, job: JobId, after: u64) -> Result<JobPage> {
        let state = self.state(job)?;
        let store = self.store()?;
        let storage = |error| storage(store, error);
        let mut page =
            JobPage { entries: Vec::new(), cursor: after, more: false, job: Job::of(state) };
        let log = LogReader::after(&store.folder(job).log(), after).map_err(storage)?;
        let Some(mut log) = log else { return Ok(page) };
        let mut bytes_read = 0;
        while let Some((cursor, bytes)) = log.next_line().map_err(storage)? {
            if page.entries.len() == PAGE || bytes_read >= PAGE_BYTES {
                page.more = true;
                break;
            }
            bytes_read += bytes.len();
            page.cursor = cursor;
            let Ok(line) = serde_json::from_slice::<Line<'_>>(bytes) else { continue };
            let (at, turn) = (system_time(line.at()), line.turn);
            let kind = JobEntryKind::of(line);
            page.entries.extend(kind.map(|kind| JobEntry { cursor, at, turn, kind }));
        }
        Ok(page)
    }

    /// The state of a job, and whether nothing more happens without a reply. A prompt that arrives just when the last
    /// turn ends is in the inbox of a job that has ended, and its process takes it from there.
    pub(crate) fn at_rest(&self, job: JobId) -> Result<(State, bool)> {
        let state = self.state(job)?;
        let store = self.store()?;
        let is_at_rest = state.is_idle() && {
            let has_process = state.runner.as_ref().is_some_and(ProcessId::is_alive);
            let inbox =
                store.folder(job).queued_prompts().map_err(|error| storage(store, error))?;
            !has_process || inbox.is_empty()
        };
        Ok((state, is_at_rest))
    }
}

/// Follows a job until it has ended. Can be dropped at any time; the job goes on.
#[derive(Debug)]
pub struct JobFollower {
    manager: JobManager,
    job: JobId,
    cursor: u64,
    read: VecDeque<JobEntry>,
}

impl JobFollower {
    pub(super) fn new(manager: JobManager, job: JobId, after: u64) -> Self {
        Self { manager, job, cursor: after, read: VecDeque::new() }
    }

    /// The next entry, or `None` if the job has ended and there are no more. After a
    /// [reply](JobManager::reply) it continues. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`](super::Problem::NotFound), or if the job cannot be read.
    pub async fn next(&mut self) -> Result<Option<JobEntry>> {
        loop {
            if let Some(entry) = self.read.pop_front() {
                return Ok(Some(entry));
            }
            let (job, after) = (self.job, self.cursor);
            let read = super::blocking(&self.manager.jobs, move |jobs| {
                // The state comes first, so that the entries of a job that has ended are complete.
                let (_, is_at_rest) = jobs.at_rest(job)?;
                Ok((jobs.entries(job, after)?, is_at_rest))
            });
            let (page, is_at_rest) = read.await?;
            self.cursor = page.cursor;
            let is_over = page.entries.is_empty() && !page.more && is_at_rest;
            self.read = page.entries.into();
            if is_over {
                return Ok(None);
            }
            if self.read.is_empty() && !page.more {
                sleep(READ_EVERY).await;
            }
        }
    }
}
