//! What Codex reports of a turn while it runs.

use super::usage::Usage;

/// Something that Codex reported during a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The session exists, under this id. The first event of every run.
    ThreadStarted {
        /// The session id as Codex wrote it.
        thread_id: String,
    },
    /// The model has the prompt.
    TurnStarted,
    /// An item began, changed or was completed.
    Item {
        /// The item's id, unique within one run.
        id: String,
        /// Where the item is in its life.
        phase: Phase,
        /// The item itself.
        item: Item,
    },
    /// The turn is complete.
    TurnCompleted {
        /// Tokens as Codex reports them: of the whole session from 0.100 on, of the call before.
        usage: Option<Usage>,
    },
    /// The turn failed.
    TurnFailed {
        /// Why, in Codex's words.
        message: String,
    },
    /// A message of trouble, which alone does not end the turn: a reconnect is announced so.
    Error {
        /// What, in Codex's words.
        message: String,
    },
    /// An event of a kind that this version does not know.
    Unknown {
        /// Its `type`, empty where there was none.
        kind: String,
    },
}

/// Where an item is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `item.started`
    Started,
    /// `item.updated`
    Updated,
    /// `item.completed`
    Completed,
}

/// A part of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// Something Codex says. The last one of a turn is its answer.
    AgentMessage {
        /// The text, in Markdown.
        text: String,
    },
    /// A summary of what the model thinks.
    Reasoning {
        /// The text, in Markdown; its first line is usually a bold heading.
        text: String,
    },
    /// A shell command. Its output is not kept.
    Command {
        /// The command line as Codex ran it.
        command: String,
        /// The exit status, once there is one.
        exit_code: Option<i64>,
        /// Whether its output says that the sandbox kept it from something. Codex itself does not
        /// tell, so this is by the words of the system.
        refused: bool,
        /// What was said instead of its output, if it did not run because its sandbox could not be
        /// made.
        no_sandbox: Option<String>,
    },
    /// Files changed by one patch, or not changed by one that failed.
    FileChange {
        /// The paths as Codex wrote them, at most [`MAX_LISTED`].
        paths: Vec<String>,
        /// Whether they were changed, or are going to be.
        made: bool,
        /// Whether the sandbox is why not.
        refused: bool,
    },
    /// A call of one of Codex's own MCP tools.
    McpToolCall {
        /// The server's name in Codex's configuration.
        server: String,
        /// The tool's name.
        tool: String,
        /// Whether it was not made because nobody was there to allow it.
        refused: bool,
    },
    /// A call to another agent of Codex's.
    CollabToolCall {
        /// The tool's name.
        tool: String,
    },
    /// A search of the web.
    WebSearch {
        /// What was searched.
        query: String,
    },
    /// The plan that Codex works through.
    TodoList {
        /// Its steps in order, at most [`MAX_LISTED`].
        steps: Vec<TodoStep>,
    },
    /// A message of trouble inside the turn.
    Error {
        /// What, in Codex's words.
        message: String,
    },
    /// An item of a kind that this version does not know.
    Other {
        /// Its `type`.
        kind: String,
    },
}

impl Item {
    /// Whether the item, once started, is work that may be silent for long: a build, a tool call.
    /// While such an item is in progress a turn is not idle.
    pub(crate) fn is_work(&self) -> bool {
        match self {
            Self::Command { .. }
            | Self::McpToolCall { .. }
            | Self::CollabToolCall { .. }
            | Self::WebSearch { .. } => true,
            Self::AgentMessage { .. }
            | Self::Reasoning { .. }
            | Self::FileChange { .. }
            | Self::TodoList { .. }
            | Self::Error { .. }
            | Self::Other { .. } => false,
        }
    }
}

/// One step of Codex's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TodoStep {
    /// What is to be done.
    pub text: String,
    /// Whether it is done.
    pub completed: bool,
}

/// How many paths or steps of one item are kept.
pub const MAX_LISTED: usize = 256;

impl Event {
    /// Whether the event ends the turn.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::TurnCompleted { .. } | Self::TurnFailed { .. })
    }
}
