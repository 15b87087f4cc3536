//! How long a call may take.

use std::time::Duration;

/// The longest limit a call may set for itself: a day.
pub const MAX_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the call to the end of the turn, waiting in the queue included.
    pub total: Duration,
    /// Without any event of Codex's, while no command or tool call of its is in progress.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: Duration::from_secs(30 * 60), idle: Duration::from_secs(10 * 60) }
    }
}
