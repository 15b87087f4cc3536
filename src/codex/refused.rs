//! What the sandbox refused in a turn. Pure.

use super::no_sandbox::NotRun;
use super::step::{head, unwrapped};
use crate::model::event::Item;

/// What the sandbox refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// How many commands it kept from something.
    pub(crate) commands: u64,
    /// How many patches it kept from being made.
    pub(crate) patches: u64,
    /// The commands that did not run because their sandbox could not be made.
    pub(crate) not_run: NotRun,
    /// The first of all that it kept from something, in words.
    pub(crate) first: Option<String>,
}

impl Refused {
    /// Takes in an item. Says whether it was refused.
    pub(super) fn take(&mut self, item: &Item) -> bool {
        let first = match item {
            Item::Command { no_sandbox: Some(said), .. } => {
                self.not_run.take(said);
                return true;
            }
            Item::Command { command, refused: true, .. } => {
                self.commands += 1;
                head(unwrapped(command))
            }
            Item::FileChange { paths, refused: true, .. } => {
                self.patches += 1;
                head(&format!("a patch of {}", paths.join(", ")))
            }
            _ => return false,
        };
        self.first.get_or_insert(first);
        true
    }

    /// What is known from two who tell of the same turn, of which neither has more than there was. The
    /// other one has the order right.
    pub(super) fn join(&mut self, other: Self) {
        self.commands = self.commands.max(other.commands);
        self.patches = self.patches.max(other.patches);
        self.not_run.join(other.not_run);
        self.first = other.first.or(self.first.take());
    }
}
