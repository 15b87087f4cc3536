//! The two timeouts of a call. Pure: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::limits::Limits;
use crate::model::outcome::Limit;

/// When a call times out. The idle timeout does not run while Codex waits for a command or a tool call,
/// which may be a long build.
#[derive(Debug)]
pub(crate) struct Clock {
    limits: Limits,
    started: Instant,
    last_event: Instant,
    working: bool,
}

impl Clock {
    /// A clock for a call that started at `started`.
    pub(crate) fn new(limits: Limits, started: Instant) -> Self {
        Self { limits, started, last_event: started, working: false }
    }

    /// Counts from `now` on, as if the call started then.
    pub(crate) fn restart(&mut self, now: Instant) {
        *self = Self::new(self.limits, now);
    }

    /// Codex printed something, and is at work on a command or a tool call or not.
    pub(crate) fn event(&mut self, now: Instant, working: bool) {
        self.last_event = now;
        self.working = working;
    }

    /// This process woke up later than planned: it was suspended for at least that long, and Codex with
    /// it. That time does not count.
    pub(crate) fn was_suspended(&mut self, now: Instant, late: Duration) {
        self.started += late;
        self.last_event = now;
    }

    /// The timeout that has passed at `now`.
    pub(crate) fn reached(&self, now: Instant) -> Option<Limit> {
        if now >= self.total_ends() {
            Some(Limit::Total(self.limits.total))
        } else if !self.working && now >= self.last_event + self.limits.idle {
            Some(Limit::Idle(self.limits.idle))
        } else {
            None
        }
    }

    /// When to check again: never before a timeout could pass, so that events cost no timer.
    pub(crate) fn next_check(&self) -> Instant {
        if self.working {
            self.total_ends()
        } else {
            self.total_ends().min(self.last_event + self.limits.idle)
        }
    }

    /// How long the call as a whole may take.
    pub(crate) fn total(&self) -> Duration {
        self.limits.total
    }

    /// When the call as a whole times out.
    pub(crate) fn total_ends(&self) -> Instant {
        self.started + self.limits.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn clock(started: Instant) -> Clock {
        Clock::new(Limits { total: 10 * SECOND, idle: 3 * SECOND }, started)
    }

    #[test]
    fn idle_time_counts_only_while_codex_is_not_at_work() {
        let started = Instant::now();
        let mut clock = clock(started);
        assert_eq!(clock.reached(started + 2 * SECOND), None);
        assert_eq!(clock.reached(started + 3 * SECOND), Some(Limit::Idle(3 * SECOND)));
        clock.event(started + SECOND, true);
        assert_eq!(clock.reached(started + 9 * SECOND), None);
        assert_eq!(clock.next_check(), started + 10 * SECOND);
        clock.event(started + 6 * SECOND, false);
        assert_eq!(clock.next_check(), started + 9 * SECOND);
        assert_eq!(clock.reached(started + 9 * SECOND), Some(Limit::Idle(3 * SECOND)));
    }

    #[test]
    fn the_total_counts_always() {
        let started = Instant::now();
        let mut clock = clock(started);
        clock.event(started + 9 * SECOND, true);
        assert_eq!(clock.reached(started + 10 * SECOND), Some(Limit::Total(10 * SECOND)));
    }
}
