//! What a job is called.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::value::InvalidValue;

/// The name of a job: a UUID of version 7, so that the names of later jobs are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// A name that no other job has.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// When the name was made.
    pub(crate) fn made_at(self) -> Option<SystemTime> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
    }
}

impl FromStr for JobId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|_| {
            InvalidValue(
                "must be the job_id that job_start returned, a UUID; job_list has all".into(),
            )
        })
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}
