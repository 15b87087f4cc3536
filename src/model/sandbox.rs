//! The sandbox that the model's commands run in.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::value::InvalidValue;

/// Codex's sandbox mode, which limits what the model's commands may do. More permissive modes compare
/// greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Commands may read files but write none.
    ReadOnly,
    /// Commands may also write inside the working directory.
    WorkspaceWrite,
    /// No sandbox: commands may do everything that the user may.
    DangerFullAccess,
}

impl Sandbox {
    /// All modes, from the least to the most permissive.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::WorkspaceWrite, Self::DangerFullAccess];

    /// The name used in Codex's options and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::WorkspaceWrite => "workspace-write",
            Self::DangerFullAccess => "danger-full-access",
        }
    }
}

impl FromStr for Sandbox {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL.into_iter().find(|sandbox| sandbox.as_str() == text).ok_or_else(|| {
            InvalidValue("must be read-only, workspace-write or danger-full-access".into())
        })
    }
}

/// Which sandbox a turn runs in, and whether later turns of the session keep it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SandboxChoice {
    /// The session's current sandbox; for a new session, the default configured in Codex.
    #[default]
    Inherit,
    /// This sandbox, for this turn and later turns of the session.
    Set(Sandbox),
    /// This sandbox for this turn only; later turns of the session are not affected.
    Once(Sandbox),
}
