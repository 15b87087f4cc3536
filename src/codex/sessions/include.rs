//! What of a session's record is wanted beside its messages.

/// What is shown beyond the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) commands: bool,
    pub(crate) changes: bool,
    pub(crate) reasoning: bool,
    pub(crate) tools: bool,
}

impl Include {
    pub(crate) const WORDS: [&str; 4] = ["commands", "changes", "reasoning", "tools"];

    pub(crate) fn all() -> Self {
        Self { commands: true, changes: true, reasoning: true, tools: true }
    }

    /// Includes what the word says. `None` if it is none of [`Include::WORDS`].
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
