//! Entries as JSON, one object per line. Pure.

use serde_json::{Map, Value, json};

use crate::codex::reading::cursor::Cursor;
use crate::codex::reading::entry::{Entry, File, Tokens, What};
use crate::codex::reading::reader::Skipped;
use crate::codex::reading::runs::Runs;
use crate::codex::reading::stuck::Verdict;

/// The object of an entry. Unknown fields are left out.
pub(super) fn entry(entry: &Entry) -> Value {
    let request = entry
        .request
        .as_deref()
        .map(|request| serde_json::from_str(request).unwrap_or_else(|_| Value::from(request)));
    let head = json!({
        "type": entry.what.kind(), "at": entry.at, "request": request, "session": entry.session,
    });
    object(head, fields(&entry.what))
}

/// The last object: the cursor, and what was not an entry.
pub(super) fn end(
    cursor: Cursor,
    skipped: Skipped,
    replaced: bool,
    tokens_of: Option<&Runs>,
    verdict: Option<&Verdict>,
) -> Value {
    let counts: Map<String, Value> =
        skipped.counts().map(|(name, count)| (name.to_owned(), count.into())).collect();
    let sessions = tokens_of.map(|runs| {
        let sessions = runs.tokens.iter();
        sessions.map(|(id, tokens)| object(json!({"session": id}), of_tokens(tokens))).collect()
    });
    let (stuck, reason) = match verdict {
        Some(Verdict::Stuck(reason)) => (json!(true), Some(reason)),
        Some(Verdict::Working(reason) | Verdict::Ended(reason)) => (json!(false), Some(reason)),
        Some(Verdict::Unknown(reason)) => (json!("unknown"), Some(reason)),
        None => (Value::Null, None),
    };
    let head = json!({"type": "end", "cursor": cursor.to_string()});
    let rest = json!({
        "replaced": replaced.then_some(true),
        "skipped": (!counts.is_empty()).then_some(counts),
        "incomplete_bytes": (skipped.incomplete > 0).then_some(skipped.incomplete),
        "tokens": sessions.map(|sessions: Vec<Value>| sessions),
        "stuck": stuck,
        "reason": reason,
    });
    object(head, rest)
}

fn fields(what: &What) -> Value {
    let ms = |duration: &Option<std::time::Duration>| {
        duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    };
    match what {
        What::Session { model, cwd, record } => {
            json!({"model": model, "cwd": cwd, "record": record})
        }
        What::Called { tool, prompt } => json!({"tool": tool, "prompt": prompt}),
        What::Cancelled => json!({}),
        What::TurnStarted { window } => json!({"context_window": window}),
        What::Prompt { text }
        | What::Queued { text }
        | What::Message { text }
        | What::Reasoning { text }
        | What::Note { text } => json!({"text": text}),
        What::CommandBegan { command, .. } => json!({"command": command}),
        What::CommandEnded { command, exit_code, duration, output, declined, .. } => json!({
            "command": command, "exit_code": exit_code, "duration_ms": ms(duration),
            "declined": declined.then_some(true), "output": output,
        }),
        What::PatchBegan { files, .. } => json!({"files": of_files(files)}),
        What::PatchEnded { files, applied, output, .. } => json!({
            "files": of_files(files), "applied": applied,
            "output": (!applied).then_some(output),
        }),
        What::ToolBegan { tool, .. } => json!({"tool": tool}),
        What::ToolEnded { tool, duration, error, .. } => {
            json!({"tool": tool, "duration_ms": ms(duration), "error": error})
        }
        What::SearchBegan { .. } => json!({}),
        What::SearchEnded { query, .. } => json!({"query": query}),
        What::Plan { steps } => {
            let steps = steps.iter().map(|step| json!({"text": step.text, "done": step.is_done}));
            json!({"steps": steps.collect::<Vec<_>>()})
        }
        What::Tokens(tokens) => of_tokens(tokens),
        What::Error { message } | What::Warning { message } => json!({"message": message}),
        What::Approval { of, .. } => json!({"of": of}),
        What::TurnEnded { reply, duration, error } => {
            json!({"duration_ms": ms(duration), "reply": reply, "error": error})
        }
        What::TurnAborted { reason, duration } => {
            json!({"duration_ms": ms(duration), "reason": reason})
        }
        What::Answer { text, is_error } => json!({"is_error": is_error, "text": text}),
    }
}

fn of_files(files: &[File]) -> Vec<Value> {
    let file = |file: &File| json!({"change": file.change.as_str(), "path": file.path});
    files.iter().map(file).collect()
}

fn of_tokens(tokens: &Tokens) -> Value {
    json!({
        "used": tokens.used(), "input_tokens": tokens.total.input_tokens,
        "cached_input_tokens": tokens.total.cached_input_tokens,
        "output_tokens": tokens.total.output_tokens,
        "reasoning_output_tokens": tokens.total.reasoning_output_tokens,
        "context": tokens.context, "context_window": tokens.window, "context_left": tokens.left(),
    })
}

/// The fields of both objects that are not null.
fn object(one: Value, two: Value) -> Value {
    let fields = [one, two].into_iter().filter_map(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    Value::Object(fields.flatten().filter(|(_, value)| !value.is_null()).collect())
}
