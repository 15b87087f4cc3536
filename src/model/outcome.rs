//! How a turn can end. Every ending is here, and each says all that is known.

use std::path::PathBuf;
use std::time::Duration;

use super::effective::Effective;
use super::session_id::SessionId;
use super::text::{LineBreaks, excerpt, sanitize};
use super::usage::Usage;
use super::value::InvalidValue;

/// A turn that was completed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Whether Codex keeps a record of the session, without which nobody can go on in it.
    pub is_recorded: bool,
    /// Whether commands did not run because their sandbox could not be made on this machine.
    pub no_sandbox: bool,
    /// What Codex said last.
    pub reply: String,
    /// The reply as JSON, if a schema was given and the reply is JSON.
    pub output: Option<serde_json::Value>,
    /// The directory it worked in.
    pub working_dir: PathBuf,
    /// What was in force, if Codex's record of the turn could be read.
    pub effective: Option<Effective>,
    /// Tokens of this turn, if Codex said.
    pub usage: Option<Usage>,
    /// Tokens of the whole session, if Codex said.
    pub session_usage: Option<Usage>,
    /// What the caller should know although the turn is complete.
    pub warnings: Vec<String>,
}

/// A turn that was not completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct Failure {
    /// What happened.
    #[source]
    pub kind: FailureKind,
    /// The session, as soon as there is one. It can be resumed.
    pub session_id: Option<SessionId>,
    /// What Codex had said so far.
    pub partial_reply: Option<String>,
    /// The directory it worked in, once that was settled.
    pub working_dir: Option<PathBuf>,
    /// What else the caller should know.
    pub warnings: Vec<String>,
}

impl Failure {
    /// A failure of which no more is known.
    pub(crate) fn of(kind: FailureKind, session_id: Option<SessionId>) -> Box<Self> {
        let (partial_reply, working_dir, warnings) = (None, None, Vec::new());
        Box::new(Self { kind, session_id, partial_reply, working_dir, warnings })
    }
}

/// Which of its limits a call reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The time for the whole call.
    Total(Duration),
    /// The time without any event.
    Idle(Duration),
}

/// Who stopped a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelledBy {
    /// The one who had made it.
    Caller,
    /// The server, which was told to leave.
    Shutdown,
}

