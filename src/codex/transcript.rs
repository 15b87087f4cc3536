//! Folds the events of one run of Codex into what an answer needs. Pure.

use std::collections::{HashMap, HashSet};

use super::event_stream::Skipped;
use super::item_warning;
use super::sandbox_denials::SandboxDenials;
use super::turn_record::{self, RecordedAction, TurnRecord};
use crate::model::changed_files::{ChangedFiles, Collector};
use crate::model::event::{Event, Item, Phase};
use crate::model::usage::Usage;

/// Maximum number of items in progress that are tracked. Real turns have fewer.
const MAX_OPEN_ITEMS: usize = 1024;

/// Maximum number of distinct commands that are counted for comparison with Codex's record.
const MAX_COMMANDS: usize = 10_000;

/// Maximum number of distinct warnings.
const MAX_WARNINGS: usize = 20;

/// How a turn ended according to Codex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Terminal {
    Completed { usage: Option<Usage> },
    Failed { message: String },
}

/// The state of a run so far. However long the run, only its last reply is kept.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// The session id that Codex reported.
    pub(crate) thread_id: Option<String>,
    /// The last message from Codex.
    pub(crate) reply: Option<String>,
    /// The last error that did not end the turn.
    pub(crate) last_error: Option<String>,
    /// How the turn ended, once it has.
    pub(crate) terminal: Option<Terminal>,
    /// Number of lines that were not events.
    pub(crate) bad_lines: u64,
    /// Length in bytes of the longest line that was skipped because it was too long.
    pub(crate) longest_skipped: u64,
    /// Whether a line that was too long was skipped after the last reply.
    pub(crate) skipped_after_reply: bool,
    /// What the sandbox denied.
    pub(crate) denials: SandboxDenials,
    /// The files that patches changed.
    changed: Collector,
    /// How often each command has completed, by its normalized text.
    commands: HashMap<String, usize>,
    /// Warnings for the caller.
    warnings: Vec<String>,
    /// Ids of the commands and tool calls in progress.
    open_work: HashSet<String>,
}

impl Transcript {
    /// Merges Codex's record of the turn, and returns the actions that the stream omitted.
    pub(crate) fn merge(&mut self, record: TurnRecord) -> Vec<RecordedAction> {
        let (missing, denials) = record.missing_from(&self.commands);
        self.denials.merge(denials);
        missing.iter().for_each(|action| self.add_changes(&action.event()));
        missing
    }

    fn add_changes(&mut self, event: &Event) {
        if let Event::Item { phase: Phase::Completed, item, .. } = event
            && let Item::FileChange { paths, made: true, .. } = item
        {
            paths.iter().for_each(|path| self.changed.add(path));
        }
    }

    /// Removes and returns the files that patches changed.
    pub(crate) fn take_changed_files(&mut self) -> ChangedFiles {
        std::mem::take(&mut self.changed).finish()
    }

    /// Removes and returns the warnings for the caller.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Adds one event. Events after the terminal one are ignored.
    pub(crate) fn record(&mut self, event: &Event) {
        if self.terminal.is_some() {
            return;
        }
        match event {
            Event::ThreadStarted { thread_id } => self.thread_id = Some(thread_id.clone()),
            Event::Item { id, phase, item } => {
                self.add_changes(event);
                self.record_item(id, *phase, item);
            }
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

    /// Counts a skipped line.
    pub(crate) fn record_skipped(&mut self, skipped: Skipped) {
        match skipped {
            Skipped::NotAnEvent => self.bad_lines += 1,
            Skipped::TooLong(length) => {
                self.longest_skipped = self.longest_skipped.max(length);
                self.skipped_after_reply = true;
            }
        }
    }

    /// Whether a command or tool call is in progress.
    pub(crate) fn is_working(&self) -> bool {
        !self.open_work.is_empty()
    }

    fn record_item(&mut self, id: &str, phase: Phase, item: &Item) {
        if let (Item::AgentMessage { text }, Phase::Completed) = (item, phase) {
            self.reply = Some(text.clone());
            self.skipped_after_reply = false;
        }
        if let (Some(warning), Phase::Completed) = (item_warning::item_warning(item), phase)
            && !self.warnings.contains(&warning)
            && self.warnings.len() < MAX_WARNINGS
        {
            self.warnings.push(warning);
        }
        match phase {
            Phase::Completed => {
                self.denials.add(item);
                if let Item::Command { command, .. } = item {
                    let key = turn_record::command_key(command);
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
    fn the_last_message_is_the_reply_and_the_first_terminal_event_counts() {
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
    fn a_command_is_in_progress_until_it_completes() {
        let started = r#"{"type":"item.started","item":{"id":"1","type":"command_execution"}}"#;
        let completed = started.replace("started", "completed");
        assert!(transcript_of(started).is_working());
        assert!(!transcript_of(&format!("{started}\n{completed}")).is_working());
    }
}
