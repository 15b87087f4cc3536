//! How a call ends: what Codex's server would have answered, and what it never said.
//!
//! Where Codex reports an error itself, the answer is its message alone, as there, and what to do next is a text of its
//! own. Every other error is one text that is complete in itself, because some clients show only the structured content
//! of an answer.

use rmcp::model::CallToolResult;

use super::answer;
use crate::model::advice::{Cause, Reader, advice_for};
use crate::model::outcome::{Answer, Failure, FailureKind};
use crate::model::session_id::SessionId;
use crate::model::text::{LineBreaks, escape_controls};
use crate::tool::error::{MAX_PARTIAL_CHARS, details, render};
use crate::tool::reply::{MAX_REPLY_CHARS, shortened};

/// The answer to a call whose turn was completed.
pub(super) fn completed(answer: Answer, notes: &[String]) -> CallToolResult {
    let Answer { session_id, reply, warnings, .. } = answer;
    let (reply, cut) = shortened(reply, MAX_REPLY_CHARS);
    let warnings = warnings.into_iter().chain(cut).map(|warning| format!("Warning: {warning}"));
    let beside: Vec<String> = noted(notes).chain(warnings).collect();
    answer::completed(session_id, &reply, (!beside.is_empty()).then(|| beside.join("\n\n")))
}

/// The answer to a call of `tool` that was refused before its turn was requested. `thread` is the one that the call names.
pub(super) fn refused(tool: &str, kind: FailureKind, thread: Option<SessionId>) -> CallToolResult {
    failed(tool, &Failure::of(kind, None), thread, &[])
}

/// The answer to a call of `tool` whose turn was not completed. `thread` is the one that the call names.
pub(super) fn failed(
    tool: &str,
    failure: &Failure,
    thread: Option<SessionId>,
    notes: &[String],
) -> CallToolResult {
    let kind = &failure.kind;
    let has_thread = failure.session_id.is_some();
    let advice = advice_for(Cause::Failure(kind), Reader::CompatTool { tool, has_thread });
    let details = details(failure, "threadId");
    let noted: String = noted(notes).map(|note| format!("\n{note}\n")).collect();
    let thread = failure.session_id.or(thread);
    let reported = failure.reported.clone();
    match codex_message(kind).map(|message| reported.unwrap_or(message)) {
        Some(message) => {
            let (message, _) = shortened(message, MAX_PARTIAL_CHARS);
            let message = escape_controls(&message, LineBreaks::Keep);
            answer::failed(thread, &message, Some(format!("Next: {advice}\n{details}{noted}")))
        }
        None => {
            let text = render(kind.code(), &kind.to_string(), &advice) + &details + &noted;
            answer::failed(thread, &text, None)
        }
    }
}

fn noted(notes: &[String]) -> impl Iterator<Item = String> {
    notes.iter().map(|note| format!("Note: {note}"))
}

/// What Codex's server said, if it had this error.
fn codex_message(kind: &FailureKind) -> Option<String> {
    match kind {
        FailureKind::TurnFailed { message }
        | FailureKind::NotLoggedIn { message }
        | FailureKind::RefreshTokenUsed { message }
        | FailureKind::UsageLimit { message }
        | FailureKind::ContextFull { message }
        | FailureKind::SchemaRefused { message }
        | FailureKind::PictureRefused { message } => Some(message.clone()),
        FailureKind::SessionNotFound { session } => {
            Some(format!("Session not found for thread_id: {session}"))
        }
        FailureKind::ConfigNotLoaded { message } => {
            Some(format!("Failed to load Codex configuration from overrides: {message}"))
        }
        FailureKind::CodexNotFound { .. }
        | FailureKind::CannotStart { .. }
        | FailureKind::McpServerFailed { .. }
        | FailureKind::CodexHomeUnusable { .. } => {
            Some(format!("Failed to start Codex session: {kind}"))
        }
        FailureKind::BadInput { .. }
        | FailureKind::NotAllowed { .. }
        | FailureKind::LooserThanAllowed { .. }
        | FailureKind::LooserThanAsked { .. }
        | FailureKind::NeedsNewerCodex { .. }
        | FailureKind::Storage { .. }
        | FailureKind::SessionBusy { .. }
        | FailureKind::AnotherSession { .. }
        | FailureKind::TimedOut { .. }
        | FailureKind::Cancelled { .. }
        | FailureKind::NotRecorded { .. }
        | FailureKind::NoResult { .. }
        | FailureKind::TooManyCalls { .. }
        | FailureKind::Internal { .. } => None,
    }
}
