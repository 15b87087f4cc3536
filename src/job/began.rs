//! What a job's session is.

use serde::{Deserialize, Serialize};

use crate::model::session_id::SessionId;

/// Where a job's session comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Began {
    /// An older version did not write it down.
    #[default]
    Untold,
    /// The job's own.
    Anew,
    /// One that was there before.
    In(SessionId),
    /// A copy of one that was there before.
    CopyOf(SessionId),
}

impl Began {
    pub(super) fn of(session: Option<SessionId>, fork: bool) -> Self {
        match session {
            None => Self::Anew,
            Some(session) if fork => Self::CopyOf(session),
            Some(session) => Self::In(session),
        }
    }
}
