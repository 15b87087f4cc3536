//! The two limits of a call. Pure: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::limits::Limits;
use crate::model::outcome::Limit;

/// When a call is over its limits. Silence does not count while Codex is at work on a command or a
/// tool call, which a long build is.
#[derive(Debug)]
pub(crate) struct Clock {
    limits: Limits,
    began: Instant,
    last_event: Instant,
    working: bool,
}

impl Clock {
    /// A clock for a call that began at `began`.
    pub(crate) fn new(limits: Limits, began: Instant) -> Self {
        Self { limits, began, last_event: began, working: false }
    }

    /// Has the call begin at `now`.
    pub(crate) fn begin(&mut self, now: Instant) {
        *self = Self::new(self.limits, now);
    }

    /// Takes note of a sign of life, and of whether Codex is at work now.
    pub(crate) fn event(&mut self, now: Instant, working: bool) {
        self.last_event = now;
        self.working = working;
    }

    /// Takes note that this process was awake only so much later than it wanted to: it stood still, and
    /// Codex with it, for at least that long. That is no silence of Codex's.
    pub(crate) fn stood_still(&mut self, now: Instant, late: Duration) {
        self.began += late;
        self.last_event = now;
    }

    /// The limit that is reached at `now`.
    pub(crate) fn reached(&self, now: Instant) -> Option<Limit> {
        if now >= self.total_ends() {
            Some(Limit::Total(self.limits.total))
        } else if !self.working && now >= self.last_event + self.limits.idle {
            Some(Limit::Idle(self.limits.idle))
        } else {
            None
        }
    }

    /// When to look again. Never before a limit could be reached, so that events cost no timer.
    pub(crate) fn next_look(&self) -> Instant {
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

    /// When the call as a whole is over.
    pub(crate) fn total_ends(&self) -> Instant {
        self.began + self.limits.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn clock(began: Instant) -> Clock {
        Clock::new(Limits { total: 10 * SECOND, idle: 3 * SECOND }, began)
    }

    #[test]
    fn silence_counts_only_while_codex_is_not_at_work() {
        let began = Instant::now();
        let mut clock = clock(began);
        assert_eq!(clock.reached(began + 2 * SECOND), None);
        assert_eq!(clock.reached(began + 3 * SECOND), Some(Limit::Idle(3 * SECOND)));
        clock.event(began + SECOND, true);
        assert_eq!(clock.reached(began + 9 * SECOND), None);
        assert_eq!(clock.next_look(), began + 10 * SECOND);
        clock.event(began + 6 * SECOND, false);
        assert_eq!(clock.next_look(), began + 9 * SECOND);
        assert_eq!(clock.reached(began + 9 * SECOND), Some(Limit::Idle(3 * SECOND)));
    }

    #[test]
    fn the_total_counts_always() {
        let began = Instant::now();
        let mut clock = clock(began);
        clock.event(began + 9 * SECOND, true);
        assert_eq!(clock.reached(began + 10 * SECOND), Some(Limit::Total(10 * SECOND)));
    }
}
