//! Classifies the lines of a record. Pure.
//!
//! Most lines are long and irrelevant, so the kind of a line is read from its start, which has the same form
//! in all versions from 0.77 to 0.171: `{"timestamp":"…","type":"event_msg","payload":{"type":"…"`, from
//! 0.153 on with an `"ordinal"` before the type. A line in any other form is decoded completely.

use memchr::memmem;
use serde_json::Value;

use super::lines::RawLine;
use crate::model::time::Time;

/// How much of a line is searched for its kind, in bytes.
const HEAD_BYTES: usize = 1_024;

/// Maximum length of a text taken from a truncated line, in bytes.
const MAX_PARTIAL_TEXT_BYTES: usize = 256 << 10;

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first line, which describes the session.
    Meta,
    /// The settings of a turn.
    TurnContext,
    /// The start of a turn (from 0.100 on).
    TurnHead,
    User,
    Agent,
    Reasoning,
    TokenCount,
    Aborted,
    Error,
    /// Something that the model did, as an item that includes the result (from 0.153 on).
    Command,
    FileChange,
    ToolCall,
    /// A call of the model, and its output in a separate line (up to 0.120).
    Call,
    Output,
    /// The output of a call in a version that also records items (from 0.153 on), although not for every
    /// call.
    Result,
    Other,
}

