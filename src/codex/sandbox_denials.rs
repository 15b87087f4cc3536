//! Detects and counts what the sandbox denied in a turn. Pure.

use super::progress_text::{one_line, without_shell};
use super::sandbox_failure::SandboxFailures;
use crate::model::event::Item;

/// What the sandbox denied in a turn.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SandboxDenials {
    /// Number of commands that ran into the sandbox.
    pub(crate) commands: u64,
    /// Number of patches that the sandbox blocked.
    pub(crate) patches: u64,
    /// The commands that did not run because their sandbox could not be set up.
    pub(crate) not_run: SandboxFailures,
    /// Describes the first denied command or patch.
    pub(crate) first: Option<String>,
}

impl SandboxDenials {
    /// Counts a completed item. Returns whether it was denied.
    pub(super) fn add(&mut self, item: &Item) -> bool {
        let first = match item {
            Item::Command { no_sandbox: Some(message), .. } => {
                self.not_run.add(message);
                return true;
            }
            Item::Command { command, refused: true, .. } => {
                self.commands += 1;
                one_line(&without_shell(command))
            }
            Item::FileChange { paths, refused: true, .. } => {
                self.patches += 1;
                one_line(&format!("a patch to {}", paths.join(", ")))
            }
            _ => return false,
        };
        self.first.get_or_insert(first);
        true
    }

    /// Merges two counts of the same turn, each of which may have missed something. `other` has the right
    /// order.
    pub(super) fn merge(&mut self, other: Self) {
        self.commands = self.commands.max(other.commands);
        self.patches = self.patches.max(other.patches);
        self.not_run.merge(other.not_run);
        self.first = other.first.or(self.first.take());
    }
}

/// Whether a command's output shows that the sandbox denied something: the system's error for a write denied
/// by bubblewrap or Landlock (up to 0.120) or for denied network access, or Codex's own message for a command
/// that asked to run outside the sandbox. Does not apply to a command that did not run at all, see
/// [`sandbox_failure`](super::sandbox_failure). Landlock and network errors also occur without a sandbox, so
/// they only count if the command failed.
pub(super) fn is_command_denied(output: &str, exit_code: Option<i64>) -> bool {
    let has = |phrase: &str| memchr::memmem::find(output.as_bytes(), phrase.as_bytes()).is_some();
    has("Read-only file system")
        || exit_code.is_some_and(|code| code != 0)
            && (has("Operation not permitted") || has("Permission denied"))
        || exit_code.is_none()
            && (output.starts_with("approval policy is Never; reject command")
                || has("rejected by user approval settings"))
}

/// Codex's messages for an MCP tool call that needs approval, which nobody can give in `codex exec`: with the
/// approval policy `never`, and with others (0.153 to 0.171).
const UNAPPROVED: &[&str] = &[
    "MCP tool call requires approval",
    "user cancelled MCP tool call",
    "MCP tool call cancelled",
    "interactive approval is unavailable",
];

/// Whether an MCP tool call was rejected because nobody could approve it.
pub(super) fn is_mcp_call_denied(error: &str) -> bool {
    UNAPPROVED.iter().any(|phrase| error.contains(phrase))
}

/// Whether a patch failed because of the sandbox. Codex either rejects it beforehand or, for example with a
/// symbolic link, tries to write it and does not say why that failed.
pub(super) fn is_patch_denied(output: &str) -> bool {
    const PHRASES: [&str; 5] = [
        "patch rejected",
        "Failed to write file ",
        "Failed to create parent directories ",
        "Failed to delete file ",
        "Failed to remove original ",
    ];
    PHRASES
        .iter()
        .any(|phrase| memchr::memmem::find(output.as_bytes(), phrase.as_bytes()).is_some())
}
