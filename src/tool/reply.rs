//! What a call answers: structured content for a completed turn, text alone for every other ending.
//!
//! Clients show their model only one of the two (Claude Code and Codex: the structure of a success,
//! Claude Code: the text of an error), so each is complete in itself.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::Tool;
use crate::turn::outcome::{Answer, CancelledBy, Failure, FailureKind, Limit};

/// The longest reply that is passed on, in characters. Claude Code takes 500,000 of the whole answer.
const MAX_REPLY_CHARS: usize = 400_000;

/// The most of a partial reply that an error carries: Claude Code cuts errors at 10,000.
const MAX_PARTIAL_CHARS: usize = 6_000;

/// The answer of a tool whose turn has ended.
pub(crate) fn reply(tool: Tool, outcome: Result<Answer, Box<Failure>>) -> CallToolResult {
    match outcome {
        Ok(answer) => completed(tool, answer),
        Err(failure) => failed(tool, &failure),
    }
}

fn completed(tool: Tool, answer: Answer) -> CallToolResult {
    let Answer { session_id, reply, working_dir, usage, session_usage, mut warnings } = answer;
    let reply = clipped(reply, MAX_REPLY_CHARS, &mut warnings);
    let mut content = Map::new();
    content.insert("session_id".into(), session_id.to_string().into());
    content.insert(tool.reply_field().into(), reply.into());
    content.insert("resume_command".into(), session_id.resume_command().into());
    content.insert("cwd".into(), working_dir.to_string_lossy().into());
    if let Some(usage) = usage {
        content.insert("usage".into(), json!(usage));
    }
    if let Some(usage) = session_usage {
        content.insert("session_usage".into(), json!(usage));
    }
    if !warnings.is_empty() {
        content.insert("warnings".into(), warnings.into());
    }
    CallToolResult::structured(Value::Object(content))
}

/// The answer of a tool whose turn was not completed, or did not begin.
pub(crate) fn failed(tool: Tool, failure: &Failure) -> CallToolResult {
    let Failure { kind, session_id, partial_reply, working_dir } = failure;
    let mut text =
        format!("{}: {}.\n\nNext: {}\n", kind.word(), sentence(kind), next(tool, failure));
    if let Some(session) = session_id {
        text += &format!("\nsession_id: {session}\nresume_command: {}\n", session.resume_command());
        if let Some(working_dir) = working_dir {
            text += &format!("cwd: {}\n", working_dir.display());
        }
    }
    if let Some(partial) = partial_reply {
        let mut notes = Vec::new();
        let partial = clipped(partial.clone(), MAX_PARTIAL_CHARS, &mut notes);
        text += &format!("\nWhat Codex had said before:\n{partial}\n");
    }
    CallToolResult::error(vec![ContentBlock::text(text)])
}

fn sentence(kind: &FailureKind) -> String {
    let text = kind.to_string();
    let text = text.trim_end_matches('.');
    match text.chars().next() {
        // A field's name stays as it is written.
        Some(first) if !matches!(kind, FailureKind::BadInput { .. }) => {
            first.to_uppercase().collect::<String>() + &text[first.len_utf8()..]
        }
        _ => text.to_owned(),
    }
}

/// What the caller can do about it.
fn next(tool: Tool, failure: &Failure) -> String {
    let again = format!("call {} again", tool.name());
    let resume = match failure.session_id {
        Some(_) => format!("{again} with this session_id to go on from where it stopped"),
        None => again.clone(),
    };
    match &failure.kind {
        FailureKind::BadInput { field, .. } => {
            format!("correct {field} and {again}. Nothing was started.")
        }
        FailureKind::CodexNotFound { .. } => {
            "install Codex (npm install -g @openai/codex), or have \
             the operator name the program by CODEX_BIN. Nothing was started."
                .into()
        }
        FailureKind::NotLoggedIn { .. } => format!(
            "a person must run `codex login`, or give Codex its API key: some clients do not pass \
             CODEX_HOME or OPENAI_API_KEY on to their servers. Then {resume}."
        ),
        FailureKind::UsageLimit { .. } => {
            format!("do not try again at once. When the limit is lifted, {resume}.")
        }
        FailureKind::SessionNotFound { .. } => format!(
            "check the session_id. Sessions are looked for in CODEX_HOME, so one made with another \
             CODEX_HOME is not found. To begin a new session, {again} without session_id."
        ),
        FailureKind::SessionBusy { .. } => format!(
            "wait until whoever uses the session is done and {again}, or leave session_id out to \
             work in a new session."
        ),
        FailureKind::AnotherSession { .. } => format!(
            "Codex was stopped at once. Codex before 0.120 does this when it does not know the \
             session: check the session_id, or {again} without it to begin a new session."
        ),
        FailureKind::TurnFailed { .. } => {
            format!("{resume}. If it fails again, try another model or a new session.")
        }
        FailureKind::TimedOut { started: false, .. } => {
            format!("{again} later, or with a larger timeout_ms.")
        }
        FailureKind::TimedOut { limit: Limit::Total(_), .. } => {
            format!("nothing is lost: {resume}, with a larger timeout_ms if the work is long.")
        }
        FailureKind::TimedOut { limit: Limit::Idle(_), .. } => format!(
            "nothing is lost: {resume}, with a larger idle_timeout_ms if the model needs long to think."
        ),
        FailureKind::Cancelled { by: CancelledBy::Caller } => format!("nothing is lost: {resume}."),
        FailureKind::Cancelled { by: CancelledBy::Shutdown } => {
            format!("nothing is lost: when the server runs again, {resume}.")
        }
        FailureKind::NotRecorded { .. } => {
            format!("make room on the disk that holds the server's state folder, then {resume}.")
        }
        FailureKind::NoResult { .. } => format!(
            "{resume}. If it ends so again, run `codex exec hello` in a terminal to see what is wrong \
             with Codex, or begin a new session."
        ),
        FailureKind::TooManyCalls { .. } => {
            format!("wait for calls to end, then {again}. Nothing was started.")
        }
        FailureKind::Internal { .. } => {
            format!("{resume}. Please report this; the server's log has more.")
        }
    }
}

/// Cuts the middle out of a text that is too long.
fn clipped(text: String, max_chars: usize, warnings: &mut Vec<String>) -> String {
    let length = if text.len() <= max_chars { 0 } else { text.chars().count() };
    if length <= max_chars {
        return text;
    }
    let tail_chars = max_chars / 4;
    let head: String = text.chars().take(max_chars - tail_chars).collect();
    let tail: String = text.chars().skip(length - tail_chars).collect();
    let left_out = length - max_chars;
    warnings.push(format!(
        "The reply is {length} characters long, and {left_out} of them were left out in its middle. \
         The whole is in the session."
    ));
    format!("{head}\n[… {left_out} characters left out …]\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reply_keeps_its_head_and_its_tail() {
        let mut warnings = Vec::new();
        let text = format!("{}{}{}", "a".repeat(600), "é".repeat(900), "z".repeat(200));
        let clipped = clipped(text, 800, &mut warnings);
        assert!(clipped.starts_with(&"a".repeat(600)) && clipped.ends_with(&"z".repeat(200)));
        assert!(clipped.contains("900 characters left out"));
        assert_eq!(warnings.len(), 1);
    }
}
