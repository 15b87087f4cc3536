//! Every way in which a turn can end, with all that is known about it.

use std::path::PathBuf;
use std::time::Duration;

use super::changed_files::ChangedFiles;
use super::effective::Effective;
use super::error_code::ErrorCode;
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
    /// Whether Codex keeps a record of the session. Without one it cannot be resumed.
    pub is_recorded: bool,
    /// Whether commands did not run because their sandbox could not be created on this machine.
    pub no_sandbox: bool,
    /// Codex's final message.
    pub reply: String,
    /// The reply, parsed, if the request had a schema and the reply is JSON.
    pub output: Option<serde_json::Value>,
    /// The directory that Codex worked in.
    pub working_dir: PathBuf,
    /// The files that Codex changed with its own edit tool.
    pub files_changed: ChangedFiles,
    /// The settings that were in force, if Codex's record of the turn could be read.
    pub effective: Option<Effective>,
    /// Tokens of this turn, if Codex reported them.
    pub usage: Option<Usage>,
    /// Tokens of the whole session, if Codex reported them.
    pub session_usage: Option<Usage>,
    /// Sentences that the caller should read although the turn was completed.
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
    /// The session, if it is known. It can be resumed.
    pub session_id: Option<SessionId>,
    /// The message by which Codex reported the failure, as it was. A provider's error in it may be JSON.
    pub reported: Option<String>,
    /// Codex's messages up to then, if there were any.
    pub partial_reply: Option<String>,
    /// The directory that Codex worked in, if that was decided.
    pub working_dir: Option<PathBuf>,
    /// The files that Codex had changed by then with its own edit tool.
    pub files_changed: ChangedFiles,
    /// Further sentences that the caller should read.
    pub warnings: Vec<String>,
}

impl Failure {
    /// A failure without further details.
    pub(crate) fn of(kind: FailureKind, session_id: Option<SessionId>) -> Box<Self> {
        let (reported, partial_reply, working_dir) = (None, None, None);
        Box::new(Self {
            kind,
            session_id,
            reported,
            partial_reply,
            working_dir,
            files_changed: ChangedFiles::default(),
            warnings: Vec::new(),
        })
    }
}

/// The timeout that a call reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The timeout for the whole call.
    Total(Duration),
    /// The idle timeout: the time without any event.
    Idle(Duration),
}

/// Who stopped a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelledBy {
    /// Its caller.
    Caller,
    /// The server, because it is shutting down.
    Shutdown,
}

