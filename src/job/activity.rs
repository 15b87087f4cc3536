//! The progress of a long job: how much it did, what it does now, and whether it looks stuck. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codex::progress_text::{progress_text, without_shell};
use crate::codex::reading::repetition::Repetition;
use crate::codex::reading::stuck::{MODEL_IDLE, WORK_IDLE};
use crate::codex::sandbox_failure::SandboxFailures;
use crate::model::event::{Event, Item, Phase};
use crate::model::outcome::duration;
use crate::model::text::hash;
use crate::model::time::Time;
use crate::turn::advice;

/// The maximum number of distinct changed files, and of items in progress, to keep track of.
const MAX_FILES: usize = 2_000;
const MAX_OPEN: usize = 256;

/// What a job has done so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Activity {
    /// Commands that have ended, and those of them with an exit code other than 0.
    pub(crate) commands: u64,
    pub(crate) commands_failed: u64,
    /// Commands of the running or last turn that did not run for lack of a sandbox.
    #[serde(default)]
    not_run: SandboxFailures,
    /// The number of distinct changed files, up to 2,000.
    pub(crate) files_changed: u64,
    /// What it does now, in one line.
    pub(crate) last_activity: String,
    pub(crate) last_activity_at: Time,
    #[serde(flatten)]
    repetition: Repetition,
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

    pub(crate) fn turn_started(&mut self, at: Time) {
        self.note(at, "starting Codex");
        self.open.clear();
        self.repetition.clear();
        self.not_run = SandboxFailures::default();
        self.in_turn = true;
    }

    pub(crate) fn turn_ended(&mut self, at: Time, how: &str) {
        self.note(at, how);
        self.open.clear();
        self.in_turn = false;
    }

    pub(crate) fn apply_event(&mut self, at: Time, event: &Event, resumed: bool) {
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
                self.repetition.command(&without_shell(command));
            }
            Item::Reasoning { text } => {
                self.repetition.thought(text);
            }
            Item::AgentMessage { text } => {
                self.repetition.message(text);
            }
            Item::McpToolCall { server, tool, .. } => {
                self.repetition.tool(&format!("{server}/{tool}"));
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
                // Files that change are progress.
                self.repetition.clear();
            }
            Item::CollabToolCall { .. }
            | Item::WebSearch { .. }
            | Item::TodoList { .. }
            | Item::Error { .. }
            | Item::Other { .. } => {}
        }
    }

    /// The warning that the running turn would end with if it ended now. An ended turn has recorded
    /// it.
    pub(crate) fn warning(&self) -> Option<String> {
        self.in_turn.then(|| advice::not_run(&self.not_run, 0))?
    }

    /// Why the job looks stuck, if it does.
    pub(crate) fn stuck(&self, now: Time) -> Option<String> {
        if !self.in_turn {
            return None;
        }
        if let Some(repetition) = self.repetition.phrase() {
            return Some(repetition);
        }
        let idle = Duration::from_millis(now.0.saturating_sub(self.last_activity_at.0));
        let (bound, of) = if self.open.is_empty() {
            (MODEL_IDLE, "the model")
        } else {
            (WORK_IDLE, "the running command or tool")
        };
        (idle >= bound).then(|| format!("no event from {of} for {}", duration(idle)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(item: Item) -> Event {
        Event::Item { id: "1".into(), phase: Phase::Completed, item }
    }

    #[test]
    fn a_repeated_step_is_reported_until_other_steps_follow() {
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
        activity.turn_started(at);
        for number in 0..4 {
            assert_eq!(activity.stuck(at), None);
            activity.apply_event(at, &thought(number), false);
            activity.apply_event(at, &command(), false);
        }
        let why = Some("4 of the last 8 steps were the same command: make".to_owned());
        assert_eq!(activity.stuck(at), why);
        activity.apply_event(at, &thought(4), false);
        assert!(activity.stuck(at).is_some(), "what it thinks of it is no progress");
        activity.apply_event(at, &thought(5), false);
        activity.apply_event(at, &thought(6), false);
        assert_eq!(activity.stuck(at), None);
    }
}
