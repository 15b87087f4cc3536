//! The kind of failure that a message of Codex or of the system stands for. Pure.

use std::io;
use std::path::Path;

use super::attempt::End;
use crate::codex::error_kind::{self, ErrorKind};
use crate::codex::locate::Program;
use crate::codex::process;
use crate::codex::transcript::Transcript;
use crate::model::outcome::FailureKind;
use crate::model::session_id::SessionId;

/// What is known beside Codex's messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The session that the turn continues or started.
    pub(super) session: Option<SessionId>,
    pub(super) codex_home: Option<&'a Path>,
}

/// Why Codex refused to start the turn, if it left before the session was opened.
pub(super) fn refused(end: &End, transcript: &Transcript) -> Option<ErrorKind> {
    match end {
        End::Exited(exit) if transcript.thread_id.is_none() => error_kind::recognize(&exit.stderr),
        _ => None,
    }
}

/// Codex says that the turn failed.
pub(super) fn failed(message: &str, context: Context<'_>) -> FailureKind {
    let sentence = error_kind::provider_message(message);
    recognised(message, &sentence, context).unwrap_or(FailureKind::TurnFailed { message: sentence })
}

/// Codex is gone and did not say how the turn ended.
pub(super) fn exited(
    status: String,
    stderr: &str,
    last_error: Option<&str>,
    context: Context<'_>,
) -> FailureKind {
    let mut reason = error_kind::stderr_reason(stderr);
    if reason.is_empty() {
        reason = last_error.map(error_kind::provider_message).unwrap_or_default();
    }
    match (error_kind::recognize(&reason), context.session) {
        (Some(ErrorKind::SessionNotFound), Some(session)) => {
            FailureKind::SessionNotFound { session }
        }
        _ => recognised(&reason, &reason, context)
            .unwrap_or(FailureKind::NoResult { status, reason }),
    }
}

/// The system did not start Codex.
pub(super) fn not_started(program: &Program, error: &io::Error) -> FailureKind {
    let (program, reason) = (program.path.display().to_string(), error.to_string());
    if process::is_of_program(error) {
        FailureKind::CodexNotFound { program, reason }
    } else {
        FailureKind::CannotStart { program, reason }
    }
}

/// The kind that a message of Codex stands for. `shown` is the part of it that callers see.
fn recognised(message: &str, shown: &str, context: Context<'_>) -> Option<FailureKind> {
    let kind = error_kind::recognize(message)?;
    let message = shown.to_owned();
    Some(match kind {
        ErrorKind::NotLoggedIn => FailureKind::NotLoggedIn { message },
        ErrorKind::RefreshTokenUsed => FailureKind::RefreshTokenUsed { message },
        ErrorKind::UsageLimit => FailureKind::UsageLimit { message },
        ErrorKind::Config => FailureKind::ConfigNotLoaded { message },
        ErrorKind::McpServer => FailureKind::McpServerFailed { message },
        ErrorKind::Home => {
            let home = context.codex_home.map(|home| home.display().to_string());
            FailureKind::CodexHomeUnusable { home: home.unwrap_or_default(), message }
        }
        ErrorKind::ContextFull => FailureKind::ContextFull { message },
        ErrorKind::Schema => FailureKind::SchemaRefused { message },
        ErrorKind::Image => FailureKind::PictureRefused { message },
        ErrorKind::ActiveWriter | ErrorKind::SessionNotFound | ErrorKind::DatabaseLocked => {
            return None;
        }
    })
}
