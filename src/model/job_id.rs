//! The id of a job.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::value::InvalidValue;

/// The id of a job: a version 7 UUID, so that ids sort by the time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// Creates a new, unique id.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// When the id was created, or `None` for a UUID of another version.
    pub(crate) fn created_at(self) -> Option<SystemTime> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
    }
}

impl FromStr for JobId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|_| {
            InvalidValue(
                "must be a job_id (a UUID), which the tools that start and list jobs return".into(),
            )
        })
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}
