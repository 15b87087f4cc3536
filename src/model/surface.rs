//! Which tools a server lists.

/// The tools of a server: its own, or those of Codex's former MCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// Its own, `codex_chat` and so on.
    Own,
    /// Its own, and then `codex` and `codex-reply`.
    OwnAndCodex,
    /// Only `codex` and `codex-reply`, in place of `codex mcp-server`.
    Codex,
}

impl Surface {
    /// Whether `codex` and `codex-reply` are listed.
    pub(crate) fn has_codex_tools(self) -> bool {
        self != Self::Own
    }
}
