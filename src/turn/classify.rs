//! How a turn ended that Codex did not complete, by what Codex or the system said. Pure.

use std::io;
use std::path::Path;

use super::attempt::End;
use crate::codex::error_kind::{self, ErrorKind};
use crate::codex::locate::Program;
use crate::codex::process;
use crate::codex::transcript::Transcript;
use crate::model::outcome::FailureKind;
use crate::model::session_id::SessionId;

/// What is known of the call beside Codex's words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The session that it goes on in, or that was begun.
    pub(super) session: Option<SessionId>,
    pub(super) codex_home: Option<&'a Path>,
}

/// What Codex refused, if it left without beginning anything.
pub(super) fn refused(end: &End, transcript: &Transcript) -> Option<ErrorKind> {
    match end {
        End::Exited(exit) if transcript.thread_id.is_none() => error_kind::recognize(&exit.stderr),
        _ => None,
    }
}

/// Codex says that the turn failed.
pub(super) fn failed(message: &str, known: Known<'_>) -> FailureKind {
    let sentence = error_kind::provider_message(message);
    recognised(message, &sentence, known).unwrap_or(FailureKind::TurnFailed { message: sentence })
}

/// Codex is gone and has not said how the turn ended.
pub(super) fn exited(
    status: String,
    stderr: &str,
    last_error: Option<&str>,
    known: Known<'_>,
) -> FailureKind {
    let mut reason = error_kind::stderr_reason(stderr);
    if reason.is_empty() {
        reason = last_error.map(error_kind::provider_message).unwrap_or_default();
    }
    match (error_kind::recognize(&reason), known.session) {
        (Some(ErrorKind::SessionNotFound), Some(session)) => {
            FailureKind::SessionNotFound { session }
        }
        _ => {
            recognised(&reason, &reason, known).unwrap_or(FailureKind::NoResult { status, reason })
        }
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

/// What Codex's words mean, wherever they stand. `told` is what is passed on of them.
fn recognised(words: &str, told: &str, known: Known<'_>) -> Option<FailureKind> {
    let message = told.to_owned();
    Some(match error_kind::recognize(words)? {
        ErrorKind::NotLoggedIn => FailureKind::NotLoggedIn { message },
        ErrorKind::RefreshTokenUsed => FailureKind::RefreshTokenUsed { message },
        ErrorKind::UsageLimit => FailureKind::UsageLimit { message },
        ErrorKind::Config => FailureKind::ConfigNotLoaded { message },
        ErrorKind::McpServer => FailureKind::McpServerFailed { message },
        ErrorKind::Home => {
            let home = known.codex_home.map(|home| home.display().to_string());
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
