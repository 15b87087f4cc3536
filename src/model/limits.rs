//! The timeouts of a call.

use std::time::Duration;

/// The longest timeout that a call may set: 24 hours.
pub const MAX_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The timeouts of a call. Default: 30 minutes in total, 10 minutes idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Total timeout, from the start of the call to the end of the turn, including time in the queue.
    pub total: Duration,
    /// Idle timeout: how long Codex may report no event while no command or tool call is in progress.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: Duration::from_secs(30 * 60), idle: Duration::from_secs(10 * 60) }
    }
}