/// Why a turn was not completed. [`FailureKind::word`] gives each a word that does not change. As a
/// message it is bounded, and what is in it from outside commands no terminal; the fields are as they came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureKind {
    /// A value in the request cannot be used.
    #[error("{field} {problem}")]
    BadInput {
        /// The field's name.
        field: String,
        /// What is wrong with its value.
        problem: InvalidValue,
    },
    /// The request asks for more than the operator allows.
    #[error("{field} {}. The operator's setting {setting} says so", line(.problem))]
    NotAllowed {
        /// The field's name.
        field: String,
        /// What is too much, and what is allowed.
        problem: String,
        /// The variable that would allow it.
        setting: &'static str,
    },
    /// Codex's own record says that the turn ran with more than the operator allows.
    #[error("the turn ran with more than this server allows: {}", line(.breach))]
    LooserThanAllowed {
        /// What was in force, and what is allowed.
        breach: String,
    },
    /// Codex's own record says that the turn ran with more than it was to have, although the operator
    /// allows that much.
    #[error("the turn ran with more than was asked for: {excess}")]
    LooserThanAsked {
        /// What was in force, and what was asked for.
        excess: String,
    },
    /// This Codex is too old for what is asked.
    #[error("{field} needs Codex {needed} or newer{}, and this one is {found}", spaced(.only_with))]
    NeedsNewerCodex {
        /// The field's name.
        field: String,
        /// What makes it need that here, if it does not always: a clause, or empty.
        only_with: String,
        /// The lowest version on which it was seen to work.
        needed: String,
        /// The version that there is.
        found: String,
    },
    /// There is no Codex to start.
    #[error("there is no program {} that can be started{}", line(.program), detail(&line(.reason)))]
    CodexNotFound {
        /// What was looked for.
        program: String,
        /// What the system said, if it was found and did not start.
        reason: String,
    },
    /// There is a Codex, and the system would not start it: it has no room for another process, or the
    /// command line is too long for it.
    #[error("{} could not be started: {}", line(.program), line(.reason))]
    CannotStart {
        /// What was to be started.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// What Codex reads as a file, such as the schema of a review, cannot be written.
    #[error("the files that Codex reads in this turn cannot be written: {}", line(.reason))]
    Storage {
        /// Where, and what the system said.
        reason: String,
    },
    /// Codex cannot load its configuration, or what the call adds to it.
    #[error("Codex cannot load its configuration: {}", lines(.message))]
    ConfigNotLoaded {
        /// Codex's words.
        message: String,
    },
    /// An MCP server of Codex's own that is required does not start.
    #[error("an MCP server that Codex is configured to require did not start: {}", lines(.message))]
    McpServerFailed {
        /// Codex's words, which name it.
        message: String,
    },
    /// Codex cannot write in its own folder, or there is none.
    #[error("Codex cannot use its folder {}: {}", line(.home), lines(.message))]
    CodexHomeUnusable {
        /// The folder, as far as it is known.
        home: String,
        /// Codex's words.
        message: String,
    },
    /// Codex is not logged in.
    #[error("Codex is not logged in, or its login was not accepted: {}", lines(.message))]
    NotLoggedIn {
        /// Codex's words.
        message: String,
    },
    /// Somebody else, such as another Codex, renewed the login at the same moment.
    #[error("Codex could not renew its login, because somebody else had just done so: {}", lines(.message))]
    RefreshTokenUsed {
        /// Codex's words.
        message: String,
    },
    /// The plan, the quota or the rate of requests is used up.
    #[error("Codex has reached a usage limit: {}", lines(.message))]
    UsageLimit {
        /// Codex's words, often with the time when the limit is lifted.
        message: String,
    },
    /// Codex has no such session.
    #[error("Codex knows no session {session}")]
    SessionNotFound {
        /// The one asked for.
        session: SessionId,
    },
    /// Somebody who is not in line, such as a person, is working in the session.
    #[error("the session is in use{}, and was still after {} s", detail(&line(.holder)), .waited.as_secs())]
    SessionBusy {
        /// What is known of the process that uses it, or empty.
        holder: String,
        /// How long the call waited.
        waited: Duration,
    },
    /// Codex began another session than the one asked for. It was stopped at once.
    #[error("Codex answered in session {} and not in {asked}", excerpt(.got))]
    AnotherSession {
        /// The one asked for.
        asked: SessionId,
        /// The one that Codex announced.
        got: String,
    },
    /// What the session holds, or the prompt alone, is more than the model can take.
    #[error("the model's context window is full: {}", lines(.message))]
    ContextFull {
        /// Codex's words.
        message: String,
    },
    /// The model does not take the schema that its answer is to have.
    #[error("the model does not take the schema for its answer: {}", lines(.message))]
    SchemaRefused {
        /// The provider's words.
        message: String,
    },
    /// The model does not take a picture in the session.
    #[error("the model does not take a picture in this session: {}", lines(.message))]
    PictureRefused {
        /// Codex's words.
        message: String,
    },
    /// Codex says that the turn failed.
    #[error("the turn failed: {}", lines(.message))]
    TurnFailed {
        /// Codex's words.
        message: String,
    },
    /// A limit was reached, and Codex was stopped.
    #[error("{}", timed_out(.limit, *.started, &line(.in_front)))]
    TimedOut {
        /// Which one.
        limit: Limit,
        /// Whether Codex had been started: a call may wait for its whole time.
        started: bool,
        /// What is known of those it waited for, or empty.
        in_front: String,
    },
    /// The call was stopped.
    #[error("the call was cancelled{}", if matches!(.by, CancelledBy::Shutdown) { ": the server is shutting down" } else { "" })]
    Cancelled {
        /// By whom.
        by: CancelledBy,
    },
    /// What Codex does cannot be recorded, as a job's must be. Codex was stopped.
    #[error("what Codex does could not be recorded ({}), so Codex was stopped", line(.reason))]
    NotRecorded {
        /// What the system said.
        reason: String,
    },
    /// Codex is gone and the turn was neither completed nor failed.
    #[error("Codex ended without a result ({status}){}", detail(&lines(.reason)))]
    NoResult {
        /// How it ended.
        status: String,
        /// What it wrote on standard error.
        reason: String,
    },
    /// The queue is full.
    #[error("{running} calls are running and {waiting} are waiting, which is the limit")]
    TooManyCalls {
        /// Calls at work.
        running: usize,
        /// Calls that wait.
        waiting: usize,
    },
    /// Something in here is broken.
    #[error("internal error: {}", line(.message))]
    Internal {
        /// What.
        message: String,
    },
}

