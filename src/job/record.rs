//! The lines of a job's log: Codex's events as they came, and events of the job itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::inbox::JobOptions;
use super::session_origin::SessionOrigin;
use super::status::{JobError, Status};
use crate::model::changed_files::ChangedFiles;
use crate::model::session_id::SessionId;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// A line, without its number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<'a> {
    /// When it was written, in milliseconds since 1970.
    pub(crate) at: u64,
    /// The turn that it belongs to, counted from 1, or 0 for none.
    pub(crate) turn: u64,
    /// An event, as Codex wrote it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) codex: Option<&'a RawValue>,
    /// An event of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobEvent>,
}

impl<'a> Line<'a> {
    /// A line with an event of Codex.
    pub(crate) fn of_codex(at: Time, turn: u64, event: &'a RawValue) -> Self {
        Self { at: at.0, turn, codex: Some(event), job: None }
    }

    /// A line with an event of the job.
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
    /// The job was created, with everything that its state starts from.
    #[serde(rename = "job.created")]
    Created {
        label: Option<String>,
        prompt: String,
        cwd: Option<PathBuf>,
        session_id: Option<SessionId>,
        #[serde(default, rename = "began")]
        origin: SessionOrigin,
        codex_home: Option<PathBuf>,
        #[serde(rename = "lasting")]
        job_options: JobOptions,
    },
    /// A prompt was taken out of the inbox and is in the queue. `text` is its start.
    #[serde(rename = "job.prompt")]
    Prompt { id: Uuid, text: String, interrupt: bool },
    /// The turn has its place, and Codex is being started in this directory.
    #[serde(rename = "turn.running")]
    Running {
        cwd: PathBuf,
        /// The prompt of the turn. Older versions did not record it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<Uuid>,
    },
    /// A line from Codex was not an event, or too long to keep.
    #[serde(rename = "job.skipped")]
    Skipped { reason: String },
    /// A turn has ended, or a prompt that never became a turn.
    #[serde(rename = "turn.ended")]
    Ended {
        status: Status,
        /// The prompt of the turn. Older versions did not record it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<Uuid>,
        /// Whether to add a notification.
        #[serde(rename = "told")]
        notify: bool,
        /// Whether more turns of the job are waiting or running.
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
        #[serde(default, skip_serializing_if = "ChangedFiles::is_empty")]
        files_changed: ChangedFiles,
    },
    /// The process that ran the job is gone.
    #[serde(rename = "job.interrupted")]
    Interrupted { error: JobError },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_an_older_version_is_read() {
        let session = "0199a213-81c0-7800-8aa1-bbab2a035001";
        let created = format!(
            r#"{{"at":1,"turn":0,"job":{{"type":"job.created","label":null,"prompt":"p","cwd":null,
            "session_id":null,"began":{{"copy_of":"{session}"}},"codex_home":null,
            "lasting":{{"model":"m","timeout_ms":5,"idle_timeout_ms":null}}}}}}"#
        );
        let line: Line<'_> = serde_json::from_str(&created).expect("it was written so");
        let Some(JobEvent::Created { origin, .. }) = line.job else { panic!("it is one") };
        assert!(matches!(origin, SessionOrigin::CopyOf(id) if id.to_string() == session));
        for (name, known) in [("untold", "Unknown"), ("anew", "New")] {
            let origin: SessionOrigin = serde_json::from_value(name.into()).expect("it is one");
            assert_eq!(format!("{origin:?}"), known);
        }
        let ended = r#"{"at":1,"turn":1,"job":{"type":"turn.ended","status":"completed","told":true,
            "more":false,"session_id":null,"result":"r","error":null,"usage":null}}"#;
        let line: Line<'_> = serde_json::from_str(ended).expect("it was written so");
        assert!(matches!(line.job, Some(JobEvent::Ended { notify: true, .. })));
    }
}
