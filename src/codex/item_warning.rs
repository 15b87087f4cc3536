//! Warnings for the caller about problems that Codex reports without failing the turn. Pure.

use crate::model::event::Item;
use crate::model::text::excerpt;

/// The configuration that makes Codex skip WebSocket. The built-in provider cannot be configured (0.169 and
/// 0.171).
pub(crate) const HOW_TO_AVOID_WEBSOCKET: &str = "a custom provider in Codex's config.toml, with \
     supports_websockets = false, and with requires_openai_auth = true if it is OpenAI";

/// Whether Codex reports that it could not reach the model by WebSocket and falls back to HTTP.
pub(crate) fn is_websocket_fallback(item: &Item) -> bool {
    matches!(item, Item::Error { message } if message.starts_with("Falling back from WebSockets"))
}

/// The warning for an item, if it calls for one.
pub(super) fn item_warning(item: &Item) -> Option<String> {
    match item {
        Item::McpToolCall { server, tool, refused: true } => Some(format!(
            "Codex was not allowed to call {} of its MCP server {}, because no user is present to approve \
             it. To allow it, set default_tools_approval_mode = \"approve\" for that server (under \
             mcp_servers) in Codex's config.toml.",
            excerpt(tool),
            excerpt(server)
        )),
        item if is_websocket_fallback(item) => Some(format!(
            "Codex could not reach the model by WebSocket and fell back to HTTPS, which may delay each \
             call by some seconds. To avoid that, configure {HOW_TO_AVOID_WEBSOCKET}."
        )),
        Item::Error { message } if message.starts_with("Failed to save the conversation") => {
            Some(format!(
                "Codex could not write its record of the session, so the session may not be resumable: {}",
                excerpt(message)
            ))
        }
        _ => None,
    }
}
