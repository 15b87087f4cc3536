//! The events that Codex reports during a turn.

use super::usage::Usage;

/// One event of `codex exec --json`, reported during a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The session was created or resumed. The first event of every run.
    ThreadStarted {
        /// The session id as written by Codex.
        thread_id: String,
    },
    /// The model has the prompt.
    TurnStarted,
    /// An item started, changed or completed.
    Item {
        /// The item's id, unique within one run.
        id: String,
        /// Which stage the item has reached.
        phase: Phase,
        /// The item itself.
        item: Item,
    },
    /// The turn completed.
    TurnCompleted {
        /// Token counts as reported by Codex: for the whole session from Codex 0.100 on, for this call alone
        /// in earlier versions.
        usage: Option<Usage>,
    },
    /// The turn failed.
    TurnFailed {
        /// The reason, as worded by Codex.
        message: String,
    },
    /// An error that does not by itself end the turn; Codex also announces reconnects this way.
    Error {
        /// The message, as worded by Codex.
        message: String,
    },
    /// An event of a kind unknown to this version.
    Unknown {
        /// Its `type`, or empty if it has none.
        kind: String,
    },
}

/// The stage of an item's life cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `item.started`
    Started,
    /// `item.updated`
    Updated,
    /// `item.completed`
    Completed,
}

/// One thing that Codex did or said during a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A message from Codex. The last one of a turn is its reply.
    AgentMessage {
        /// The text, in Markdown.
        text: String,
    },
    /// A summary of the model's reasoning.
    Reasoning {
        /// The text, in Markdown; its first line is usually a bold heading.
        text: String,
    },
    /// A shell command. Its output is not included.
    Command {
        /// The command line that Codex ran.
        command: String,
        /// The exit status, once the command has exited.
        exit_code: Option<i64>,
        /// Whether its output suggests that the sandbox blocked it. Codex does not report this, so it is
        /// inferred from the operating system's error messages.
        refused: bool,
        /// If the command did not run because its sandbox could not be set up: the message that replaced
        /// its output.
        no_sandbox: Option<String>,
    },
    /// The files of one patch, whether it was applied or failed.
    FileChange {
        /// The paths as written by Codex, at most [`MAX_LISTED`].
        paths: Vec<String>,
        /// Whether the patch was or is being applied, as opposed to failed.
        made: bool,
        /// Whether the patch failed because of the sandbox.
        refused: bool,
    },
    /// A call to a tool of an MCP server configured in Codex.
    McpToolCall {
        /// The server's name in Codex's configuration.
        server: String,
        /// The tool's name.
        tool: String,
        /// Whether the call was rejected because nobody could approve it.
        refused: bool,
    },
    /// A call to another Codex agent.
    CollabToolCall {
        /// The tool's name.
        tool: String,
    },
    /// A web search.
    WebSearch {
        /// The search query.
        query: String,
    },
    /// Codex's plan for the turn.
    TodoList {
        /// The steps in order, at most [`MAX_LISTED`].
        steps: Vec<TodoStep>,
    },
    /// An error within the turn.
    Error {
        /// The message, as worded by Codex.
        message: String,
    },
    /// An item of a kind unknown to this version.
    Other {
        /// Its `type`.
        kind: String,
    },
}

impl Item {
    /// Whether the item, once started, is work that may produce no events for a long time, such as a build
    /// or a tool call. A turn is not idle while such an item is in progress.
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
    /// What the step does.
    pub text: String,
    /// Whether it is done.
    pub completed: bool,
}

/// Maximum number of paths or steps kept for one item.
pub const MAX_LISTED: usize = 256;

impl Event {
    /// Whether the event ends the turn.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::TurnCompleted { .. } | Self::TurnFailed { .. })
    }
}