/// Why a turn was not completed. [`FailureKind::code`] is a stable code for each kind. The displayed message
/// is bounded in length, and text from outside is escaped in it; the fields hold that text unescaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureKind {
    /// A value in the request is invalid.
    #[error("{field} {problem}")]
    BadInput {
        /// The field's name.
        field: String,
        /// What is wrong with its value.
        problem: InvalidValue,
    },
    /// The request exceeds what the operator allows.
    #[error("{field} {} (operator setting {setting})", line(.problem))]
    NotAllowed {
        /// The field's name.
        field: String,
        /// What was requested, and what is allowed.
        problem: String,
        /// The environment variable that would allow it.
        setting: &'static str,
    },
    /// By Codex's own record, the turn ran with more permissions than the operator allows.
    #[error("the turn ran with more permissions than this server allows: {}", line(.breach))]
    LooserThanAllowed {
        /// What was in force, and what is allowed.
        breach: String,
    },
    /// By Codex's own record, the turn ran with more permissions than requested, although the operator
    /// allows them.
    #[error("the turn ran with more permissions than requested: {excess}")]
    LooserThanAsked {
        /// What was in force, and what was requested.
        excess: String,
    },
    /// This Codex is too old for the request.
    #[error("{field} requires Codex {needed} or newer{}, but {found} is installed", spaced(.only_with))]
    NeedsNewerCodex {
        /// The field's name.
        field: String,
        /// The condition under which the field needs it, as a clause; empty if it always does.
        only_with: String,
        /// The oldest version on which it is known to work.
        needed: String,
        /// The installed version.
        found: String,
    },
    /// There is no such program, or it cannot be executed.
    #[error("cannot find or execute {}{}", line(.program), detail(&line(.reason)))]
    CodexNotFound {
        /// The program, as configured.
        program: String,
        /// The system's error, if the program exists but did not start; else empty.
        reason: String,
    },
    /// The system could not start Codex, for lack of resources or because the command line is too long.
    #[error("cannot start {}: {}", line(.program), line(.reason))]
    CannotStart {
        /// The program.
        program: String,
        /// The system's error.
        reason: String,
    },
    /// A file for Codex, such as the schema of a review, cannot be written.
    #[error("cannot write the files that Codex reads in this turn: {}", line(.reason))]
    Storage {
        /// The path, and the system's error.
        reason: String,
    },
    /// Codex cannot load its configuration, or the settings that the call adds.
    #[error("Codex cannot load its configuration: {}", lines(.message))]
    ConfigNotLoaded {
        /// Codex's message.
        message: String,
    },
    /// An MCP server that Codex is configured to require did not start.
    #[error("an MCP server that Codex's configuration requires did not start: {}", lines(.message))]
    McpServerFailed {
        /// Codex's message, which names the server.
        message: String,
    },
    /// Codex's own folder is missing or not writable.
    #[error("Codex cannot use its home{}: {}", spaced(&line(.home)), lines(.message))]
    CodexHomeUnusable {
        /// The folder, if it is known; else empty.
        home: String,
        /// Codex's message.
        message: String,
    },
    /// Codex is not logged in.
    #[error("Codex is not logged in, or its login was rejected: {}", lines(.message))]
    NotLoggedIn {
        /// Codex's message.
        message: String,
    },
    /// Another process, such as another Codex, renewed the login at the same moment.
    #[error("Codex could not renew its login because another process had just renewed it: {}", lines(.message))]
    RefreshTokenUsed {
        /// Codex's message.
        message: String,
    },
    /// A limit of the plan, a quota or a rate limit is reached.
    #[error("Codex has reached a usage limit: {}", lines(.message))]
    UsageLimit {
        /// Codex's message, often with the time when the limit is lifted.
        message: String,
    },
    /// Codex has no such session.
    #[error("Codex has no session {session}")]
    SessionNotFound {
        /// The requested session.
        session: SessionId,
    },
    /// A process outside of the queue, such as a user's terminal, has the session open.
    #[error("the session was still in use after {} s{}", .waited.as_secs(), detail(&line(.holder)))]
    SessionBusy {
        /// A description of that process, or empty.
        holder: String,
        /// How long the call waited.
        waited: Duration,
    },
    /// Codex opened another session than the requested one, and was stopped at once.
    #[error("Codex opened session {} instead of {requested}", excerpt(.got))]
    AnotherSession {
        /// The requested session.
        requested: SessionId,
        /// The session that Codex announced.
        got: String,
    },
    /// The session, or the prompt alone, does not fit into the model's context window.
    #[error("the model's context window is full: {}", lines(.message))]
    ContextFull {
        /// Codex's message.
        message: String,
    },
    /// The model rejects the schema for its answer.
    #[error("the model rejected the output schema: {}", lines(.message))]
    SchemaRefused {
        /// The provider's message.
        message: String,
    },
    /// The model rejects an image in the session.
    #[error("the model rejected an image in this session: {}", lines(.message))]
    PictureRefused {
        /// Codex's message.
        message: String,
    },
    /// Codex reported that the turn failed.
    #[error("the turn failed: {}", lines(.message))]
    TurnFailed {
        /// Codex's message.
        message: String,
    },
    /// A timeout was reached, and Codex was stopped.
    #[error("{}", timed_out(.limit, *.started, &line(.ahead)))]
    TimedOut {
        /// The timeout.
        limit: Limit,
        /// Whether Codex was started. A call may spend its whole time in the queue.
        started: bool,
        /// A description of the calls that were ahead of it, or empty.
        ahead: String,
    },
    /// The call was cancelled.
    #[error("the call was cancelled{}", if matches!(.by, CancelledBy::Shutdown) { ": the server is shutting down" } else { "" })]
    Cancelled {
        /// By whom.
        by: CancelledBy,
    },
    /// The events of a job could not be recorded, so Codex was stopped.
    #[error("Codex's events could not be recorded ({}), so Codex was stopped", line(.reason))]
    NotRecorded {
        /// The system's error.
        reason: String,
    },
    /// Codex exited, and the turn was neither completed nor failed.
    #[error("Codex exited without a result ({status}){}", detail(&lines(.reason)))]
    NoResult {
        /// Its exit status.
        status: String,
        /// Its standard error.
        reason: String,
    },
    /// The queue is full.
    #[error("the limit is reached: {running} calls running, {waiting} waiting")]
    TooManyCalls {
        /// Running calls.
        running: usize,
        /// Waiting calls.
        waiting: usize,
    },
    /// A bug in this program.
    #[error("internal error: {}", line(.message))]
    Internal {
        /// What went wrong.
        message: String,
    },
}

