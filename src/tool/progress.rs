//! What a person is told while a turn runs. Pure: events and times go in, messages come out.

use std::time::Duration;

use tokio::time::Instant;

use crate::codex::event::{Event, Item, Phase};
use crate::turn::outcome::duration;

/// The shortest time between two messages. What comes in between is merged: the newest is told.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// How long there may be no message: then the last is told again, with the time that has passed.
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// How much of a command or a thought is told, in characters.
const MAX_CHARS: usize = 160;

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
    pub(crate) fn tell(&mut self, now: Instant) -> (u32, String) {
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

/// What an event means to a person.
fn step(event: &Event, resumed: bool) -> Option<String> {
    match event {
        Event::ThreadStarted { thread_id } => {
            let what = if resumed { "resumed" } else { "started" };
            Some(format!("session {thread_id} {what}"))
        }
        Event::TurnStarted => Some("thinking".into()),
        Event::Item { phase, item, .. } => item_step(*phase, item),
        Event::Error { message } => Some(head(&format!("Codex reports: {message}"))),
        Event::TurnCompleted { .. } | Event::TurnFailed { .. } | Event::Unknown { .. } => None,
    }
}

fn item_step(phase: Phase, item: &Item) -> Option<String> {
    let begins = phase == Phase::Started;
    let ends = phase == Phase::Completed;
    match item {
        Item::Command { command, .. } if begins => {
            Some(head(&format!("running: {}", unwrapped(command))))
        }
        Item::FileChange { paths } if ends => Some(match &paths[..] {
            [path] => head(&format!("edited {path}")),
            paths => format!("edited {} files", paths.len()),
        }),
        Item::TodoList { steps } => {
            let current = steps.iter().position(|step| !step.completed)?;
            let text = &steps[current].text;
            Some(head(&format!("to-do {}/{}: {text}", current + 1, steps.len())))
        }
        Item::Reasoning { text } if ends => heading(text),
        Item::AgentMessage { text } if ends => heading(text),
        Item::McpToolCall { server, tool } if begins => {
            Some(head(&format!("calling {server}/{tool}")))
        }
        Item::CollabToolCall { tool } if begins => Some(head(&format!("calling {tool}"))),
        Item::WebSearch { query } if begins || ends => Some(head(&format!("searching: {query}"))),
        Item::Error { message } if ends => Some(head(&format!("Codex reports: {message}"))),
        Item::Command { .. }
        | Item::FileChange { .. }
        | Item::Reasoning { .. }
        | Item::AgentMessage { .. }
        | Item::McpToolCall { .. }
        | Item::CollabToolCall { .. }
        | Item::WebSearch { .. }
        | Item::Error { .. }
        | Item::Other { .. } => None,
    }
}

/// A command without the shell that Codex puts around it.
fn unwrapped(command: &str) -> &str {
    let Some((shell, script)) = command.split_once(" -lc ").or_else(|| command.split_once(" -c "))
    else {
        return command;
    };
    let is_shell = !shell.contains(' ') && shell.ends_with("sh");
    let quoted = ['\'', '"']
        .into_iter()
        .find_map(|quote| script.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)));
    if is_shell { quoted.unwrap_or(script) } else { command }
}

/// The first line that says something, without Markdown around it.
fn heading(text: &str) -> Option<String> {
    let line = text
        .lines()
        .map(|line| line.trim().trim_matches(['*', '#', ' ']))
        .find(|line| !line.is_empty())?;
    Some(head(line))
}

/// One line, cut to what can be shown.
fn head(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
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

    fn completed(kind_and_fields: &str) -> Event {
        event(&format!(r#"{{"type":"item.completed","item":{{"id":"1",{kind_and_fields}}}}}"#))
    }

    #[test]
    fn each_step_is_told_as_a_person_would_say_it() {
        let told = |event: Event| step(&event, false).unwrap_or_default();
        let command = r#""type":"command_execution","command":"/bin/bash -lc 'cargo test'""#;
        assert_eq!(told(started(command)), "running: cargo test");
        assert_eq!(told(completed(command)), "");
        let change = r#""type":"file_change","changes":[{"path":"a"},{"path":"b"},{"path":"c"}]"#;
        assert_eq!(told(completed(change)), "edited 3 files");
        let todo = r#""type":"todo_list","items":[{"text":"read","completed":true},{"text":"write","completed":false}]"#;
        assert_eq!(told(completed(todo)), "to-do 2/2: write");
        assert_eq!(
            told(completed(r#""type":"reasoning","text":"**Looking**\n\nmore""#)),
            "Looking"
        );
        assert_eq!(
            told(started(r#""type":"mcp_tool_call","server":"s","tool":"t""#)),
            "calling s/t"
        );
        let long = format!(r#""type":"command_execution","command":"{}""#, "é".repeat(500));
        assert_eq!(told(started(&long)).chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn the_session_is_told_at_once_and_before_what_follows_it() {
        let began = Instant::now();
        let mut progress = Progress::new(began, false);
        progress.note(&event(r#"{"type":"thread.started","thread_id":"T"}"#));
        progress.note(&event(r#"{"type":"turn.started"}"#));
        assert_eq!(progress.due(), began);
        assert_eq!(progress.tell(began), (1, "session T started".into()));
    }

    #[test]
    fn steps_are_merged_and_silence_is_broken_by_the_time_that_passed() {
        let began = Instant::now();
        let mut progress = Progress::new(began, true);
        progress.note(&event(r#"{"type":"thread.started","thread_id":"T"}"#));
        progress.tell(began);
        for command in ["one", "two", "three"] {
            progress
                .note(&started(&format!(r#""type":"command_execution","command":"{command}""#)));
        }
        assert_eq!(progress.due(), began + AT_MOST_EVERY);
        let now = began + AT_MOST_EVERY;
        assert_eq!(progress.tell(now), (2, "running: three".into()));
        assert_eq!(progress.due(), now + AT_LEAST_EVERY);
        assert_eq!(progress.tell(now + AT_LEAST_EVERY), (3, "running: three (11 s)".into()));
    }
}
