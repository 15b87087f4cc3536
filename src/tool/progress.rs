//! Progress messages while a turn runs. Pure: events and times go in, messages come out.

use std::time::Duration;

use tokio::time::Instant;

use crate::codex::progress_text::progress_text;
use crate::model::event::Event;
use crate::model::outcome::duration;

/// The shortest time between two messages. Of the steps in between, only the newest is reported.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The longest time without a message. Then the last one is repeated, with the elapsed time.
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// The progress of one call.
#[derive(Debug)]
pub(crate) struct Progress {
    started_at: Instant,
    last_sent: Option<Instant>,
    /// The current step, and whether it was reported.
    step: String,
    reported: bool,
    /// Whether the step must be reported at once: the session's id.
    urgent: bool,
    resumed: bool,
    sent: u32,
}

impl Progress {
    pub(crate) fn new(started_at: Instant, resumed: bool) -> Self {
        Self {
            started_at,
            last_sent: None,
            step: "waiting to start".into(),
            reported: true,
            urgent: false,
            resumed,
            sent: 0,
        }
    }

    /// Updates the current step.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Some(step) = progress_text(event, self.resumed) {
            self.urgent |= matches!(event, Event::ThreadStarted { .. });
            self.reported &= step == self.step;
            // No other step may replace the session's id before it is reported.
            if !self.urgent || matches!(event, Event::ThreadStarted { .. }) {
                self.step = step;
            }
        }
    }

    /// When the next message is due.
    pub(crate) fn due(&self) -> Instant {
        let last = self.last_sent.unwrap_or(self.started_at);
        match (self.reported, self.urgent, self.last_sent) {
            (false, true, _) => self.started_at,
            (false, false, None) => self.started_at,
            (false, false, Some(last)) => last + AT_MOST_EVERY,
            (true, _, _) => last + AT_LEAST_EVERY,
        }
    }

    /// The message that is due, and its number, which increases.
    pub(crate) fn report(&mut self, now: Instant) -> (u32, String) {
        let heartbeat = self.reported;
        self.last_sent = Some(now);
        self.reported = true;
        self.urgent = false;
        self.sent += 1;
        let elapsed = duration(now.duration_since(self.started_at));
        let message =
            if heartbeat { format!("{} ({elapsed})", self.step) } else { self.step.clone() };
        (self.sent, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{event, started};

    #[test]
    fn the_session_is_reported_at_once_and_before_later_steps() {
        let started_at = Instant::now();
        let mut progress = Progress::new(started_at, false);
        progress.note(&event(r#"{"type":"thread.started","thread_id":"T"}"#));
        progress.note(&event(r#"{"type":"turn.started"}"#));
        assert_eq!(progress.due(), started_at);
        assert_eq!(progress.report(started_at), (1, "session T started".into()));
    }

    #[test]
    fn steps_are_merged_and_a_heartbeat_has_the_elapsed_time() {
        let started_at = Instant::now();
        let mut progress = Progress::new(started_at, true);
        progress.note(&event(r#"{"type":"thread.started","thread_id":"T"}"#));
        progress.report(started_at);
        for command in ["one", "two", "three"] {
            progress
                .note(&started(&format!(r#""type":"command_execution","command":"{command}""#)));
        }
        assert_eq!(progress.due(), started_at + AT_MOST_EVERY);
        let now = started_at + AT_MOST_EVERY;
        assert_eq!(progress.report(now), (2, "running: three".into()));
        assert_eq!(progress.due(), now + AT_LEAST_EVERY);
        assert_eq!(progress.report(now + AT_LEAST_EVERY), (3, "running: three (11 s)".into()));
    }
}
