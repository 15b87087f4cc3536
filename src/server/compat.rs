//! The handshake of Codex's own server, `codex mcp-server`, as 0.153.4 did it.

use rmcp::model::{ErrorCode, ErrorData, Implementation, ServerCapabilities, ServerConfig};
use serde_json::json;

/// What the server says of itself. The version is this program's.
pub(super) fn info() -> ServerConfig {
    let implementation =
        Implementation::new("codex-mcp-server", env!("CARGO_PKG_VERSION")).with_title("Codex");
    let capabilities = ServerCapabilities::builder().enable_tools().enable_tool_list_changed();
    ServerConfig::new(capabilities.build()).with_server_info(implementation)
}

/// The answer to a second `initialize`.
pub(super) fn initialized_twice() -> ErrorData {
    ErrorData::invalid_request("initialize called more than once", None)
}

/// The answer to a request of a method that does not exist.
pub(super) fn unknown_method(method: &str) -> ErrorData {
    let message = format!("method not found: {method}");
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, Some(json!({ "method": method })))
}
