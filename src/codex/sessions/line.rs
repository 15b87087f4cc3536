//! What a line of a record is about. Pure.
//!
//! Most lines are long and of no interest, so what a line is about is taken from its head, as all
//! versions from 0.77 to 0.171 write it: `{"timestamp":"…","type":"event_msg","payload":{"type":"…"`, from
//! 0.153 on with an `"ordinal"` before the type. A line in another form is decoded in full.

use memchr::memmem;
use serde_json::Value;

use super::lines::RawLine;
use crate::model::time::Time;

/// How much of a line is looked at.
const HEAD: usize = 1_024;

/// How much of a text is taken from a line that is not kept whole, in bytes.
const TEXT_OF_A_PART: usize = 256 << 10;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the session is. The first line.
    Meta,
    /// What a turn runs with.
    TurnContext,
    /// A turn begins (from 0.100 on).
    TurnHead,
    User,
    Agent,
    Reasoning,
    TokenCount,
    Aborted,
    Error,
    /// Something that the model did, as an item with its result (from 0.153 on).
    Command,
    FileChange,
    ToolCall,
    /// A call of the model's and what came of it, each in a line of its own (up to 0.120).
    Call,
    Output,
    /// What came of a call where there are items (from 0.153 on). It may have none.
    Result,
    Other,
}

impl Kind {
    pub(super) fn of(line: &RawLine<'_>) -> Self {
        let head = &line.bytes[..line.bytes.len().min(HEAD)];
        if let Some((outer, before, rest)) = word(head, b"\"type\":\"") {
            let inner = word(rest, b"\"type\":\"").map_or("", |(inner, ..)| inner);
            let item = word(rest, b"\"item\":{\"type\":\"").map_or("", |(item, ..)| item);
            let is_numbered = memmem::find(before, b"\"ordinal\":").is_some();
            return Self::named(outer, inner, item, is_numbered);
        }
        let Some(value) = decoded(line) else { return Self::Other };
        let payload = &value["payload"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (outer, inner) = (text(&value["type"]), text(&payload["type"]));
        let item = text(&payload["item"]["type"]);
        Self::named(&outer, &inner, &item, value.get("ordinal").is_some())
    }

    fn named(outer: &str, inner: &str, item: &str, is_numbered: bool) -> Self {
        match outer {
            "session_meta" => Self::Meta,
            "turn_context" => Self::TurnContext,
            // Where lines are numbered, what the model did is told by items too.
            "response_item" if !is_numbered => match inner {
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

/// The text that follows `key`, what stands before the key, and what follows the text.
fn word<'a>(bytes: &'a [u8], key: &[u8]) -> Option<(&'a str, &'a [u8], &'a [u8])> {
    let at = memmem::find(bytes, key)?;
    let rest = &bytes[at + key.len()..];
    let end = memchr::memchr(b'"', rest)?;
    Some((std::str::from_utf8(&rest[..end]).ok()?, &bytes[..at], &rest[end..]))
}

/// When the line was written.
pub(super) fn time(line: &RawLine<'_>) -> Option<Time> {
    let head = &line.bytes[..line.bytes.len().min(HEAD)];
    Time::parse(word(head, b"\"timestamp\":\"")?.0)
}

/// The line as JSON, if it is all there.
pub(super) fn decoded(line: &RawLine<'_>) -> Option<Value> {
    if line.is_whole { serde_json::from_slice(line.bytes).ok() } else { None }
}

/// The text of a message or a thought; the beginning of one that is too long to be kept.
pub(super) fn message(line: &RawLine<'_>) -> Option<String> {
    let Some(value) = decoded(line) else { return beginning(line.bytes) };
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

/// The beginning of the first text in the beginning of a line.
fn beginning(bytes: &[u8]) -> Option<String> {
    let keys = [&b"\"message\":\""[..], b"\"text\":\""];
    let at = keys.into_iter().find_map(|key| Some(memmem::find(bytes, key)? + key.len()))?;
    let rest = &bytes[at..bytes.len().min(at + TEXT_OF_A_PART)];
    // The end of the text, or where the part of it that is there can be cut: not inside of an escape,
    // and not between the halves of a pair, which are twelve bytes at most.
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
    fn a_line_in_another_form_is_known_too() {
        let compact = br#"{"timestamp":"x","type":"event_msg","payload":{"type":"task_started"}}"#;
        let spaced = br#"{"payload": {"type": "task_started"}, "type": "event_msg"}"#;
        for bytes in [&compact[..], spaced] {
            assert_eq!(Kind::of(&line(bytes, true)), Kind::TurnHead);
        }
        assert_eq!(Kind::of(&line(b"garbage", true)), Kind::Other);
    }

    #[test]
    fn calls_count_only_where_there_are_no_items() {
        let call = r#""type":"response_item","payload":{"type":"function_call"}}"#;
        let old = format!("{{\"timestamp\":\"x\",{call}");
        let new = format!("{{\"timestamp\":\"x\",\"ordinal\":3,{call}");
        assert_eq!(Kind::of(&line(old.as_bytes(), true)), Kind::Call);
        assert_eq!(Kind::of(&line(new.as_bytes(), true)), Kind::Other);
    }

    #[test]
    fn of_a_line_that_is_cut_the_text_begins_and_no_escape_is_split() {
        let whole = r#"{"payload":{"item":{"content":[{"type":"text","text":"a\"b\ud83d\ude00é\n"#;
        let from = whole.len() - r#"\"b\ud83d\ude00é\n"#.len();
        for end in (from..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let text = message(&line(&whole.as_bytes()[..end], false)).expect("there is text");
            assert!("a\"b😀é\n".starts_with(&text), "{text:?}");
        }
    }
}
