//! Reads the values that occur in events, in the shapes of all releases from 0.77 to 0.171. Pure.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::entry::{Change, File, MAX_LISTED, Tokens, name, output, text};
use crate::codex::progress_text::without_shell;
use crate::codex::turn_record::action;
use crate::model::time::Time;
use crate::model::usage::Usage;

/// A text, empty if there is none.
pub(super) fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A command, as a line or as an argument list, without the shell that Codex wraps around it.
pub(super) fn command(value: &Value) -> Option<String> {
    let line = action::command(value)?;
    Some(if value.is_string() { output(&without_shell(&line)) } else { output(&line) })
}

/// `{"secs":1,"nanos":2}`, as the standard library's `Duration` is written.
pub(super) fn duration(value: &Value) -> Option<Duration> {
    let (secs, nanos) = (value["secs"].as_u64()?, value["nanos"].as_u64()?);
    Some(Duration::new(secs, u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?))
}

/// A number of milliseconds.
pub(super) fn millis(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}

/// When an event happened, which 0.153 says of some.
pub(super) fn time(event: &Value) -> Option<Time> {
    let ms = ["completed_at_ms", "started_at_ms"].into_iter().find_map(|name| event[name].as_u64());
    let seconds = || {
        let names = ["completed_at", "started_at"];
        names.into_iter().find_map(|name| event[name].as_u64())?.checked_mul(1_000)
    };
    ms.or_else(seconds).map(Time)
}

/// The changes of a patch: a map from paths, or a list.
pub(super) fn files(changes: &Value) -> Vec<File> {
    let file = |path: &str, kind: &str| File { change: Change::of(kind), path: name(path) };
    match changes {
        Value::Object(changes) => {
            let changes = changes.iter().take(MAX_LISTED);
            changes.map(|(path, change)| file(path, kind_of(change))).collect()
        }
        Value::Array(changes) => {
            let changes = changes.iter().take(MAX_LISTED);
            changes.map(|change| file(string(&change["path"]), kind_of(change))).collect()
        }
        _ => Vec::new(),
    }
}

/// 0.77 wrote `{"add":{…}}` into its record, later releases a `type`, and `codex exec` a `kind`.
fn kind_of(change: &Value) -> &str {
    let named = [&change["type"], &change["kind"]].into_iter().find_map(Value::as_str);
    let key = || change.as_object().and_then(|change| change.keys().next());
    named.or_else(|| key().map(String::as_str)).unwrap_or_default()
}

/// The error of a tool of an MCP server: `{"Ok":{"isError":true,…}}`, `{"Err":"…"}`, or without the outer object.
pub(super) fn tool_error(result: &Value) -> Option<String> {
    let plain = result.as_object().is_some_and(|result| !result.contains_key("Ok"));
    let done = if plain { result } else { &result["Ok"] };
    if let Some(error) = result["Err"].as_str() {
        return Some(output(error));
    }
    let is_error = done["isError"] == true || done["is_error"] == true;
    is_error.then(|| output(&content(&done["content"])))
}

/// The texts of a list of content blocks.
pub(super) fn content(blocks: &Value) -> String {
    let blocks = blocks.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = blocks.iter().filter_map(|block| block.as_str().or_else(|| block["text"].as_str()));
    text(&texts.collect::<Vec<_>>().join("\n"))
}

/// The `info` of a `token_count`.
pub(super) fn tokens(info: &Value) -> Option<Tokens> {
    let total = Usage::deserialize(&info["total_token_usage"]).ok()?;
    let last = &info["last_token_usage"];
    let context = last["total_tokens"].as_u64().or_else(|| {
        Some(last["input_tokens"].as_u64()?.saturating_add(last["output_tokens"].as_u64()?))
    });
    let window = info["model_context_window"].as_u64().filter(|window| *window > 0);
    Some(Tokens { total, context, window })
}
