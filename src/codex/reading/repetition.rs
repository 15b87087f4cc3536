//! Whether the same step is repeated again and again. Pure.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::codex::progress_text::{heading, one_line};
use crate::model::text::hash;

/// How many of the last steps to search for repetitions.
const STEPS: usize = 12;

/// How many occurrences of the same step among these look stuck.
const REPEATED: usize = 4;

/// Among how many of the newest steps the repeated one must be: between two runs of a command there may be a
/// thought and a message.
const NEWEST: usize = 3;

/// The last steps. The state of a job has them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Repetition {
    /// Hashes.
    steps: VecDeque<u64>,
    /// The last repeated step, and a description of it.
    repeated: Option<(u64, String)>,
}

impl Repetition {
    pub(crate) fn command(&mut self, command: &str) {
        self.add(command, || format!("the same command: {command}"));
    }

    pub(crate) fn tool(&mut self, tool: &str) {
        self.add(tool, || format!("the same tool: {tool}"));
    }

    pub(crate) fn message(&mut self, text: &str) {
        self.add(text, || format!("the same message: {}", heading(text).unwrap_or_default()));
    }

    pub(crate) fn thought(&mut self, text: &str) {
        self.add(text, || format!("the same thought: {}", heading(text).unwrap_or_default()));
    }

    fn add(&mut self, step: &str, describe: impl FnOnce() -> String) {
        if self.steps.len() == STEPS {
            self.steps.pop_front();
        }
        let step = hash(step);
        self.steps.push_back(step);
        if self.count(step) >= REPEATED {
            self.repeated = Some((step, one_line(&describe())));
        }
    }

    /// Forgets the steps: there was progress. What was repeated last is no longer among them.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
    }

    fn count(&self, step: u64) -> usize {
        self.steps.iter().filter(|other| **other == step).count()
    }

    /// A phrase about the step that is repeated, if one is.
    pub(crate) fn phrase(&self) -> Option<String> {
        let (step, description) = self.repeated.as_ref()?;
        let again = self.count(*step);
        let is_new = self.steps.iter().rev().take(NEWEST).any(|newest| newest == step);
        (again >= REPEATED && is_new)
            .then(|| format!("{again} of the last {} steps were {description}", self.steps.len()))
    }
}
