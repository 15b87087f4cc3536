//! Where a job's session comes from.

use serde::{Deserialize, Serialize};

use crate::model::session_id::SessionId;

/// Where a job's session comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionOrigin {
    /// Older versions did not record it.
    #[default]
    #[serde(rename = "untold")]
    Unknown,
    /// The job started it.
    #[serde(rename = "anew")]
    New,
    /// It existed before the job.
    #[serde(rename = "in")]
    Existing(SessionId),
    /// It is a copy of this session, which existed before the job.
    CopyOf(SessionId),
}

impl SessionOrigin {
    pub(super) fn of(session: Option<SessionId>, fork: bool) -> Self {
        match session {
            None => Self::New,
            Some(session) if fork => Self::CopyOf(session),
            Some(session) => Self::Existing(session),
        }
    }
}
