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
use crate::tool::details::{Details, MAX_PARTIAL_CHARS};
use crate::tool::error::render;
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
    let kind = &renamed(failure.kind.clone());
    let has_thread = failure.session_id.is_some();
    let advice = advice_for(Cause::Failure(kind), Reader::CompatTool { tool, has_thread });
    let details = Details::from(failure).text("threadId");
    let noted: String = noted(notes).map(|note| format!("\n{note}\n")).collect();
    let thread = failure.session_id.or(thread);
    let reported = failure.reported.clone();
    match codex_message(kind, thread).map(|message| reported.unwrap_or(message)) {
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

/// The error with the name that these tools have for a session.
fn renamed(mut kind: FailureKind) -> FailureKind {
    if let FailureKind::BadInput { field, .. } | FailureKind::NotAllowed { field, .. } = &mut kind
        && field == "session_id"
    {
        *field = "threadId".into();
    }
    kind
}

/// What Codex's server said, if it had this error.
fn codex_message(kind: &FailureKind, thread: Option<SessionId>) -> Option<String> {
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
        | FailureKind::CodexHomeUnusable { .. } => Some(start_failed(kind)),
        FailureKind::NoResult { .. } if thread.is_none() => Some(start_failed(kind)),
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

fn start_failed(kind: &FailureKind) -> String {
    format!("Failed to start Codex session: {kind}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::changed_files::ChangedFiles;
    use crate::model::value::InvalidValue;
    use crate::tool::compat::codex_reply::NAME;

    fn thread() -> SessionId {
        "01a21bc5-0000-7000-8000-000000000000".parse().expect("a UUID")
    }

    fn texts(result: &CallToolResult) -> Vec<&str> {
        result.content.iter().filter_map(|it| it.as_text()).map(|it| &*it.text).collect()
    }

    fn structured(result: &CallToolResult, name: &str) -> Value {
        result.structured_content.as_ref().map(|content| content[name].clone()).unwrap_or_default()
    }

    #[test]
    fn a_reply_that_is_too_long_is_cut_in_both_places_and_that_is_said() {
        let whole = "é".repeat(MAX_REPLY_CHARS);
        let answer = |reply: String, warnings: &[&str]| Answer {
            session_id: thread(),
            is_recorded: true,
            no_sandbox: false,
            reply,
            output: None,
            files_changed: ChangedFiles::default(),
            working_dir: "/".into(),
            effective: None,
            usage: None,
            session_usage: None,
            warnings: warnings.iter().map(|it| (*it).to_owned()).collect(),
        };
        let result = completed(answer(whole.clone(), &[]), &[]);
        assert_eq!(texts(&result), [&whole]);
        let result = completed(answer(whole + "x", &["Look."]), &["Mind.".into()]);
        let [reply, beside] = texts(&result)[..] else { panic!("two texts") };
        assert!(reply.contains("characters omitted") && structured(&result, "content") == reply);
        assert!(
            beside.starts_with("Note: Mind.\n\nWarning: Look.\n\nWarning: The reply has"),
            "{beside}"
        );
    }

    #[test]
    fn an_error_of_this_server_is_one_text_with_everything() {
        let problem = InvalidValue("is outside".into());
        let kind = FailureKind::BadInput { field: "session_id".into(), problem };
        let result = refused(NAME, kind, Some(thread()));
        let expected = "bad_input: threadId is outside.\n\nNext: correct threadId and call codex-reply again. \
                        Nothing was started.\n";
        assert_eq!(texts(&result), [expected]);
        assert_eq!(structured(&result, "content"), expected);
        assert_eq!(structured(&result, "threadId"), thread().to_string());
    }

    #[test]
    fn codex_without_a_result_is_a_failed_start_unless_there_is_a_thread() {
        let kind = || FailureKind::NoResult { status: "exit status 1".into(), reason: "x".into() };
        let result = refused(NAME, kind(), None);
        assert!(texts(&result)[0].starts_with("Failed to start Codex session: Codex exited"));
        assert!(result.structured_content.is_none());
        let result = refused(NAME, kind(), Some(thread()));
        assert!(texts(&result)[0].starts_with("no_result: Codex exited"));
    }

    #[test]
    fn the_message_of_codex_stands_alone_and_is_bounded() {
        let message = "x".repeat(MAX_PARTIAL_CHARS + 1) + "\u{1b}";
        let mut failure =
            Failure::of(FailureKind::TurnFailed { message: "short".into() }, Some(thread()));
        failure.reported = Some(message);
        failure.partial_reply = Some("Half.".into());
        let result = failed(NAME, &failure, None, &["Mind.".into()]);
        let [message, beside] = texts(&result)[..] else { panic!("two texts") };
        assert!(message.starts_with("xx") && message.len() < MAX_PARTIAL_CHARS + 100);
        assert!(!message.contains('\u{1b}') && structured(&result, "content") == message);
        assert!(beside.starts_with("Next: call codex-reply with this threadId"), "{beside}");
        assert!(
            beside.contains("\nPartial reply:\nHalf.\n") && beside.ends_with("Note: Mind.\n"),
            "{beside}"
        );
    }
}
