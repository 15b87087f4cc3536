//! What a call answers: structured content for a completed turn, text alone for every other ending.
//!
//! Clients show their model only one of the two (Claude Code and Codex: the structure of a success,
//! Claude Code: the text of an error), so each is complete in itself.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, json};

use super::size_limit::structured;
use super::{Tool, verdict};
use crate::model::outcome::{Answer, Failure, FailureKind};
use crate::model::text::{HeadTail, LineBreaks, escape_controls, sanitize, split_head_tail};
use crate::turn::advice::{self, Ways};

/// The longest reply that is passed on, in characters. Claude Code takes 500,000 of the whole answer.
const MAX_REPLY_CHARS: usize = 400_000;

/// The most of a partial reply that an error carries: Claude Code cuts errors at 10,000.
const MAX_PARTIAL_CHARS: usize = 6_000;

/// The answer of the tool of this name, whose turn has ended.
pub(crate) fn reply(tool: Tool, outcome: Result<Answer, Box<Failure>>) -> CallToolResult {
    match outcome {
        Ok(answer) => completed(tool, answer),
        Err(failure) => failed(tool.name(), &failure),
    }
}

fn completed(tool: Tool, answer: Answer) -> CallToolResult {
    let Answer {
        session_id,
        is_recorded,
        no_sandbox,
        reply,
        output,
        working_dir,
        effective,
        usage,
        session_usage,
        mut warnings,
    } = answer;
    let review = output.as_ref().filter(|_| tool != Tool::Chat);
    let (reply, beside) = match review.map(|output| verdict::read(tool, output)) {
        Some(Some((text, mut review))) => {
            if no_sandbox && verdict::approves(&review) {
                review.remove("verdict");
                warnings.push(
                    "Codex approved what it could not look at, so there is no verdict.".into(),
                );
            }
            (text, review)
        }
        Some(None) => {
            let warning =
                "The reply does not keep to the form of a review, so there is no verdict.";
            warnings.push(warning.into());
            (reply, Map::new())
        }
        None => (reply, output.map(|output| ("output".to_owned(), output)).into_iter().collect()),
    };
    let (reply, warning) = shortened(reply, MAX_REPLY_CHARS);
    warnings.extend(warning);
    let mut content = Map::new();
    content.insert("session_id".into(), session_id.to_string().into());
    content.insert(tool.reply_field().into(), reply.into());
    if is_recorded {
        content.insert("resume_command".into(), session_id.resume_command().into());
    }
    content.insert("cwd".into(), working_dir.to_string_lossy().into());
    content.extend(beside);
    if let Some(effective) = effective {
        content.insert("effective".into(), json!(effective));
    }
    if let Some(usage) = usage {
        content.insert("usage".into(), json!(usage));
    }
    if let Some(usage) = session_usage {
        content.insert("session_usage".into(), json!(usage));
    }
    if !warnings.is_empty() {
        content.insert("warnings".into(), warnings.into());
    }
    structured(content)
}

/// The answer of the tool of this name, whose turn was not completed, or did not begin.
pub(crate) fn failed(tool: &str, failure: &Failure) -> CallToolResult {
    let Failure { kind, session_id, partial_reply, working_dir, warnings } = failure;
    let mut text =
        format!("{}: {}.\n\nNext: {}\n", kind.word(), sentence(kind), next(tool, failure));
    if let Some(session) = session_id {
        text += &format!("\nsession_id: {session}\nresume_command: {}\n", session.resume_command());
        if let Some(working_dir) = working_dir {
            text += &format!("cwd: {}\n", sanitize(working_dir.display(), LineBreaks::Escape));
        }
    }
    for warning in warnings {
        text += &format!("\nWarning: {warning}\n");
    }
    if let Some(partial) = partial_reply {
        text += &said_before(partial);
    }
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// What Codex had said before it went wrong, as an error has it.
pub(super) fn said_before(partial: &str) -> String {
    let (partial, _) = shortened(partial.to_owned(), MAX_PARTIAL_CHARS);
    format!("\nWhat Codex had said before:\n{}\n", escape_controls(&partial, LineBreaks::Keep))
}

fn sentence(kind: &FailureKind) -> String {
    let text = kind.to_string();
    let text = text.trim_end_matches('.');
    match text.chars().next() {
        // A field's name stays as it is written.
        Some(first) if !starts_with_a_field(kind) => {
            first.to_uppercase().collect::<String>() + &text[first.len_utf8()..]
        }
        _ => text.to_owned(),
    }
}

fn starts_with_a_field(kind: &FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::BadInput { .. }
            | FailureKind::NotAllowed { .. }
            | FailureKind::NeedsNewerCodex { .. }
            | FailureKind::CannotStart { .. }
    )
}

/// What the caller can do about it.
fn next(tool: &str, failure: &Failure) -> String {
    let again = format!("call {tool} again");
    let resume = match failure.session_id {
        Some(_) => format!("{again} with this session_id to go on from where it stopped"),
        None => again.clone(),
    };
    advice::next(&failure.kind, Ways { again: &again, resume: &resume })
}

/// Leaves out the middle of a text that is too long.
fn shortened(text: String, max_chars: usize) -> (String, Option<String>) {
    let Some(HeadTail { head, tail, omitted_chars: left_out }) = split_head_tail(&text, max_chars)
    else {
        return (text, None);
    };
    let warning = format!(
        "The reply is {} characters long, and {left_out} of them were left out in its middle. The \
         whole is in the session.",
        max_chars + left_out
    );
    (format!("{head}\n[… {left_out} characters left out …]\n{tail}"), Some(warning))
}
