//! The lines of a job's log: events of Codex's as they came, and what happened to the job itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::began::Began;
use super::inbox::Lasting;
use super::status::{JobError, Status};
use crate::model::session_id::SessionId;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// A line, without its number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<'a> {
    /// When it was written, in milliseconds since 1970.
    pub(crate) at: u64,
    /// The turn it belongs to, counted from 1; 0 if to none.
    pub(crate) turn: u64,
    /// An event, as Codex wrote it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) codex: Option<&'a RawValue>,
    /// Something about the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobEvent>,
}

impl<'a> Line<'a> {
    /// An event of Codex's.
    pub(crate) fn of_codex(at: Time, turn: u64, event: &'a RawValue) -> Self {
        Self { at: at.0, turn, codex: Some(event), job: None }
    }

    /// Something about the job.
    pub(crate) fn of_job(at: Time, turn: u64, event: JobEvent) -> Self {
        Self { at: at.0, turn, codex: None, job: Some(event) }
    }

    pub(crate) fn at(&self) -> Time {
        Time(self.at)
    }
}

/// What happens to a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum JobEvent {
    /// It was started: everything that its state begins with.
    #[serde(rename = "job.created")]
    Created {
        label: Option<String>,
        prompt: String,
        cwd: Option<PathBuf>,
        session_id: Option<SessionId>,
        #[serde(default)]
        began: Began,
        codex_home: Option<PathBuf>,
        lasting: Lasting,
    },
    /// A prompt was taken out of the inbox, and its turn is in line. `text` is its beginning.
    #[serde(rename = "job.prompt")]
    Prompt { id: Uuid, text: String, interrupt: bool },
    /// Its turn has its place, and Codex is started in this directory.
    #[serde(rename = "turn.running")]
    Running {
        cwd: PathBuf,
        /// The prompt of the turn. An older version did not write it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<Uuid>,
    },
    /// A line of Codex's was no event, or too long to be kept.
    #[serde(rename = "job.skipped")]
    Skipped { reason: String },
    /// The turn has ended, or a prompt without having become one.
    #[serde(rename = "turn.ended")]
    Ended {
        status: Status,
        /// The prompt of the turn. An older version did not write it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<Uuid>,
        /// Whether it is told as a notification.
        told: bool,
        /// Whether turns of the job are still to come or running.
        more: bool,
        session_id: Option<SessionId>,
        result: Option<String>,
        error: Option<JobError>,
        usage: Option<Usage>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_usage: Option<Usage>,
        #[serde(default)]
        warnings: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effective: Option<Value>,
    },
    /// The process that ran the job is gone.
    #[serde(rename = "job.interrupted")]
    Interrupted { error: JobError },
}
