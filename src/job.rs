//! Jobs: turns that run apart from this process, and outlive it.
//!
//! Each job is run by a process of its own ([`runner`]), which writes down all that happens in the
//! job's folder ([`folder`], [`writer`]). [`Jobs`] is the door for whoever starts, reads, answers and
//! stops jobs; what it keeps in memory can be lost, so every server of the user sees the same.

mod activity;
mod began;
mod bell;
mod cancel;
mod commit;
pub(crate) mod display;
mod ended;
mod events;
mod first_turn;
mod folder;
mod inbox;
mod jobs;
mod log;
pub(crate) mod notifications;
mod problem;
mod process;
mod prune;
mod record;
mod reply;
pub(crate) mod runner;
mod scope;
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
pub(crate) use notifications::Notification;
pub(crate) use problem::Problem;
pub(crate) use process::ProcessId;
pub(crate) use snapshot::{listed, snapshot};
pub(crate) use state::State;
pub(crate) use status::Status;

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
