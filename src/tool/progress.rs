//! What a person is told while a turn runs. Pure: events and times go in, messages come out.

use std::time::Duration;

use tokio::time::Instant;

use crate::codex::step::step;
use crate::model::event::Event;
use crate::model::outcome::duration;

/// The shortest time between two messages. What comes in between is merged: the newest is told.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// How long there may be no message: then the last is told again, with the time that has passed.
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// The progress of one call.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    last_sent: Option<Instant>,
    /// What is being done, and whether that was told.
    step: String,
    told: bool,
    /// Whether the step must not wait: the session's id.
    urgent: bool,
    resumed: bool,
    sent: u32,
}

impl Progress {
    pub(crate) fn new(began: Instant, resumed: bool) -> Self {
        Self {
            began,
            last_sent: None,
            step: "waiting to start".into(),
            told: true,
            urgent: false,
            resumed,
            sent: 0,
        }
    }

    /// Takes in an event.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Some(step) = step(event, self.resumed) {
            self.urgent |= matches!(event, Event::ThreadStarted { .. });
            self.told &= step == self.step;
            // The session's id is told before anything else takes its place.
            if !self.urgent || matches!(event, Event::ThreadStarted { .. }) {
                self.step = step;
            }
        }
    }

    /// When there is something to tell. Never in the past of what was told.
    pub(crate) fn due(&self) -> Instant {
        let last = self.last_sent.unwrap_or(self.began);
        match (self.told, self.urgent, self.last_sent) {
            (false, true, _) => self.began,
            (false, false, None) => self.began,
            (false, false, Some(last)) => last + AT_MOST_EVERY,
            (true, _, _) => last + AT_LEAST_EVERY,
        }
    }

    /// The message that is due, and its number, which grows.
    pub(crate) fn report(&mut self, now: Instant) -> (u32, String) {
        let heartbeat = self.told;
        self.last_sent = Some(now);
        self.told = true;
        self.urgent = false;
        self.sent += 1;
        let elapsed = duration(now.duration_since(self.began));
        let message =
            if heartbeat { format!("{} ({elapsed})", self.step) } else { self.step.clone() };
        (self.sent, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event {
        Event::decode(line.as_bytes()).expect("the test writes events")
    }

    fn started(kind_and_fields: &str) -> Event {
        event(&format!(r#"{{"type":"item.started","item":{{"id":"1",{kind_and_fields}}}}}"#))
    }

    #[test]
    fn the_session_is_told_at_once_and_before_what_follows_it() {
        let began = Instant::now();
        let mut progress = Progress::new(began, false);
        progress.note(&event(r#"{"type":"thread.started","thread_id":"T"}"#));
        progress.note(&event(r#"{"type":"turn.started"}"#));
        assert_eq!(progress.due(), began);
        assert_eq!(progress.report(began), (1, "session T started".into()));
    }

    #[test]
    fn steps_are_merged_and_silence_is_broken_by_the_time_that_passed() {
        let began = Instant::now();
        let mut progress = Progress::new(began, true);
        progress.note(&event(r#"{"type":"thread.started","thread_id":"T"}"#));
        progress.report(began);
        for command in ["one", "two", "three"] {
            progress
                .note(&started(&format!(r#""type":"command_execution","command":"{command}""#)));
        }
        assert_eq!(progress.due(), began + AT_MOST_EVERY);
        let now = began + AT_MOST_EVERY;
        assert_eq!(progress.report(now), (2, "running: three".into()));
        assert_eq!(progress.due(), now + AT_LEAST_EVERY);
        assert_eq!(progress.report(now + AT_LEAST_EVERY), (3, "running: three (11 s)".into()));
    }
}
