//! `codex-reply`: continues a thread.

use serde_json::json;

use super::CompatTool;

pub(super) fn tool() -> CompatTool {
    let text = |about: &str| json!({ "description": about, "type": "string" });
    CompatTool {
        name: "codex-reply",
        title: "Codex Reply",
        description: "Continue a Codex conversation by providing the thread id and prompt.",
        input: json!({
            "properties": {
                "conversationId": text("DEPRECATED: use threadId instead."),
                "prompt": text("The *next user prompt* to continue the Codex conversation."),
                "threadId": text("The thread id for this Codex session. This field is required, \
                                  but we keep it optional here for backward compatibility for \
                                  clients that still use conversationId."),
            },
            "required": ["prompt"],
            "type": "object",
        }),
    }
}
