//! What a client does with an answer, as far as it says who it is.

use rmcp::model::ProtocolVersion;
use rmcp::service::{RequestContext, RoleServer};

/// Clients whose model would lose something if an error had structured content, by the start of their name:
/// Codex then shows only that, as JSON, and Cline shows everything twice. Claude Code drops it.
const TEXT_ONLY: [&str; 4] = ["codex", "claude", "cline", "roo"];

/// Whether an error may have structured content beside its text: not for clients from before there was any, and
/// not if the client is not known.
pub(crate) fn takes_structured_errors(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    let name = context.client_info().map(|client| client.name.to_lowercase());
    may_take(version.as_ref(), name.as_deref())
}

fn may_take(version: Option<&ProtocolVersion>, name: Option<&str>) -> bool {
    let (Some(version), Some(name)) = (version, name) else { return false };
    version.as_str() >= ProtocolVersion::V_2025_06_18.as_str()
        && !TEXT_ONLY.iter().any(|client| name.starts_with(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_clients_that_lose_nothing_get_structured_errors() {
        let (new, old) = (ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_03_26);
        assert!(may_take(Some(&new), Some("my-sdk-client")));
        assert!(!may_take(Some(&old), Some("my-sdk-client")));
        for name in [None, Some("codex-mcp-client"), Some("claude-code"), Some("cline")] {
            assert!(!may_take(Some(&new), name), "{name:?}");
        }
    }
}