impl FailureKind {
    /// What it has in common with others.
    pub(crate) fn sort(&self) -> Sort {
        match self {
            Self::BadInput { .. } | Self::NotAllowed { .. } => Sort::Refused,
            Self::TimedOut { .. } => Sort::TimedOut,
            Self::Cancelled { by } => Sort::Cancelled(*by),
            Self::LooserThanAllowed { .. }
            | Self::LooserThanAsked { .. }
            | Self::NeedsNewerCodex { .. }
            | Self::CodexNotFound { .. }
            | Self::CannotStart { .. }
            | Self::Storage { .. }
            | Self::ConfigNotLoaded { .. }
            | Self::McpServerFailed { .. }
            | Self::CodexHomeUnusable { .. }
            | Self::NotLoggedIn { .. }
            | Self::RefreshTokenUsed { .. }
            | Self::ContextFull { .. }
            | Self::SchemaRefused { .. }
            | Self::PictureRefused { .. }
            | Self::UsageLimit { .. }
            | Self::SessionNotFound { .. }
            | Self::SessionBusy { .. }
            | Self::AnotherSession { .. }
            | Self::TurnFailed { .. }
            | Self::NotRecorded { .. }
            | Self::NoResult { .. }
            | Self::TooManyCalls { .. }
            | Self::Internal { .. } => Sort::Failed,
        }
    }

    /// The kind as one word of a fixed vocabulary, for programs and for searching.
    pub fn word(&self) -> &'static str {
        match self {
            Self::BadInput { .. } => "bad_input",
            Self::NotAllowed { .. } => "not_allowed",
            Self::NeedsNewerCodex { .. } => "needs_newer_codex",
            Self::LooserThanAllowed { .. } => "looser_than_allowed",
            Self::LooserThanAsked { .. } => "looser_than_asked",
            Self::CodexNotFound { .. } => "codex_not_found",
            Self::CannotStart { .. } => "cannot_start",
            Self::Storage { .. } => "storage",
            Self::ConfigNotLoaded { .. } => "config_not_loaded",
            Self::McpServerFailed { .. } => "mcp_server_failed",
            Self::CodexHomeUnusable { .. } => "codex_home_unusable",
            Self::NotLoggedIn { .. } => "not_logged_in",
            Self::RefreshTokenUsed { .. } => "refresh_token_used",
            Self::ContextFull { .. } => "context_full",
            Self::SchemaRefused { .. } => "schema_refused",
            Self::PictureRefused { .. } => "picture_refused",
            Self::UsageLimit { .. } => "usage_limit",
            Self::SessionNotFound { .. } => "session_not_found",
            Self::SessionBusy { .. } => "session_busy",
            Self::AnotherSession { .. } => "another_session_answered",
            Self::TurnFailed { .. } => "turn_failed",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled { .. } => "cancelled",
            Self::NotRecorded { .. } => "not_recorded",
            Self::NoResult { .. } => "no_result",
            Self::TooManyCalls { .. } => "too_many_calls",
            Self::Internal { .. } => "internal",
        }
    }
}

/// What the kinds have in common, for those who tell no more apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// What was asked cannot be done as it was asked.
    Refused,
    TimedOut,
    Cancelled(CancelledBy),
    Failed,
}

/// What comes from outside, as a message has it.
fn line(text: &str) -> String {
    sanitize(text, LineBreaks::Escape)
}

/// A clause after a space, if there is one.
fn spaced(clause: &str) -> String {
    if clause.is_empty() { String::new() } else { format!(" {clause}") }
}

/// The same for Codex's words, which may be several lines.
fn lines(text: &str) -> String {
    sanitize(text, LineBreaks::Keep)
}

fn detail(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn timed_out(limit: &Limit, started: bool, in_front: &str) -> String {
    let what = match limit {
        Limit::Total(limit) => format!("the call took longer than {}", duration(*limit)),
        Limit::Idle(limit) => format!("nothing came from Codex for {}", duration(*limit)),
    };
    if started {
        format!("{what}, so Codex was stopped")
    } else {
        let who = if in_front.is_empty() { String::new() } else { format!("; {in_front}") };
        format!("{what} before its turn had come, so Codex was not started{who}")
    }
}

/// A duration as a person would say it: `1.5 s`, `2 min 5 s`, `3 h 10 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{} s", (duration.as_millis() as f64 / 100.0).round() / 10.0),
        10..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ if (seconds / 60).is_multiple_of(60) => format!("{} h", seconds / 3600),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}
