//! What the model's commands may do.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::value::InvalidValue;

/// What the model's commands may do, in Codex's terms; more permission is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Read files, write none.
    ReadOnly,
    /// Write inside the working directory.
    WorkspaceWrite,
    /// Everything that the user may do.
    DangerFullAccess,
}

impl Sandbox {
    /// All of them, from the least to the most permission.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::WorkspaceWrite, Self::DangerFullAccess];

    /// The name in Codex's options and records.
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

/// Which sandbox a turn runs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SandboxChoice {
    /// The session's own; for a new session Codex's configured default.
    #[default]
    Inherit,
    /// This one, from now on for the session.
    Set(Sandbox),
    /// This one for this turn alone: later turns of the session are as if it had not been.
    Once(Sandbox),
}
