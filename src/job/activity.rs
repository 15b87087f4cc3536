//! What a long job is at: how much it did, what it does now, and whether it looks stuck. Pure.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codex::progress_text::{heading, progress_text, without_shell};
use crate::codex::sandbox_failure::SandboxFailures;
use crate::model::event::{Event, Item, Phase};
use crate::model::outcome::duration;
use crate::model::time::Time;
use crate::turn::advice;

/// How many of the last steps are looked at for repetitions.
const STEPS: usize = 12;

/// How often the same step among these looks stuck.
const REPEATED: usize = 4;

/// Among how many of the newest steps it must be: between two runs of a command there may be a
/// thought and a message.
const NEWEST: usize = 3;

/// How long a silence looks stuck: while the model thinks, and while a command runs.
const SILENCE: Duration = Duration::from_secs(3 * 60);
const SILENT_WORK: Duration = Duration::from_secs(15 * 60);

/// How many changed files are told apart, and how many items in progress.
const MAX_FILES: usize = 2_000;
const MAX_OPEN: usize = 256;

/// What was done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Activity {
    /// Commands that ran and ended, and those of them that did not end with 0.
    pub(crate) commands: u64,
    pub(crate) commands_failed: u64,
    /// Those of the running turn, or of the last one, that did not run for want of a sandbox.
    #[serde(default)]
    not_run: SandboxFailures,
    /// Files that were changed; each counts once, up to 2,000 of them.
    pub(crate) files_changed: u64,
    /// What is done now, in one line for a person.
    pub(crate) last_activity: String,
    pub(crate) last_activity_at: Time,
    /// The last steps.
    steps: VecDeque<u64>,
    /// The step that was repeated last, in words.
    repeated: Option<(u64, String)>,
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
        self.not_run = SandboxFailures::default();
        self.in_turn = true;
    }

    pub(crate) fn turn_ends(&mut self, at: Time, how: &str) {
        self.note(at, how);
        self.open.clear();
        self.in_turn = false;
    }

    pub(crate) fn take_event(&mut self, at: Time, event: &Event, resumed: bool) {
        if let Some(step) = progress_text(event, resumed) {
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
            Item::Command { command, exit_code, no_sandbox, .. } => {
                if let Some(said) = no_sandbox {
                    self.not_run.add(said);
                } else {
                    self.commands += 1;
                    self.commands_failed += u64::from(exit_code.is_some_and(|code| code != 0));
                }
                let command = without_shell(command);
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
            Item::McpToolCall { server, tool, .. } => {
                self.step(&format!("{server}/{tool}"), || {
                    format!("the same tool: {server}/{tool}")
                });
            }
            Item::FileChange { made: false, .. } => {}
            Item::FileChange { paths, .. } => {
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
        if self.count(what) >= REPEATED {
            self.repeated = Some((what, crate::codex::progress_text::one_line(&words())));
        }
    }

    fn count(&self, step: u64) -> usize {
        self.steps.iter().filter(|other| **other == step).count()
    }

    fn repetition(&self) -> Option<String> {
        let (step, words) = self.repeated.as_ref()?;
        let again = self.count(*step);
        let is_new = self.steps.iter().rev().take(NEWEST).any(|newest| newest == step);
        (again >= REPEATED && is_new)
            .then(|| format!("{again} of the last {} steps were {words}", self.steps.len()))
    }

    /// What the running turn would have as a warning if it ended now. When it has ended it has that.
    pub(crate) fn warning(&self) -> Option<String> {
        self.in_turn.then(|| advice::not_run(&self.not_run, 0))?
    }

    /// Why the job looks stuck, if it does.
    pub(crate) fn stuck(&self, now: Time) -> Option<String> {
        if !self.in_turn {
            return None;
        }
        if let Some(repetition) = self.repetition() {
            return Some(repetition);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn done(item: Item) -> Event {
        Event::Item { id: "1".into(), phase: Phase::Completed, item }
    }

    #[test]
    fn a_repeated_step_is_told_until_others_have_come() {
        let mut activity = Activity::default();
        let at = Time::now();
        let command = || {
            done(Item::Command {
                command: "make".into(),
                exit_code: Some(2),
                refused: false,
                no_sandbox: None,
            })
        };
        let thought = |number: usize| done(Item::Reasoning { text: format!("thought {number}") });
        activity.turn_begins(at);
        for number in 0..4 {
            assert_eq!(activity.stuck(at), None);
            activity.take_event(at, &thought(number), false);
            activity.take_event(at, &command(), false);
        }
        let why = Some("4 of the last 8 steps were the same command: make".to_owned());
        assert_eq!(activity.stuck(at), why);
        activity.take_event(at, &thought(4), false);
        assert!(activity.stuck(at).is_some(), "what it thinks of it is no progress");
        activity.take_event(at, &thought(5), false);
        activity.take_event(at, &thought(6), false);
        assert_eq!(activity.stuck(at), None);
    }
}