impl FailureKind {
    /// The class of the kind.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::BadInput { .. } | Self::NotAllowed { .. } => Class::Refused,
            Self::TimedOut { .. } => Class::TimedOut,
            Self::Cancelled { by } => Class::Cancelled(*by),
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
            | Self::Internal { .. } => Class::Failed,
        }
    }

    /// The code: one of a fixed vocabulary, for programs and for searching.
    pub fn code(&self) -> &'static str {
        self.error_code().as_str()
    }

    pub(crate) fn error_code(&self) -> ErrorCode {
        match self {
            Self::BadInput { .. } => ErrorCode::BadInput,
            Self::NotAllowed { .. } => ErrorCode::NotAllowed,
            Self::LooserThanAllowed { .. } => ErrorCode::LooserThanAllowed,
            Self::LooserThanAsked { .. } => ErrorCode::LooserThanAsked,
            Self::NeedsNewerCodex { .. } => ErrorCode::NeedsNewerCodex,
            Self::CodexNotFound { .. } => ErrorCode::CodexNotFound,
            Self::CannotStart { .. } => ErrorCode::CannotStart,
            Self::Storage { .. } => ErrorCode::Storage,
            Self::ConfigNotLoaded { .. } => ErrorCode::ConfigNotLoaded,
            Self::McpServerFailed { .. } => ErrorCode::McpServerFailed,
            Self::CodexHomeUnusable { .. } => ErrorCode::CodexHomeUnusable,
            Self::NotLoggedIn { .. } => ErrorCode::NotLoggedIn,
            Self::RefreshTokenUsed { .. } => ErrorCode::RefreshTokenUsed,
            Self::UsageLimit { .. } => ErrorCode::UsageLimit,
            Self::SessionNotFound { .. } => ErrorCode::SessionNotFound,
            Self::SessionBusy { .. } => ErrorCode::SessionBusy,
            Self::AnotherSession { .. } => ErrorCode::AnotherSession,
            Self::ContextFull { .. } => ErrorCode::ContextFull,
            Self::SchemaRefused { .. } => ErrorCode::SchemaRefused,
            Self::PictureRefused { .. } => ErrorCode::PictureRefused,
            Self::TurnFailed { .. } => ErrorCode::TurnFailed,
            Self::TimedOut { .. } => ErrorCode::TimedOut,
            Self::Cancelled { .. } => ErrorCode::Cancelled,
            Self::NotRecorded { .. } => ErrorCode::NotRecorded,
            Self::NoResult { .. } => ErrorCode::NoResult,
            Self::TooManyCalls { .. } => ErrorCode::TooManyCalls,
            Self::Internal { .. } => ErrorCode::Internal,
        }
    }
}

/// A coarse class of kinds, for exit statuses and the status of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The request is invalid or not allowed.
    Refused,
    TimedOut,
    Cancelled(CancelledBy),
    Failed,
}

/// Text from outside, escaped and on one line.
fn line(text: &str) -> String {
    sanitize(text, LineBreaks::Escape)
}

/// The clause after a space, or nothing.
fn spaced(clause: &str) -> String {
    if clause.is_empty() { String::new() } else { format!(" {clause}") }
}

/// Text from outside that may have several lines, escaped.
fn lines(text: &str) -> String {
    sanitize(text, LineBreaks::Keep)
}

fn detail(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn timed_out(limit: &Limit, started: bool, ahead: &str) -> String {
    let what = match limit {
        Limit::Total(limit) => format!("the timeout of {} expired", duration(*limit)),
        Limit::Idle(limit) => format!("the idle timeout of {} expired", duration(*limit)),
    };
    if started {
        format!("{what}, so Codex was stopped")
    } else {
        let why = if ahead.is_empty() { String::new() } else { format!("; {ahead}") };
        format!("{what} in the queue, so Codex was not started{why}")
    }
}

/// A duration for readers: `1.5 s`, `2 min 5 s`, `3 h 10 min`.
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
