//! Which parts of a record a transcript includes.

/// What a transcript includes in addition to messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) commands: bool,
    pub(crate) changes: bool,
    pub(crate) reasoning: bool,
    pub(crate) tools: bool,
}

impl Include {
    /// The values that [`Include::with`] accepts.
    pub(crate) const WORDS: [&str; 4] = ["commands", "changes", "reasoning", "tools"];

    pub(crate) fn all() -> Self {
        Self { commands: true, changes: true, reasoning: true, tools: true }
    }

    /// Also includes what `word` names. `None` if it is not one of [`Include::WORDS`].
    pub(crate) fn with(mut self, word: &str) -> Option<Self> {
        match word {
            "commands" => self.commands = true,
            "changes" => self.changes = true,
            "reasoning" => self.reasoning = true,
            "tools" => self.tools = true,
            _ => return None,
        }
        Some(self)
    }
}
