//! The events of one run of Codex, folded into what an answer needs. No I/O.

use std::collections::{HashMap, HashSet};

use super::event_stream::Skipped;
use super::notice;
use super::recorded::{self, Done, Recorded};
use super::refused::Refused;
use crate::model::event::{Event, Item, Phase};
use crate::model::usage::Usage;

/// How many items in progress are told apart. More are not seen in real turns.
const MAX_OPEN_ITEMS: usize = 1024;

/// How many different commands are counted, to be found again in Codex's record.
const MAX_COMMANDS: usize = 10_000;

/// How many different notices are kept.
const MAX_NOTICES: usize = 20;

/// How a turn ended, in Codex's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Terminal {
    Completed { usage: Option<Usage> },
    Failed { message: String },
}

/// What is known of a run so far. Holds one reply, whatever the length of the run.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// The session id that Codex announced.
    pub(crate) thread_id: Option<String>,
    /// The last thing Codex said.
    pub(crate) reply: Option<String>,
    /// The last message of trouble that did not end the turn.
    pub(crate) last_error: Option<String>,
    /// How the turn ended, once it has.
    pub(crate) terminal: Option<Terminal>,
    /// Lines that were no events.
    pub(crate) bad_lines: u64,
    /// Length in bytes of the longest line that was skipped for its length.
    pub(crate) longest_skipped: u64,
    /// Whether a line was skipped for its length after the reply that is kept.
    pub(crate) skipped_after_reply: bool,
    /// What the sandbox refused.
    pub(crate) refused: Refused,
    /// How often each command has ended.
    commands: HashMap<String, usize>,
    /// What Codex said in passing that the caller should know.
    notices: Vec<String>,
    open_work: HashSet<String>,
}

impl Transcript {
    /// Takes in what Codex has on record of the turn, and returns what it had not told of.
    pub(crate) fn complete(&mut self, recorded: Recorded) -> Vec<Done> {
        let (untold, refused) = recorded.beyond(&self.commands);
        self.refused.join(refused);
        untold
    }

    /// What Codex said in passing that the caller should know, as warnings.
    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Takes in one event. After the terminal one nothing changes any more.
    pub(crate) fn record(&mut self, event: &Event) {
        if self.terminal.is_some() {
            return;
        }
        match event {
            Event::ThreadStarted { thread_id } => self.thread_id = Some(thread_id.clone()),
            Event::Item { id, phase, item } => self.record_item(id, *phase, item),
            Event::TurnCompleted { usage } => {
                self.terminal = Some(Terminal::Completed { usage: *usage });
            }
            Event::TurnFailed { message } => {
                self.terminal = Some(Terminal::Failed { message: message.clone() });
            }
            Event::Error { message } => self.last_error = Some(message.clone()),
            Event::TurnStarted | Event::Unknown { .. } => {}
        }
    }

    /// Takes note of a line that was skipped.
    pub(crate) fn record_skipped(&mut self, skipped: Skipped) {
        match skipped {
            Skipped::NotAnEvent => self.bad_lines += 1,
            Skipped::TooLong(length) => {
                self.longest_skipped = self.longest_skipped.max(length);
                self.skipped_after_reply = true;
            }
        }
    }

    /// Whether a command or tool call of Codex's is in progress.
    pub(crate) fn is_working(&self) -> bool {
        !self.open_work.is_empty()
    }

    fn record_item(&mut self, id: &str, phase: Phase, item: &Item) {
        if let (Item::AgentMessage { text }, Phase::Completed) = (item, phase) {
            self.reply = Some(text.clone());
            self.skipped_after_reply = false;
        }
        if let (Some(notice), Phase::Completed) = (notice::of(item), phase)
            && !self.notices.contains(&notice)
            && self.notices.len() < MAX_NOTICES
        {
            self.notices.push(notice);
        }
        match phase {
            Phase::Completed => {
                self.refused.take(item);
                if let Item::Command { command, .. } = item {
                    let key = recorded::key(command);
                    if self.commands.len() < MAX_COMMANDS || self.commands.contains_key(&key) {
                        *self.commands.entry(key).or_default() += 1;
                    }
                }
                self.open_work.remove(id);
            }
            Phase::Started | Phase::Updated => {
                if item.is_work() && self.open_work.len() < MAX_OPEN_ITEMS {
                    self.open_work.insert(id.to_owned());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript_of(lines: &str) -> Transcript {
        let mut transcript = Transcript::default();
        for line in lines.lines() {
            transcript.record(&Event::decode(line.as_bytes()).expect("the test writes events"));
        }
        transcript
    }

    #[test]
    fn the_last_message_is_the_reply_and_the_first_ending_counts() {
        let transcript = transcript_of(
            r#"{"type":"item.completed","item":{"id":"0","type":"agent_message","text":"first"}}
{"type":"item.completed","item":{"id":"1","type":"agent_message","text":"second"}}
{"type":"turn.completed","usage":{"input_tokens":3}}
{"type":"turn.failed","error":{"message":"too late"}}"#,
        );
        assert_eq!(transcript.reply.as_deref(), Some("second"));
        let usage = Usage { input_tokens: 3, ..Usage::default() };
        assert_eq!(transcript.terminal, Some(Terminal::Completed { usage: Some(usage) }));
    }

    #[test]
    fn a_command_in_progress_is_work_until_it_is_completed() {
        let started = r#"{"type":"item.started","item":{"id":"1","type":"command_execution"}}"#;
        let completed = started.replace("started", "completed");
        assert!(transcript_of(started).is_working());
        assert!(!transcript_of(&format!("{started}\n{completed}")).is_working());
    }
}
