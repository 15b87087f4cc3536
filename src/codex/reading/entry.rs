//! What a reader wants to know of what Codex did: one value for every form in which Codex reports it.

use std::time::Duration;

use crate::model::text::shortened;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// Maximum length of a message, a prompt or a thought, in characters.
const MAX_TEXT: usize = 100_000;

/// Maximum length of a command's output, in characters.
const MAX_OUTPUT: usize = 10_000;

/// Maximum length of an id, a name or a path, in characters.
const MAX_NAME: usize = 1_000;

/// Maximum number of paths or steps.
pub(crate) const MAX_LISTED: usize = 256;

/// One thing that happened, with bounded texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When it happened, if the line says so.
    pub(crate) at: Option<Time>,
    /// The request that it belongs to, as JSON: the id of a `tools/call`, the number of a job's turn, or the id
    /// of the turn in a record. `codex exec` reports none.
    pub(crate) request: Option<String>,
    /// The session that it belongs to.
    pub(crate) session: Option<String>,
    /// Whether the request is a `tools/call`, which ends with its answer and not with its turn.
    pub(crate) is_of_call: bool,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The session was created or opened.
    Session {
        model: Option<String>,
        cwd: Option<String>,
        record: Option<String>,
    },
    /// A client called a tool.
    Called {
        tool: String,
        prompt: Option<String>,
    },
    /// A client cancelled the request.
    Cancelled,
    /// A turn started. `window`: the size of the model's context window, in tokens.
    TurnStarted {
        window: Option<u64>,
    },
    Prompt {
        text: String,
    },
    /// A job has taken a prompt, whose turn has not started.
    Queued {
        text: String,
    },
    Message {
        text: String,
    },
    Reasoning {
        text: String,
    },
    CommandBegan {
        call: String,
        command: String,
    },
    CommandEnded {
        call: String,
        /// `None` if the event does not name it.
        command: Option<String>,
        exit_code: Option<i64>,
        duration: Option<Duration>,
        output: String,
        /// It was not run, because it was not approved.
        declined: bool,
    },
    PatchBegan {
        call: String,
        files: Vec<File>,
    },
    PatchEnded {
        call: String,
        files: Vec<File>,
        applied: bool,
        output: String,
    },
    ToolBegan {
        call: String,
        tool: String,
    },
    ToolEnded {
        call: String,
        tool: String,
        duration: Option<Duration>,
        error: Option<String>,
    },
    SearchBegan {
        call: String,
    },
    SearchEnded {
        call: String,
        query: String,
    },
    Plan {
        steps: Vec<Step>,
    },
    Tokens(Tokens),
    Error {
        message: String,
    },
    Warning {
        message: String,
    },
    /// Codex asks for the approval of this.
    Approval {
        call: String,
        of: String,
    },
    /// A remark about the session or the job.
    Note {
        text: String,
    },
    TurnEnded {
        reply: Option<String>,
        duration: Option<Duration>,
        error: Option<String>,
    },
    TurnAborted {
        reason: String,
        duration: Option<Duration>,
    },
    /// The answer to the request.
    Answer {
        text: String,
        is_error: bool,
    },
}

/// A file that a patch changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) change: Change,
    pub(crate) path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Delete,
    Update,
}

impl Change {
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "add" => Self::Add,
            "delete" => Self::Delete,
            _ => Self::Update,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "delete",
            Self::Update => "update",
        }
    }
}

/// A step of Codex's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) is_done: bool,
}

/// Token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Used by the whole session so far.
    pub(crate) total: Usage,
    /// In the context after the model's last response.
    pub(crate) context: Option<u64>,
    /// The size of the model's context window.
    pub(crate) window: Option<u64>,
}

impl Tokens {
    /// All tokens that the session used.
    pub(crate) fn used(self) -> u64 {
        self.total.input_tokens.saturating_add(self.total.output_tokens)
    }

    /// How many tokens are left in the context window.
    pub(crate) fn left(self) -> Option<u64> {
        Some(self.window?.saturating_sub(self.context?))
    }
}

impl Entry {
    /// The request for a reader: without quotation marks, unless it is a text that looks like a number.
    pub(crate) fn request_name(request: &str) -> String {
        let text = serde_json::from_str::<String>(request).ok();
        let is_plain = |text: &String| text.parse::<f64>().is_err() && !text.is_empty();
        text.filter(is_plain).unwrap_or_else(|| request.to_owned())
    }
}

impl What {
    /// The name of its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Session { .. } => "session",
            Self::Called { .. } => "call",
            Self::Cancelled => "cancelled",
            Self::TurnStarted { .. } => "turn_started",
            Self::Prompt { .. } | Self::Queued { .. } => "prompt",
            Self::Message { .. } => "message",
            Self::Reasoning { .. } => "reasoning",
            Self::CommandBegan { .. } => "command_started",
            Self::CommandEnded { .. } => "command",
            Self::PatchBegan { .. } => "patch_started",
            Self::PatchEnded { .. } => "patch",
            Self::ToolBegan { .. } => "tool_started",
            Self::ToolEnded { .. } => "tool",
            Self::SearchBegan { .. } => "search_started",
            Self::SearchEnded { .. } => "search",
            Self::Plan { .. } => "plan",
            Self::Tokens(_) => "tokens",
            Self::Error { .. } => "error",
            Self::Warning { .. } => "warning",
            Self::Approval { .. } => "approval",
            Self::Note { .. } => "note",
            Self::TurnEnded { .. } => "turn_ended",
            Self::TurnAborted { .. } => "turn_aborted",
            Self::Answer { .. } => "answer",
        }
    }

    /// The start of something whose end is an entry of its own.
    pub(crate) fn is_start(&self) -> bool {
        matches!(
            self,
            Self::CommandBegan { .. }
                | Self::PatchBegan { .. }
                | Self::ToolBegan { .. }
                | Self::SearchBegan { .. }
        )
    }

    /// Whether it reports that something went wrong.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::CommandEnded { exit_code, declined, .. } => {
                *declined || exit_code.is_some_and(|code| code != 0)
            }
            Self::PatchEnded { applied, .. } => !applied,
            Self::ToolEnded { error, .. } | Self::TurnEnded { error, .. } => error.is_some(),
            Self::Answer { is_error, .. } => *is_error,
            Self::Error { .. }
            | Self::Warning { .. }
            | Self::TurnAborted { .. }
            | Self::Cancelled => true,
            _ => false,
        }
    }
}

/// The paths of files.
pub(crate) fn paths(files: &[File]) -> impl Iterator<Item = &str> {
    files.iter().map(|file| file.path.as_str())
}

pub(crate) fn text(text: &str) -> String {
    bounded(text, MAX_TEXT)
}

pub(crate) fn output(text: &str) -> String {
    bounded(text, MAX_OUTPUT)
}

pub(crate) fn name(text: &str) -> String {
    bounded(text, MAX_NAME)
}

fn bounded(text: &str, chars: usize) -> String {
    shortened(text, chars).unwrap_or_else(|| text.to_owned())
}
