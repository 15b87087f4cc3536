//! What a long job is at: how much it did, what it does now, and whether it looks stuck. Pure.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::Time;
use crate::codex::event::{Event, Item, Phase};
use crate::codex::step::{heading, step, unwrapped};
use crate::turn::outcome::duration;

/// How many of the last steps are looked at for repetitions.
const STEPS: usize = 12;

/// How often the same step among these looks stuck.
const REPEATED: usize = 4;

/// How long a silence looks stuck: while the model thinks, and while a command runs.
const SILENCE: Duration = Duration::from_secs(3 * 60);
const SILENT_WORK: Duration = Duration::from_secs(15 * 60);

/// How many changed files are told apart, and how many items in progress.
const MAX_FILES: usize = 2_000;
const MAX_OPEN: usize = 256;

/// What was done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Activity {
    /// Commands that ended, and those of them that did not end with 0.
    pub(crate) commands: u64,
    pub(crate) commands_failed: u64,
    /// Files that were changed; each counts once, up to 2,000 of them.
    pub(crate) files_changed: u64,
    /// What is done now, in one line for a person.
    pub(crate) last_activity: String,
    pub(crate) last_activity_at: Time,
    /// The last steps, and the newest in words.
    steps: VecDeque<u64>,
    newest: String,
    files: Vec<u64>,
    open: Vec<String>,
    /// Whether a turn is running.
    in_turn: bool,
}

impl Activity {
    pub(crate) fn note(&mut self, at: Time, what: &str) {
        self.last_activity = what.to_owned();
        self.last_activity_at = at;
    }

    pub(crate) fn turn_begins(&mut self, at: Time) {
        self.note(at, "starting Codex");
        self.open.clear();
        self.steps.clear();
        self.in_turn = true;
    }

    pub(crate) fn turn_ends(&mut self, at: Time, how: &str) {
        self.note(at, how);
        self.open.clear();
        self.in_turn = false;
    }

    pub(crate) fn take_event(&mut self, at: Time, event: &Event, resumed: bool) {
        if let Some(step) = step(event, resumed) {
            self.last_activity = step;
        }
        self.last_activity_at = at;
        let Event::Item { id, phase, item } = event else { return };
        if *phase != Phase::Completed {
            if item.is_work() && self.open.len() < MAX_OPEN && !self.open.contains(id) {
                self.open.push(id.clone());
            }
            return;
        }
        self.open.retain(|open| open != id);
        match item {
            Item::Command { command, exit_code } => {
                self.commands += 1;
                self.commands_failed += u64::from(exit_code.is_some_and(|code| code != 0));
                let command = unwrapped(command);
                self.step(command, || format!("the same command: {command}"));
            }
            Item::Reasoning { text } => {
                self.step(text, || {
                    format!("the same thought: {}", heading(text).unwrap_or_default())
                });
            }
            Item::AgentMessage { text } => {
                self.step(text, || {
                    format!("the same message: {}", heading(text).unwrap_or_default())
                });
            }
            Item::McpToolCall { server, tool } => {
                self.step(&format!("{server}/{tool}"), || {
                    format!("the same tool: {server}/{tool}")
                });
            }
            Item::FileChange { paths } => {
                for path in paths {
                    let path = hash(path);
                    if self.files.len() < MAX_FILES && !self.files.contains(&path) {
                        self.files.push(path);
                        self.files_changed += 1;
                    }
                }
                // Work that is written down is no repetition.
                self.steps.clear();
            }
            Item::CollabToolCall { .. }
            | Item::WebSearch { .. }
            | Item::TodoList { .. }
            | Item::Error { .. }
            | Item::Other { .. } => {}
        }
    }

    fn step(&mut self, what: &str, words: impl FnOnce() -> String) {
        if self.steps.len() == STEPS {
            self.steps.pop_front();
        }
        let what = hash(what);
        self.steps.push_back(what);
        let again = self.steps.iter().filter(|step| **step == what).count();
        self.newest = if again >= REPEATED {
            let words = crate::codex::step::head(&words());
            format!("{again} of the last {} steps were {words}", self.steps.len())
        } else {
            String::new()
        };
    }

    /// Why the job looks stuck, if it does.
    pub(crate) fn stuck(&self, now: Time) -> Option<String> {
        if !self.in_turn {
            return None;
        }
        if !self.newest.is_empty() {
            return Some(self.newest.clone());
        }
        let silence = Duration::from_millis(now.0.saturating_sub(self.last_activity_at.0));
        let (bound, of) = if self.open.is_empty() {
            (SILENCE, "the model")
        } else {
            (SILENT_WORK, "a command or tool that it runs")
        };
        (silence >= bound).then(|| format!("nothing from {of} for {}", duration(silence)))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