impl Kind {
    pub(super) fn of(line: &RawLine<'_>) -> Self {
        let head = &line.bytes[..line.bytes.len().min(HEAD_BYTES)];
        if let Some((outer, before, rest)) = string_after(head, b"\"type\":\"") {
            let inner = string_after(rest, b"\"type\":\"").map_or("", |(inner, ..)| inner);
            let item = string_after(rest, b"\"item\":{\"type\":\"").map_or("", |(item, ..)| item);
            let has_ordinal = memmem::find(before, b"\"ordinal\":").is_some();
            return Self::from_types(outer, inner, item, has_ordinal);
        }
        let Some(value) = decoded(line) else { return Self::Other };
        let payload = &value["payload"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (outer, inner) = (text(&value["type"]), text(&payload["type"]));
        let item = text(&payload["item"]["type"]);
        Self::from_types(&outer, &inner, &item, value.get("ordinal").is_some())
    }

    fn from_types(outer: &str, inner: &str, item: &str, has_ordinal: bool) -> Self {
        match outer {
            "session_meta" => Self::Meta,
            "turn_context" => Self::TurnContext,
            // Versions that number their lines also record the model's actions as items.
            "response_item" if !has_ordinal => match inner {
                "function_call" | "custom_tool_call" | "local_shell_call" => Self::Call,
                "function_call_output" | "custom_tool_call_output" => Self::Output,
                _ => Self::Other,
            },
            "response_item" => match inner {
                "function_call_output" | "custom_tool_call_output" => Self::Result,
                _ => Self::Other,
            },
            "event_msg" => match inner {
                "user_message" => Self::User,
                "agent_message" => Self::Agent,
                "agent_reasoning" => Self::Reasoning,
                "token_count" => Self::TokenCount,
                "task_started" => Self::TurnHead,
                "turn_aborted" => Self::Aborted,
                "error" => Self::Error,
                "item_completed" => match item {
                    "UserMessage" => Self::User,
                    "AgentMessage" => Self::Agent,
                    "Reasoning" => Self::Reasoning,
                    "CommandExecution" => Self::Command,
                    "FileChange" => Self::FileChange,
                    "McpToolCall" | "WebSearch" => Self::ToolCall,
                    _ => Self::Other,
                },
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// The string after `key`, the bytes before the key, and the bytes after the string.
fn string_after<'a>(bytes: &'a [u8], key: &[u8]) -> Option<(&'a str, &'a [u8], &'a [u8])> {
    let at = memmem::find(bytes, key)?;
    let rest = &bytes[at + key.len()..];
    let end = memchr::memchr(b'"', rest)?;
    Some((std::str::from_utf8(&rest[..end]).ok()?, &bytes[..at], &rest[end..]))
}

/// When the line was written.
pub(super) fn time(line: &RawLine<'_>) -> Option<Time> {
    let head = &line.bytes[..line.bytes.len().min(HEAD_BYTES)];
    Time::parse(string_after(head, b"\"timestamp\":\"")?.0)
}

/// The line as JSON, unless it is truncated.
pub(super) fn decoded(line: &RawLine<'_>) -> Option<Value> {
    if line.is_whole { serde_json::from_slice(line.bytes).ok() } else { None }
}

/// The text of a message or of reasoning; only its start if the line is truncated.
pub(super) fn message(line: &RawLine<'_>) -> Option<String> {
    let Some(value) = decoded(line) else { return start_of_text(line.bytes) };
    let payload = &value["payload"];
    let item = &payload["item"];
    let plain = [&payload["message"], &payload["text"]].into_iter().find_map(Value::as_str);
    if let Some(text) = plain {
        return Some(text.to_owned());
    }
    let parts = [&item["content"], &item["summary_text"]].into_iter().find_map(Value::as_array)?;
    let texts = parts.iter().filter_map(|part| part.as_str().or_else(|| part["text"].as_str()));
    Some(texts.collect::<Vec<_>>().join("\n"))
}

/// The start of the first text in a truncated line.
fn start_of_text(bytes: &[u8]) -> Option<String> {
    let keys = [&b"\"message\":\""[..], b"\"text\":\""];
    let at = keys.into_iter().find_map(|key| Some(memmem::find(bytes, key)? + key.len()))?;
    let rest = &bytes[at..bytes.len().min(at + MAX_PARTIAL_TEXT_BYTES)];
    // Find the end of the text, or a position at which the partial text can be cut: not inside an escape
    // sequence or a surrogate pair, which has at most twelve bytes.
    let mut end = 0;
    while end < rest.len() && rest[end] != b'"' {
        end += if rest[end] == b'\\' { 2 } else { 1 };
    }
    let mut end = end.min(rest.len());
    for _ in 0..16 {
        let quoted = [b"\"", &rest[..end], b"\""].concat();
        if let Ok(text) = serde_json::from_slice(&quoted) {
            return Some(text);
        }
        end = end.checked_sub(1)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[u8], is_whole: bool) -> RawLine<'_> {
        RawLine { start: 0, end: 0, bytes, is_whole }
    }

    #[test]
    fn a_line_in_another_form_is_recognized() {
        let compact = br#"{"timestamp":"x","type":"event_msg","payload":{"type":"task_started"}}"#;
        let spaced = br#"{"payload": {"type": "task_started"}, "type": "event_msg"}"#;
        for bytes in [&compact[..], spaced] {
            assert_eq!(Kind::of(&line(bytes, true)), Kind::TurnHead);
        }
        assert_eq!(Kind::of(&line(b"garbage", true)), Kind::Other);
    }

    #[test]
    fn calls_count_only_if_there_are_no_items() {
        let call = r#""type":"response_item","payload":{"type":"function_call"}}"#;
        let old = format!("{{\"timestamp\":\"x\",{call}");
        let new = format!("{{\"timestamp\":\"x\",\"ordinal\":3,{call}");
        assert_eq!(Kind::of(&line(old.as_bytes(), true)), Kind::Call);
        assert_eq!(Kind::of(&line(new.as_bytes(), true)), Kind::Other);
    }

    #[test]
    fn the_text_of_a_truncated_line_splits_no_escape() {
        let whole = r#"{"payload":{"item":{"content":[{"type":"text","text":"a\"b\ud83d\ude00é\n"#;
        let from = whole.len() - r#"\"b\ud83d\ude00é\n"#.len();
        for end in (from..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let text = message(&line(&whole.as_bytes()[..end], false)).expect("there is text");
            assert!("a\"b😀é\n".starts_with(&text), "{text:?}");
        }
    }
}
