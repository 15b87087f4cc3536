//! What Codex says in passing and goes on, and its caller should know. Pure.

use super::event::Item;
use crate::text::shown;

/// A warning, if the item is of that kind.
pub(super) fn of(item: &Item) -> Option<String> {
    match item {
        Item::McpToolCall { server, tool, refused: true } => Some(format!(
            "Codex was not allowed to call {} of its MCP server {}, and nobody is there to allow it. To allow \
             it, a person sets default_tools_approval_mode = \"approve\" for that server (mcp_servers) in \
             Codex's config.toml.",
            shown(tool),
            shown(server)
        )),
        Item::Error { message } if message.starts_with("Falling back from WebSockets") => Some(
            "Codex could not reach the model by WebSocket and lost some seconds on it, as it will in each call. \
             A provider of one's own in Codex's config.toml, with requires_openai_auth = true and \
             supports_websockets = false, avoids that."
                .into(),
        ),
        Item::Error { message } if message.starts_with("Failed to save the conversation") => {
            Some(format!(
                "Codex could not write its record of the session, so nobody may be able to go on in it: {}",
                shown(message)
            ))
        }
        _ => None,
    }
}
