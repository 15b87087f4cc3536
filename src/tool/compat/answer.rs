//! Answers in the form of Codex's server: the text, and beside it the thread, as soon as there is one.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::json;

use super::arguments::Refused;
use crate::model::session_id::SessionId;
use crate::model::text::excerpt;

/// A completed turn. `reply` is the last message of Codex, or empty. `beside` is a text of its own.
pub(super) fn completed(thread: SessionId, reply: &str, beside: Option<String>) -> CallToolResult {
    with_thread(CallToolResult::success(texts(reply, beside)), thread, reply)
}

/// A call that failed, in a thread if there is one.
pub(super) fn failed(
    thread: Option<SessionId>,
    message: &str,
    beside: Option<String>,
) -> CallToolResult {
    let result = CallToolResult::error(texts(message, beside));
    match thread {
        Some(thread) => with_thread(result, thread, message),
        None => result,
    }
}

/// A call of a tool that does not exist. For Codex that is a result, not an error of the protocol.
pub(crate) fn unknown_tool(name: &str) -> CallToolResult {
    Refused(format!("Unknown tool '{}'", excerpt(name))).into()
}

impl From<Refused> for CallToolResult {
    /// There is no thread, so there is only the text.
    fn from(Refused(message): Refused) -> Self {
        failed(None, &message, None)
    }
}

fn texts(text: &str, beside: Option<String>) -> Vec<ContentBlock> {
    [text.to_owned()].into_iter().chain(beside).map(ContentBlock::text).collect()
}

fn with_thread(mut result: CallToolResult, thread: SessionId, content: &str) -> CallToolResult {
    result.structured_content = Some(json!({ "threadId": thread, "content": content }));
    // Codex never says that a result is no error.
    result.is_error = result.is_error.filter(|is_error| *is_error);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::recorded;
    use super::*;

    /// The same answer by this server.
    fn ours(request: &Value, theirs: &Value) -> CallToolResult {
        let name = request["params"]["name"].as_str().expect("a call has a tool");
        let message = theirs["content"][0]["text"].as_str().expect("an answer has a text");
        let Some(thread) = theirs["structuredContent"]["threadId"].as_str() else {
            let is_known = name.starts_with("codex");
            return if is_known { Refused(message.into()).into() } else { unknown_tool(name) };
        };
        let thread = thread.parse().expect("a thread has a UUID");
        match theirs["isError"].as_bool() {
            None => completed(thread, message, None),
            Some(_) => failed(Some(thread), message, None),
        }
    }

    #[test]
    fn answers_have_the_form_of_codex_own() {
        let mut compared = 0;
        for scenario in ["call", "failed", "unknown-thread", "bad-arguments"] {
            for recorded::Exchange { request, answer } in recorded::exchanges(scenario) {
                let theirs = &answer["result"];
                if request["method"] == "tools/call" && !theirs.is_null() {
                    let mut ours = json!(ours(&request, theirs));
                    // Newer versions of MCP have it; rmcp leaves it out for older ones.
                    let newer = ours.as_object_mut().and_then(|it| it.shift_remove("resultType"));
                    assert_eq!(newer, Some("complete".into()));
                    assert_eq!(ours, *theirs, "{scenario}: {request}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 37, "the recordings have as many answers");
    }
}
