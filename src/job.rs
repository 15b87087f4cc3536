//! Jobs: turns that run apart from this process and outlive it.
//!
//! Each job is run by a process of its own ([`runner`]), which records everything in the job's
//! folder ([`folder`], [`writer`]). [`Jobs`] is the handle to start, read, answer and stop jobs. It
//! keeps nothing in memory that could not be lost, so every server of the user sees the same jobs.

mod activity;
mod bell;
pub(crate) mod blocking;
mod cancel;
mod commit;
mod ended;
mod events;
mod first_turn;
mod folder;
mod inbox;
mod jobs;
mod log;
mod manager;
pub(crate) mod notifications;
mod problem;
mod process;
mod prune;
pub(crate) mod reading;
mod record;
mod reply;
pub(crate) mod runner;
mod scope;
mod session_origin;
pub(crate) mod snapshot;
mod start;
mod state;
mod status;
mod store;
pub(crate) mod view;
mod writer;

use std::time::Duration;

pub use crate::model::job_id::JobId;
pub(crate) use crate::model::time::Time;
pub(crate) use commit::Commit;
pub(crate) use jobs::{Jobs, Mark};
pub use manager::{Job, JobEntry, JobEntryKind, JobFailure, JobFollower, JobManager, JobPage};
pub(crate) use notifications::Notification;
pub use problem::Problem;
pub(crate) use process::ProcessId;
pub(crate) use snapshot::{listed, snapshot};
pub(crate) use start::check_label;
pub(crate) use state::State;
#[cfg(test)]
pub(crate) use status::JobError;
pub use status::Status;

/// The maximum number of jobs that wait and run.
pub(crate) const MAX_UNFINISHED: usize = 256;

/// The maximum number of waiting prompts of one job.
pub(crate) const MAX_WAITING: usize = 64;

/// How often to check for something that another process changes.
pub(crate) const POLL_EVERY: Duration = Duration::from_millis(50);

/// How much of a prompt is recorded for display, and how much serves as the job's title, in
/// characters.
const PROMPT_CHARS: usize = 2_000;
const TITLE_CHARS: usize = 160;

/// How long to wait for another process that uses a job's files.
const LOCK_WITHIN: Duration = Duration::from_secs(5);
